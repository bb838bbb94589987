// Package store is the summarizer's SQL store: companies, devices, grants,
// events, jobs, summaries, credits and the audit trail, as typed calls on a
// transaction.
//
// The one rule that must not be broken: what has been acknowledged to an agent
// has been committed, and everything that belongs together (a batch and its
// stream's state; a summary, its credit and its audit row) commits in one
// transaction or not at all.
//
// There are two engines, the embedded SQLite (sqlite.go) and PostgreSQL
// (postgres.go), and one text of every statement: $1 placeholders, ON CONFLICT,
// RETURNING, and nothing that only one of them knows. On both a writing
// transaction sees the world as if it were alone in it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// File is the embedded database's name in the data folder.
const File = "aval.db"

// AddressFile in the data folder (0600) holds the address of the database, where
// it is not the embedded one: so no command needs it, nor a password in it, on
// its command line.
const AddressFile = "database"

// engine is what the two databases differ in.
type engine interface {
	// open makes the pools of db. A server may create and migrate.
	open(ctx context.Context, db *DB, server bool) error
	// where names the database in errors, without its password.
	where() string
	// again tells whether a transaction that failed with err may succeed when it is
	// run anew.
	again(err error) bool
	// explain gives an error of the driver a kind and a hint.
	explain(err error) error
	// system is its name in traces, as OpenTelemetry has it.
	system() string
	// skip is appended to the choice of a job.
	skip() string
	// rows is how many rows one statement adds best. For PostgreSQL each statement
	// is a round trip; the embedded one takes longer to bind many values than to
	// take a row.
	rows() int
	// flush: see DB.Flush.
	flush(ctx context.Context, db *DB) error
	// inspect fills in what View cannot tell.
	inspect(ctx context.Context, db *DB, f *Facts) error
	// backup writes a copy into dir, and restore puts one in place.
	backup(ctx context.Context, db *DB, dir string) (name string, err error)
	restore(ctx context.Context, file string) error
}

// DB is an open store. It is safe for concurrent use.
type DB struct {
	dir     string
	address string // that was given to open it; empty: none
	engine  engine
	write   *sql.DB
	read    *sql.DB // each transaction a snapshot that cannot write
	lock    *os.File
	jobs    map[JobKind]chan struct{}
	news    chan string
	hints   *hints // nil: this process is the only one that has servers to wake
	sign    atomic.Pointer[SignHead]
	known   int64 // the schema that this program knows
	observe atomic.Pointer[func(kind, result string, took time.Duration)]
	closed  sync.Once
	err     error
}

// Option changes how a store is opened.
type Option func(*options)

type options struct{ address string }

// Database opens the database at this address, postgres://USER@HOST/NAME, in the
// place of the one that AddressFile names or the embedded one; empty: no change.
func Database(address string) Option { return func(o *options) { o.address = address } }

// Open opens the store of the data folder dir for a server: it makes the folder
// (0700) and the embedded database (0600) where they are missing, brings the
// schema up to date (see schema.go) and holds the folder until Close. Errors wrap ErrInUse,
// ErrNotWritable, ErrDamaged, ErrNewer, ErrUnsupported, ErrUnreachable or
// ErrSignIn where one of these is the cause.
func Open(ctx context.Context, dir string, opts ...Option) (*DB, error) {
	return open(ctx, dir, true, opts)
}

// OpenBeside opens an existing store without holding its folder: for a command
// that runs beside the server or without it. The schema must be this version's, or
// a newer one that says that this version may go on with it.
func OpenBeside(ctx context.Context, dir string, opts ...Option) (*DB, error) {
	return open(ctx, dir, false, opts)
}

func open(ctx context.Context, dir string, server bool, opts []Option) (_ *DB, err error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	db := &DB{dir: dir, address: o.address, news: make(chan string, 64),
		jobs: map[JobKind]chan struct{}{JobSummary: make(chan struct{}, 1), JobDelivery: make(chan struct{}, 1)}}
	if db.engine, err = engineOf(dir, o.address); err != nil {
		return nil, err
	}
	if server {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, notWritable(dir, err)
		}
		if db.lock, err = lockDir(dir); err != nil {
			return nil, err
		}
	}
	if err := db.engine.open(ctx, db, server); err != nil {
		return nil, errors.Join(db.engine.explain(err), db.Close())
	}
	return db, nil
}

// engineOf chooses by the address, the given one or that in the data folder.
func engineOf(dir, address string) (engine, error) {
	if address == "" {
		raw, err := os.ReadFile(filepath.Join(dir, AddressFile))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &sqliteEngine{path: filepath.Join(dir, File)}, nil
		case err != nil:
			return nil, notWritable(dir, err)
		}
		address = strings.TrimSpace(string(raw))
	}
	switch scheme, _, ok := strings.Cut(address, "://"); {
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return newPostgres(address)
	case ok:
		return nil, fmt.Errorf("%w: %s://…; there is the embedded one, without an address, and postgres://USER@HOST/NAME", ErrUnsupported, scheme)
	}
	return nil, fmt.Errorf("%w: the address is none; write postgres://USER@HOST/NAME, or leave it out for the embedded one", ErrUnsupported)
}

// Dir is the data folder.
func (db *DB) Dir() string { return db.dir }

// Remember keeps the address that the store was opened with in AddressFile, so
// that the next start and commands find the same database.
func (db *DB) Remember() error {
	if db.address == "" {
		return nil
	}
	f, err := os.CreateTemp(db.dir, ".database-*") // made 0600
	if err != nil {
		return notWritable(db.dir, err)
	}
	_, err = f.WriteString(db.address + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(db.dir, AddressFile))
	}
	if err != nil {
		return errors.Join(notWritable(db.dir, err), os.Remove(f.Name()))
	}
	return nil
}

// Shared tells whether other servers may use the same database.
func (db *DB) Shared() bool { return db.hints != nil }

// Where names the database for people: a file, or an address without a password.
func (db *DB) Where() string { return db.engine.where() }

// Close lets go of the store. It is idempotent.
func (db *DB) Close() error {
	db.closed.Do(func() {
		var errs []error
		if db.hints != nil {
			db.hints.close()
		}
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
	rows  int
	jobs  bool     // a job was added: wake the workers after the commit
	news  []string // devices to be told of a summary after the commit
	audit []Audit  // rows that are written last, see writeAudit
	sign  SignHead
	sight *Sight // nil: everything is in sight
	// reading: the rows of a statement are being read.
	reading bool
}

// A transaction that met another one is run anew, at most this often.
const attempts = 200

// Tx runs f in a writing transaction and commits it; the commit has reached the
// disk when Tx returns nil. An error of f rolls everything back.
//
// Where two transactions met and could not both be as if alone, f is called once
// more from its beginning: what it leaves outside of the transaction it must set
// and not add to.
func (db *DB) Tx(ctx context.Context, f func(*Tx) error) (err error) {
	n := 1
	ctx, end := db.span(ctx, "write")
	defer func() { end(n, err) }()
	for ; ; n++ {
		start := time.Now()
		err = db.run(ctx, db.write, &sql.TxOptions{Isolation: sql.LevelSerializable}, f)
		again := err != nil && db.engine.again(err)
		db.saw("write", start, err, again)
		if !again {
			return err
		}
		if n == attempts {
			return fmt.Errorf("%w: %s: met others %d times: %w", ErrBusy, db.Where(), n, err)
		}
		select {
		case <-time.After(rand.N(time.Duration(min(n, 25)) * 4 * time.Millisecond)):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// View runs f on a snapshot of the store. Writing in it fails.
func (db *DB) View(ctx context.Context, f func(*Tx) error) error {
	start := time.Now()
	ctx, end := db.span(ctx, "read")
	err := db.run(ctx, db.read, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, f)
	db.saw("read", start, err, false)
	end(1, err)
	return err
}

// Observe sets who is told of each transaction: its kind (write, read), how it
// ended (ok, error, again) and how long it took.
func (db *DB) Observe(f func(kind, result string, took time.Duration)) { db.observe.Store(&f) }

func (db *DB) saw(kind string, start time.Time, err error, again bool) {
	f := db.observe.Load()
	if f == nil {
		return
	}
	result := "ok"
	switch {
	case again:
		result = "again"
	case err != nil:
		result = "error"
	}
	(*f)(kind, result, time.Since(start))
}

// Pools tells how the connections to the database are used.
func (db *DB) Pools() map[string]sql.DBStats {
	return map[string]sql.DBStats{"write": db.write.Stats(), "read": db.read.Stats()}
}

func (db *DB) run(ctx context.Context, pool *sql.DB, o *sql.TxOptions, f func(*Tx) error) error {
	sqlTx, err := pool.BeginTx(ctx, o)
	// A database that was away leaves the pool with connections that ended since;
	// nothing has been said on them yet, so the next one can be taken.
	for n := pool.Stats().OpenConnections; stale(err) && n >= 0; n-- {
		sqlTx, err = pool.BeginTx(ctx, o)
	}
	if err != nil {
		return db.engine.explain(fmt.Errorf("begin transaction: %w", err))
	}
	t := &Tx{ctx: ctx, tx: sqlTx, skip: db.engine.skip(), rows: db.engine.rows()}
	if s, ok := ctx.Value(sightKey{}).(Sight); ok {
		t.sight = &s
	}
	if sign := db.sign.Load(); sign != nil {
		t.sign = *sign
	}
	defer func() { _ = sqlTx.Rollback() }() // no effect after a commit
	if err := f(t); err != nil {
		return err
	}
	if err := t.writeAudit(); err != nil {
		return db.engine.explain(fmt.Errorf("write audit: %w", err))
	}
	if err := sqlTx.Commit(); err != nil {
		return db.engine.explain(fmt.Errorf("commit: %w", err))
	}
	if t.jobs || len(t.news) > 0 {
		db.wake(t.jobs, t.news)
		db.hints.send(ctx, hint{Jobs: t.jobs, News: t.news})
	}
	return nil
}

// stale tells whether a connection turned out to have ended before.
func stale(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// wake tells who listens in this process.
func (db *DB) wake(jobs bool, news []string) {
	if jobs {
		db.WakeJobs()
	}
	for _, device := range news {
		select {
		case db.news <- device:
		default: // found by whoever looks at the table
		}
	}
}

// JobsChanged is a one-slot nudge for the workers of a kind: it fires after a
// transaction, of this process or on PostgreSQL of any, that added or released a
// job. It is a hint over polling the table, not a queue.
func (db *DB) JobsChanged(kind JobKind) <-chan struct{} { return db.jobs[kind] }

// NewsFor names the devices whose sessions' summaries came, changed or went in a
// transaction of this process, or on PostgreSQL of any: a hint over polling
// SummaryNews, not a queue.
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

// Flush has what was erased leave the files of the embedded database: it empties
// the write-ahead log. Call it after a transaction that erased. PostgreSQL clears
// its files itself (autovacuum, recycling of its log); there it does nothing.
func (db *DB) Flush(ctx context.Context) error { return db.engine.flush(ctx, db) }

// free fails while rows are being read.
func (t *Tx) free() error {
	if t.reading {
		return errors.New("a statement while the rows of another are being read")
	}
	return nil
}

func (t *Tx) exec(query string, args ...any) (int64, error) {
	if err := t.free(); err != nil {
		return 0, err
	}
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// one scans a single row; no row is ErrNotFound.
func (t *Tx) one(query string, args []any, into ...any) error {
	if err := t.free(); err != nil {
		return err
	}
	return none(t.tx.QueryRowContext(t.ctx, query, args...).Scan(into...))
}

// none turns "no row" into ErrNotFound.
func none(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// each calls row for every row of the answer. Nothing else may be asked of the
// transaction in row: one connection answers one statement at a time, on
// PostgreSQL by its protocol and here so that every test finds it.
func (t *Tx) each(query string, args []any, row func(scan func(...any) error) error) error {
	if err := t.free(); err != nil {
		return err
	}
	t.reading = true
	defer func() { t.reading = false }()
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
