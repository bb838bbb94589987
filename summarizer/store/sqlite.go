package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // and its driver "sqlite"
)

// checkBelow is the size up to which Open reads the whole database for damage;
// above it start-up would take seconds, and SQLite still reports what it meets.
const checkBelow = 64 << 20

// sqliteEngine is the embedded database: WAL, synchronous=FULL, one writer.
type sqliteEngine struct{ path string }

func (e *sqliteEngine) where() string { return e.path }

// again: writers wait for each other before they begin, so none has to.
func (e *sqliteEngine) again(error) bool { return false }

func (e *sqliteEngine) system() string { return "sqlite" }

func (e *sqliteEngine) skip() string { return "" }

func (e *sqliteEngine) rows() int { return 1 }

func (e *sqliteEngine) open(ctx context.Context, db *DB, server bool) (err error) {
	if server {
		f, err := os.OpenFile(e.path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return notWritable(db.dir, err)
		}
		_ = f.Close()
	} else if _, err := os.Stat(e.path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: no %s in %s; start the server once, or name its data folder with --data", ErrNoStore, File, db.dir)
		}
		return notWritable(db.dir, err)
	}
	if db.write, err = sql.Open("sqlite", dsn(e.path, "immediate", "")); err == nil {
		db.read, err = sql.Open("sqlite", dsn(e.path, "deferred", "&_pragma=query_only(1)"))
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", e.path, err)
	}
	db.write.SetMaxOpenConns(1)
	db.read.SetMaxOpenConns(4)
	db.read.SetMaxIdleConns(2)
	if st, err := os.Stat(e.path); err == nil && st.Size() > 0 && st.Size() < checkBelow && server {
		var verdict string
		if err := db.write.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return fmt.Errorf("open %s: %w: %s", e.path, ErrDamaged, verdict)
		}
	}
	p, err := provider(goose.DialectSQLite3, db.write)
	if err == nil {
		err = db.migrate(ctx, p, server)
	}
	if errors.Is(err, ErrNewer) || errors.Is(err, ErrNoStore) {
		err = fmt.Errorf("open %s: %w", e.path, err)
	}
	return err
}

// dsn is the connection string. The order of the pragmas matters: busy_timeout
// must stand before journal_mode, which may have to wait for a lock.
func dsn(path, txlock, more string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	return u.String() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=secure_delete(1)&_txlock=" + txlock + more
}

func (e *sqliteEngine) flush(ctx context.Context, db *DB) error {
	var busy, pages, moved int
	if err := db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	if busy != 0 {
		return fmt.Errorf("flush log: %w", ErrBusy)
	}
	return nil
}

// Result codes of SQLite, https://www.sqlite.org/rescode.html; extended codes
// carry the primary one in their low byte.
const (
	sqliteBusy     = 5
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNotADB   = 26
)

func (e *sqliteEngine) explain(err error) error {
	path := e.path
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return err
	}
	switch se.Code() & 0xff {
	case sqliteCorrupt, sqliteNotADB:
		return fmt.Errorf("%w: %s cannot be read (%s); nothing was changed: put a backup in its place, or move the file away to begin anew", ErrDamaged, path, err)
	case sqliteReadOnly, sqliteCantOpen:
		return fmt.Errorf("%w: %s (%s); give this user the right to write there", ErrNotWritable, path, err)
	case sqliteFull:
		return fmt.Errorf("%w: no space left for %s; free some, nothing that was acknowledged is lost: %w", ErrNotWritable, path, err)
	case sqliteIOErr:
		return fmt.Errorf("%w: %s (%s); look at the disk", ErrNotWritable, path, err)
	case sqliteBusy:
		return fmt.Errorf("%w: %s is locked by another program: %w", ErrBusy, path, err)
	}
	return err
}
