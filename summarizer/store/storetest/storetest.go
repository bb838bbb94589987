// Package storetest runs a package's tests on every database that the store
// knows: once on the embedded SQLite and once on a PostgreSQL of its own.
//
// The one rule that must not be broken: no test of one engine is left out in
// silence; where there is no PostgreSQL, the tests fail and say what to install.
//
// A test package takes part with
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }
//
// and by taking its data folders from Dir in the place of t.TempDir. All that
// opens such a folder, in this process or another, finds the right database in
// it. Tests named TestPostgres… or TestSQLite… are about one engine and run on that
// one only. AVAL_TEST_DATABASE=sqlite or =postgres runs one of the two, for a person
// who looks for a fault.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"aval/summarizer/store"
)

// engines in the order in which they are run.
var engines = []string{"sqlite", "postgres"}

// now is the engine of the run that is going on.
var now = "sqlite"

// only names the one engine that is wanted.
const only = "AVAL_TEST_DATABASE"

// Run runs the package's tests on each engine and returns the exit code. more
// are done when all is over.
func Run(m *testing.M) (code int) {
	defer shared.stop()
	flag.Parse()
	skipped = flag.Lookup("test.skip").Value.String()
	for _, e := range engines {
		if want := os.Getenv(only); want != "" && want != e {
			fmt.Printf("%s is set: the tests are not run on %s\n", only, e)
			continue
		}
		now = e
		// With -fuzz the engine is not what is looked at, and workers run no tests.
		if f := flag.Lookup("test.fuzz"); e != "sqlite" && f != nil && f.Value.String() != "" {
			continue
		}
		fmt.Printf("database: %s\n", e)
		if err := others(e); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			return 1
		}
		if e == "postgres" {
			if err := shared.start(); err != nil {
				fmt.Fprintf(os.Stderr, "FAIL: PostgreSQL does not start: %v\nInstall it with `test/deps.sh test`, or set %s=sqlite to leave its half of the tests out.\n", err, only)
				return 1
			}
		}
		code = max(code, m.Run())
	}
	return code
}

// others leaves out the tests that are about another engine, beside those that
// -skip names.
func others(engine string) error {
	about := map[string]string{"sqlite": "^TestPostgres", "postgres": "^TestSQLite"}[engine]
	if skipped != "" {
		about = skipped + "|" + about
	}
	return flag.Set("test.skip", about)
}

// skipped is the -skip of the command line.
var skipped string

// shared is the server of this process: each folder gets a database in it, a copy
// of one that has been migrated.
var shared = &pool{}

type pool struct {
	once   sync.Once
	err    error
	server *Postgres

	mu sync.Mutex // guards n
	n  int
}

const template = "aval_template"

func (p *pool) start() error {
	p.once.Do(func() {
		if p.server, p.err = StartPostgres("fsync=off", "full_page_writes=off", "max_connections=300"); p.err != nil {
			return
		}
		if p.err = p.server.Create(template, "template0"); p.err != nil {
			return
		}
		dir, err := os.MkdirTemp("", "storetest")
		if err != nil {
			p.err = err
			return
		}
		defer os.RemoveAll(dir)
		db, err := store.Open(context.Background(), dir, store.Database(p.server.Address(template)))
		if err != nil {
			p.err = err
			return
		}
		if p.err = db.Close(); p.err == nil {
			p.err = p.server.Exec(template, meet)
		}
	})
	return p.err
}

// meet has every third transaction end as one does that met another, in whatever
// table it has written: so each test of a package finds out whether what it calls
// can be run anew. What adds to a variable outside of the transaction is found by
// that.
const meet = `
CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF txid_current() % 3 = 0 THEN
    RAISE EXCEPTION 'met another transaction (the test says so)' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN NULL;
END $$;
DO $$
DECLARE t TEXT;
BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('events', 'goose_db_version') LOOP
    EXECUTE format('CREATE CONSTRAINT TRIGGER meet AFTER INSERT OR UPDATE OR DELETE ON %I
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION meet()', t);
  END LOOP;
END $$`

// Once has a folder's transactions no longer meet others that do not exist: for a
// test whose own function cannot be called twice, as one that draws in it.
func Once(t testing.TB, dir string) {
	t.Helper()
	if now == "postgres" {
		Damage(t, dir, "DROP FUNCTION meet CASCADE")
	}
}

// Server is the PostgreSQL of this process, for tests that are about it.
func Server(t testing.TB) *Postgres {
	t.Helper()
	if err := shared.start(); err != nil {
		t.Fatal(err)
	}
	return shared.server
}

func (p *pool) stop() {
	if p.server != nil {
		p.server.Stop()
	}
}

// create makes a database and returns its address.
func (p *pool) create() (string, error) {
	if err := p.start(); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock() // copies of one template are made one at a time
	p.n++
	name := fmt.Sprintf("t%d", p.n)
	return p.server.Address(name), p.server.Create(name, template)
}

// Dir is an empty data folder of the engine of this run; it is gone when the test
// has ended.
func Dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	_ = os.Getenv(only) // here it is seen by the cache of test results, in Run it is not
	if now != "postgres" {
		return dir
	}
	address, err := shared.create()
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, store.AddressFile), []byte(address+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Open opens a store in a new folder, until the test has ended.
func Open(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Content is all that can be read of a data folder and its database: for tests
// that look for what must not be there. Flush the store first.
func Content(t testing.TB, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		all = append(all, raw...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	address, err := os.ReadFile(filepath.Join(dir, store.AddressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return all
	}
	if err != nil {
		t.Fatal(err)
	}
	dump, err := shared.server.asOwner(exec.Command(filepath.Join(shared.server.Bin, "pg_dump"), strings.TrimSpace(string(address)))).Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	return append(all, dump...)
}

// Damage runs statements on a folder's database past the store, as somebody would
// who tampers with it. Bytes are written x'7b7d'.
func Damage(t testing.TB, dir string, statements ...string) {
	t.Helper()
	driver, source, pg := "sqlite", filepath.Join(dir, store.File), false
	if address, err := os.ReadFile(filepath.Join(dir, store.AddressFile)); err == nil {
		driver, source, pg = "pgx", strings.TrimSpace(string(address)), true
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if pg {
			s = hexadecimal.ReplaceAllString(s, `'\x$1'::bytea`)
		}
		for { // the triggers of the template spare nobody
			_, err := db.Exec(s)
			var pe *pgconn.PgError
			if err == nil {
				break
			}
			if !errors.As(err, &pe) || pe.Code != "40001" {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
}

var hexadecimal = regexp.MustCompile(`x'([0-9a-f]*)'`)
