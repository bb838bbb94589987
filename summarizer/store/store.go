// Package store is the summarizer's SQL store: companies, devices, grants,
// events, jobs, summaries, credits and the audit trail, as typed calls on a
// transaction.
//
// The one rule that must not be broken: what has been acknowledged to an agent
// has been committed, and everything that belongs together (a batch and its
// stream's state; a summary, its credit and its audit row) commits in one
// transaction or not at all.
//
// Today's driver is SQLite (modernc.org/sqlite, WAL, synchronous=FULL, one
// writer). Statements use $1 placeholders, ON CONFLICT and RETURNING, so that
// the same text serves PostgreSQL.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// File is the database's name in the data folder.
const File = "aval.db"

//go:embed migrations/*.sql
var migrations embed.FS

// checkBelow is the size up to which Open reads the whole database for damage;
// above it start-up would take seconds, and SQLite still reports what it meets.
const checkBelow = 64 << 20

// DB is an open store. It is safe for concurrent use.
type DB struct {
	dir    string
	write  *sql.DB // one connection: SQLite has one writer
	read   *sql.DB // query_only connections, each transaction a snapshot
	lock   *os.File
	skip   string // appended to a claim: empty for SQLite
	jobs   map[JobKind]chan struct{}
	news   chan string
	sign   atomic.Pointer[SignHead]
	closed sync.Once
	err    error
}

// Open opens the store in dir for a server: it makes the folder (0700) and the
// database (0600) where they are missing, brings the schema up to date and holds
// the folder until Close. Errors wrap ErrInUse, ErrNotWritable, ErrDamaged,
// ErrNewer or ErrUnsupported where one of these is the cause.
func Open(ctx context.Context, dir string) (*DB, error) { return open(ctx, dir, true) }

// OpenBeside opens an existing store without holding its folder: for a command
// that runs beside the server or without it. The schema must be this version's.
func OpenBeside(ctx context.Context, dir string) (*DB, error) { return open(ctx, dir, false) }

func open(ctx context.Context, dir string, server bool) (_ *DB, err error) {
	if strings.Contains(dir, "://") {
		return nil, fmt.Errorf("%w: %s: this program has only the embedded SQLite store; give a folder with --data",
			ErrUnsupported, scheme(dir))
	}
	db := &DB{dir: dir, jobs: map[JobKind]chan struct{}{JobSummary: make(chan struct{}, 1), JobDelivery: make(chan struct{}, 1)}, news: make(chan string, 64)}
	path := filepath.Join(dir, File)
	if server {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, notWritable(dir, err)
		}
		if db.lock, err = lockDir(dir); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			db.Close()
			return nil, notWritable(dir, err)
		}
		_ = f.Close()
	} else if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: no %s in %s; start the server once, or name its data folder with --data", ErrNoStore, File, dir)
		}
		return nil, notWritable(dir, err)
	}
	if db.write, err = sql.Open("sqlite", dsn(path, "immediate", "")); err == nil {
		db.read, err = sql.Open("sqlite", dsn(path, "deferred", "&_pragma=query_only(1)"))
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.write.SetMaxOpenConns(1)
	db.read.SetMaxOpenConns(4)
	db.read.SetMaxIdleConns(2)
	if err := db.prepare(ctx, path, server); err != nil {
		db.Close()
		return nil, explain(path, err)
	}
	return db, nil
}

// dsn is the connection string. The order of the pragmas matters: busy_timeout
// must stand before journal_mode, which may have to wait for a lock.
func dsn(path, txlock, more string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	return u.String() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=secure_delete(1)&_txlock=" + txlock + more
}

// prepare checks the file and brings the schema to this version.
func (db *DB) prepare(ctx context.Context, path string, server bool) error {
	if st, err := os.Stat(path); err == nil && st.Size() > 0 && st.Size() < checkBelow && server {
		var verdict string
		if err := db.write.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return fmt.Errorf("%w: %s", ErrDamaged, verdict)
		}
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.write, sub,
		goose.WithSlog(slog.New(slog.DiscardHandler)), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	switch {
	case have > want:
		return fmt.Errorf("%w: its schema is version %d and this program knows %d; start the newer aval-summarizer", ErrNewer, have, want)
	case have < want && !server:
		return fmt.Errorf("%w: its schema is version %d and this program needs %d; start the server once to bring it up to date", ErrNoStore, have, want)
	case have < want:
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrate database: %w", err)
		}
	}
	return nil
}

// Dir is the data folder.
func (db *DB) Dir() string { return db.dir }

// Close lets go of the store. It is idempotent.
func (db *DB) Close() error {
	db.closed.Do(func() {
		var errs []error
		if db.read != nil {
			errs = append(errs, db.read.Close())
		}
		if db.write != nil {
			errs = append(errs, db.write.Close())
		}
		if db.lock != nil {
			errs = append(errs, db.lock.Close())
		}
		db.err = errors.Join(errs...)
	})
	return db.err
}

// Tx is one transaction. It belongs to the function that it was given to.
type Tx struct {
	ctx   context.Context
	tx    *sql.Tx
	skip  string
	jobs  bool     // a job was added: wake the workers after the commit
	news  []string // devices to be told of a summary after the commit
	audit []Audit  // rows that are written last, see writeAudit
	sign  SignHead
}

// Tx runs f in a writing transaction and commits it; the commit has reached the
// disk when Tx returns nil. An error of f rolls everything back.
func (db *DB) Tx(ctx context.Context, f func(*Tx) error) error {
	return db.run(ctx, db.write, f)
}

// View runs f on a snapshot of the store. Writing in it fails.
func (db *DB) View(ctx context.Context, f func(*Tx) error) error {
	return db.run(ctx, db.read, f)
}

func (db *DB) run(ctx context.Context, pool *sql.DB, f func(*Tx) error) error {
	sqlTx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return explain(filepath.Join(db.dir, File), fmt.Errorf("begin transaction: %w", err))
	}
	t := &Tx{ctx: ctx, tx: sqlTx, skip: db.skip}
	if sign := db.sign.Load(); sign != nil {
		t.sign = *sign
	}
	defer func() { _ = sqlTx.Rollback() }() // no effect after a commit
	if err := f(t); err != nil {
		return err
	}
	if err := t.writeAudit(); err != nil {
		return explain(filepath.Join(db.dir, File), fmt.Errorf("write audit: %w", err))
	}
	if err := sqlTx.Commit(); err != nil {
		return explain(filepath.Join(db.dir, File), fmt.Errorf("commit: %w", err))
	}
	if t.jobs {
		db.WakeJobs()
	}
	for _, device := range t.news {
		select {
		case db.news <- device:
		default: // found by whoever looks at the table
		}
	}
	return nil
}

// JobsChanged is a one-slot nudge for the workers of a kind: it fires after a
// transaction of this process that added or released a job. It is a hint over
// polling the table, not a queue.
func (db *DB) JobsChanged(kind JobKind) <-chan struct{} { return db.jobs[kind] }

// NewsFor names the devices whose sessions' summaries came, changed or went in a
// transaction of this process: a hint over polling SummaryNews, not a queue.
func (db *DB) NewsFor() <-chan string { return db.news }

// WakeJobs fires JobsChanged.
func (db *DB) WakeJobs() {
	for _, c := range db.jobs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Flush empties the write-ahead log into the database and truncates it, so that
// nothing erased remains there. Call it after a transaction that erased.
func (db *DB) Flush(ctx context.Context) error {
	var busy, pages, moved int
	if err := db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	if busy != 0 {
		return fmt.Errorf("flush log: %w", ErrBusy)
	}
	return nil
}

func (t *Tx) exec(query string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// one scans a single row; no row is ErrNotFound.
func (t *Tx) one(query string, args []any, into ...any) error {
	return none(t.tx.QueryRowContext(t.ctx, query, args...).Scan(into...))
}

// none turns "no row" into ErrNotFound.
func none(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// each calls row for every row of the answer.
func (t *Tx) each(query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ns is a time as it is stored; the zero time is 0.
func ns(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// stamp scans a stored time.
type stamp struct{ t *time.Time }

func (s stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("read time: %T", v)
	}
	*s.t = time.Time{}
	if n != 0 {
		*s.t = time.Unix(0, n).UTC()
	}
	return nil
}
