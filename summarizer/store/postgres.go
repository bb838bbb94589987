package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// oldestPostgres is the oldest server that may be used, as in server_version_num.
	oldestPostgres = 140000
	// Connections of one server to the database: these for writing, as many for
	// reading, and one that listens. Three servers fit into PostgreSQL's default of
	// a hundred.
	poolSize = 10
	// connectWithin bounds one try to connect.
	connectWithin = 10 * time.Second
)

// postgresEngine is PostgreSQL, shared by any number of servers. Its writing
// transactions are serializable, so that what is read in one still holds when it
// commits, as with the embedded database's one writer; those that meet are run
// anew.
type postgresEngine struct {
	config  *pgx.ConnConfig
	address string // with the password where it has one, and how it is encrypted
	name    string
}

func newPostgres(address string) (*postgresEngine, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Query().Get("host") == "" {
		// The parser's own words would repeat the password.
		return nil, fmt.Errorf("%w: the address cannot be read; write postgres://USER@HOST:PORT/NAME", ErrUnsupported)
	}
	config, err := pgx.ParseConfig(encrypted(u))
	if err != nil {
		return nil, fmt.Errorf("%w: the address of the database, or a file or certificate that it names, cannot be read; write postgres://USER@HOST:PORT/NAME", ErrUnsupported)
	}
	config.ConnectTimeout = connectWithin
	// What is acknowledged is on the disk, whatever the database's own default is.
	config.RuntimeParams["synchronous_commit"] = "on"
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["application_name"] = "aval-summarizer"
	// A server that hangs must not hold what others wait for.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "60000"
	host := config.Host
	if !strings.HasPrefix(host, "/") {
		host = net.JoinHostPort(host, fmt.Sprint(config.Port))
	}
	return &postgresEngine{config: config, address: encrypted(u), name: fmt.Sprintf("PostgreSQL database %q at %s", config.Database, host)}, nil
}

// encrypted is the address with sslmode=verify-full where it says nothing about
// it and the server is another computer: the driver's own default would take a
// connection that anybody can read or answer.
func encrypted(u *url.URL) string {
	q := u.Query()
	if q.Get("sslmode") != "" || os.Getenv("PGSSLMODE") != "" {
		return u.String()
	}
	for _, h := range append(strings.Split(u.Host, ","), strings.Split(q.Get("host"), ",")...) {
		if host, _, err := net.SplitHostPort(h); err == nil {
			h = host
		}
		if ip := net.ParseIP(strings.Trim(h, "[]")); h != "" && !strings.HasPrefix(h, "/") && h != "localhost" && !(ip != nil && ip.IsLoopback()) {
			q.Set("sslmode", "verify-full")
			c := *u
			c.RawQuery = q.Encode()
			return c.String()
		}
	}
	return u.String()
}

func (e *postgresEngine) where() string { return e.name }

func (e *postgresEngine) system() string { return "postgresql" }

func (e *postgresEngine) skip() string { return " FOR UPDATE SKIP LOCKED" }

func (e *postgresEngine) rows() int { return 100 }

// flush: nothing to do, see DB.Flush.
func (e *postgresEngine) flush(context.Context, *DB) error { return nil }

func (e *postgresEngine) open(ctx context.Context, db *DB, server bool) error {
	for _, pool := range []**sql.DB{&db.write, &db.read} {
		p := stdlib.OpenDB(*e.config)
		p.SetMaxOpenConns(poolSize)
		p.SetMaxIdleConns(poolSize)
		p.SetConnMaxIdleTime(5 * time.Minute)
		p.SetConnMaxLifetime(time.Hour)
		*pool = p
	}
	if err := e.check(ctx, db.write); err != nil {
		return err
	}
	// Of several servers that start at once, one migrates and the others wait.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	p, err := provider(goose.DialectPostgres, db.write, goose.WithSessionLocker(locker))
	if err == nil {
		err = db.migrate(ctx, p, server)
	}
	if errors.Is(err, ErrNewer) || errors.Is(err, ErrNoStore) {
		return fmt.Errorf("open %s: %w", e.name, err)
	}
	if err != nil {
		return err
	}
	db.hints = newHints(db, e.config, server)
	return nil
}

// check refuses a database on which the store's promises would not hold.
func (e *postgresEngine) check(ctx context.Context, pool *sql.DB) error {
	var version int
	var release, encoding string
	var standby bool
	if err := pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), pg_is_in_recovery()`).Scan(&version, &release, &encoding, &standby); err != nil {
		return err
	}
	switch {
	case version < oldestPostgres:
		return fmt.Errorf("%w: %s is version %s; version %d or newer is needed", ErrUnsupported, e.name, release, oldestPostgres/10000)
	case encoding != "UTF8":
		return fmt.Errorf("%w: %s is encoded in %s; make it with ENCODING 'UTF8'", ErrUnsupported, e.name, encoding)
	case standby:
		return fmt.Errorf("%w: %s is a standby; name the primary, or both with &target_session_attrs=read-write", ErrNotWritable, e.name)
	}
	return nil
}

// Codes of PostgreSQL, https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgLockTimeout   = "55P03"
	pgPassword      = "28P01"
	pgRole          = "28000"
	pgNoDatabase    = "3D000"
	pgNotAllowed    = "42501"
	pgReadOnly      = "25006"
	pgFull          = "53100"
	pgTooMany       = "53300"
	pgShutdown      = "57P01"
	pgCrash         = "57P02"
	pgStarting      = "57P03"
	pgCorrupt       = "XX001"
	pgIndexCorrupt  = "XX002"
)

// pgCode is the code of an error of the database; empty: it is none.
func pgCode(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

func (e *postgresEngine) again(err error) bool {
	code := pgCode(err)
	return code == pgSerialization || code == pgDeadlock
}

func (e *postgresEngine) explain(err error) error {
	for _, known := range []error{ErrNotWritable, ErrNewer, ErrNoStore, ErrUnsupported} {
		if errors.Is(err, known) {
			return err
		}
	}
	var say string
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		say = pe.Message
	}
	switch code := pgCode(err); code {
	case pgPassword, pgRole:
		return fmt.Errorf("%w: %s: %s; look at the user and the password in the address or in the file that PGPASSFILE names, and at pg_hba.conf", ErrSignIn, e.name, say)
	case pgNoDatabase:
		return fmt.Errorf("%w: %s: %s; make it with CREATE DATABASE", ErrNoStore, e.name, say)
	case pgNotAllowed:
		return fmt.Errorf("%w: %s: %s; make the user the owner of the database", ErrNotWritable, e.name, say)
	case pgReadOnly:
		return fmt.Errorf("%w: %s is a standby or read-only: %s; name the primary", ErrNotWritable, e.name, say)
	case pgFull:
		return fmt.Errorf("%w: %s: %s; free space there, nothing that was acknowledged is lost: %w", ErrNotWritable, e.name, say, err)
	case pgCorrupt, pgIndexCorrupt:
		return fmt.Errorf("%w: %s: %s; put a backup in its place: %w", ErrDamaged, e.name, say, err)
	case pgTooMany:
		return fmt.Errorf("%w: %s: %s; raise max_connections there, each server uses up to %d: %w", ErrBusy, e.name, say, 2*poolSize+1, err)
	case pgLockTimeout:
		return fmt.Errorf("%w: %s: %w", ErrBusy, e.name, err)
	case pgShutdown, pgCrash, pgStarting:
		return fmt.Errorf("%w: %s: %s; it is tried again: %w", ErrUnreachable, e.name, say, err)
	case "":
	default:
		return err
	}
	var dial *net.OpError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &connect) && strings.Contains(err.Error(), "refused TLS"): // the driver has no value for it
		return fmt.Errorf("%w: %s offers no TLS; switch it on there, or say sslmode=disable in the address where nobody can listen in", ErrUnreachable, e.name)
	case errors.As(err, &dial):
		return fmt.Errorf("%w: %s: %w; is it running, and is the address right?", ErrUnreachable, e.name, dial.Err)
	case errors.As(err, &connect), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %s: %s", ErrUnreachable, e.name, strings.Join(strings.Fields(err.Error()), " "))
	}
	return err
}
