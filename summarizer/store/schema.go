package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// Servers of two versions may be on one database while one after the other is
// upgraded. So a migration only adds: tables, indexes, columns that are empty or
// have a default. What nobody uses any more is taken away by a later release, once
// the release before it has stopped using it. Which programs may go on with a
// schema, the server that brought it says in the table schema_oldest.

//go:embed migrations/*.sql
var migrations embed.FS

// oldestSchema is the oldest schema whose programs may go on with this version's.
// A migration that takes something away, or means something else by a column,
// raises it: to the schema of the first release that did without what was there.
// TestMigrationsOnlyAdd finds those that take away.
const oldestSchema = 25

// migrate brings the schema to this version, or says why that is not to be done.
func (db *DB) migrate(ctx context.Context, p *goose.Provider, server bool) error {
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	db.known = want
	switch {
	case have > want:
		return db.fits(ctx)
	case have < want && !server:
		return fmt.Errorf("%w: its schema is version %d and this program needs %d; start the server once to bring it up to date", ErrNoStore, have, want)
	case have < want:
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrate database: %w", err)
		}
	case !server:
		return nil
	}
	// Also where nothing was to be done: a server that ended before it could say so
	// has left it to the next.
	if _, err := db.write.ExecContext(ctx, `UPDATE schema_oldest SET version = $1, oldest = $2 WHERE version < $1`, want, int64(oldestSchema)); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// Fits looks whether this program may still use the database: a newer server may
// have changed it since it was opened. The error wraps ErrNewer where it may not.
func (db *DB) Fits(ctx context.Context) error {
	if err := db.fits(ctx); err != nil {
		return db.engine.explain(err)
	}
	return nil
}

// fits: what is newer than this program and does not say that it may go on is not
// used.
func (db *DB) fits(ctx context.Context) error {
	var have, version, oldest int64
	err := db.read.QueryRowContext(ctx, `SELECT (SELECT MAX(version_id) FROM goose_db_version), version, oldest FROM schema_oldest`).Scan(&have, &version, &oldest)
	if err != nil {
		return err
	}
	if have > db.known && (version != have || oldest > db.known) {
		return fmt.Errorf("%w: its schema is version %d and this program knows %d; start the newer aval-summarizer", ErrNewer, have, db.known)
	}
	return nil
}

// provider reads the migrations for a dialect.
func provider(dialect goose.Dialect, pool *sql.DB, more ...goose.ProviderOption) (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(dialect, pool, sub, append(more,
		goose.WithSlog(slog.New(slog.DiscardHandler)), goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}
