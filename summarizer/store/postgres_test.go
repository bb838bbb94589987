package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// What is wrong with a database is said in a sentence that names it, tells what to
// do, and never shows the password. Planted: the driver's own words for a wrong
// address, which repeat it, were found by that.
func TestPostgresSaysWhatIsWrong(t *testing.T) {
	p := storetest.Server(t)
	for _, s := range []string{
		`DROP ROLE IF EXISTS strict`, `CREATE ROLE strict LOGIN PASSWORD 'right'`, `DROP ROLE IF EXISTS guest`, `CREATE ROLE guest LOGIN`,
		`DROP DATABASE IF EXISTS ascii`, `CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'`,
		`DROP DATABASE IF EXISTS stiff`, `CREATE DATABASE stiff`, `ALTER DATABASE stiff SET default_transaction_read_only = on`,
		`DROP DATABASE IF EXISTS newer`, `CREATE DATABASE newer`, `DROP DATABASE IF EXISTS empty`, `CREATE DATABASE empty`,
	} {
		if err := p.Exec("postgres", s); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Let("local all strict scram-sha-256"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir, store.Database(p.Address("newer")))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Remember(), db.Close(), p.Exec("newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(dir, store.AddressFile)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the address is kept with %v, %v", st, err)
	}
	for name, c := range map[string]struct {
		address string
		want    error
		hint    string
	}{
		"password":      {strings.Replace(p.Address("empty"), "aval@", "strict:secret@", 1), store.ErrSignIn, "password"},
		"no database":   {p.Address("none"), store.ErrNoStore, "CREATE DATABASE"},
		"no right":      {strings.Replace(p.Address("empty"), "aval@", "guest:secret@", 1), store.ErrNotWritable, "owner"},
		"encoding":      {p.Address("ascii"), store.ErrUnsupported, "UTF8"},
		"read-only":     {p.Address("stiff"), store.ErrNotWritable, "primary"},
		"newer":         {p.Address("newer"), store.ErrNewer, "newer aval-summarizer"},
		"not running":   {"postgres://user:secret@127.0.0.1:1/x", store.ErrUnreachable, "is it running"},
		"no socket":     {"postgres://user:secret@/x?host=/nonexistent", store.ErrUnreachable, "is it running"},
		"no address":    {"postgres://user:secret@[::1/x", store.ErrUnsupported, "postgres://USER@HOST"},
		"nothing in it": {"postgres:///x", store.ErrUnsupported, "postgres://USER@HOST"},
		"wrong option":  {"postgres://user:secret@127.0.0.1/x?sslmode=maybe", store.ErrUnsupported, "postgres://USER@HOST"},
		"no such file":  {"postgres://user:secret@127.0.0.1/x?sslrootcert=/nonexistent&sslmode=verify-full", store.ErrUnsupported, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), t.TempDir(), store.Database(c.address))
			if err == nil {
				_ = db.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.hint) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error: %v", err)
			}
			t.Log(err)
		})
	}
	if _, err := store.OpenBeside(t.Context(), t.TempDir(), store.Database(p.Address("empty"))); !errors.Is(err, store.ErrNoStore) {
		t.Errorf("a command in an empty database: %v", err)
	}
}

// Two transactions that each look and then write cannot both be right. Planted:
// with READ COMMITTED in the place of SERIALIZABLE, two companies were made.
func TestPostgresAsIfAlone(t *testing.T) {
	p := storetest.Server(t)
	// Not a copy of the template, whose triggers would have one of them run anew.
	for _, s := range []string{`DROP DATABASE IF EXISTS alone`, `CREATE DATABASE alone`} {
		if err := p.Exec("postgres", s); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), t.TempDir(), store.Database(p.Address("alone")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var both sync.WaitGroup
	both.Add(2)
	var wg sync.WaitGroup
	for _, id := range []string{"c1", "c2"} {
		wg.Go(func() {
			first := true
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				list, err := tx.Companies()
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				if err != nil || len(list) > 0 {
					return err
				}
				return tx.InsertCompany(store.Company{ID: id, Name: id, Tier: "self-hosted", Lang: "en", Settings: "{}", CreatedAt: t0})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	tx(t, db, func(tx *store.Tx) error {
		list, err := tx.Companies()
		if len(list) != 1 {
			t.Errorf("%d companies", len(list))
		}
		return err
	})
}

// What another process on the same database commits wakes this one. Planted: with
// no LISTEN, nothing came.
func TestPostgresHintsReachOthers(t *testing.T) {
	dir := storetest.Dir(t)
	db := open(t, dir)
	k := seed(t, db, "x/1", 1)
	for { // what this process itself did
		select {
		case <-db.JobsChanged(store.JobSummary):
			continue
		case <-db.NewsFor():
			continue
		default:
		}
		break
	}
	other, err := store.OpenBeside(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	soon := time.After(time.Minute)
	for job, news := false, false; !job || !news; {
		// Again and again: what is said before anybody listens is not heard.
		tx(t, other, func(tx *store.Tx) error {
			if err := tx.AddJob(store.JobSummary, k, t0); err != nil {
				return err
			}
			if err := tx.RestartJob(store.JobSummary, k, t0); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			j, err := tx.ClaimJob(store.JobSummary, t0, time.Minute)
			if err == nil {
				err = tx.FinishJob(j, t0)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			_, err = tx.InsertSummary(store.Summary{Key: k, JSON: "{}", Engine: "rules", Lang: "en", CreatedAt: t0})
			return err
		})
		select {
		case <-db.JobsChanged(store.JobSummary):
			job = true
		case d := <-db.NewsFor():
			news = news || d == k.Device
		case <-time.After(100 * time.Millisecond):
		case <-soon:
			t.Fatalf("job %v, news %v", job, news)
		}
	}
}

// Servers that start at the same time on an empty database all come up.
func TestPostgresStartTogether(t *testing.T) {
	p := storetest.Server(t)
	for _, s := range []string{`DROP DATABASE IF EXISTS together`, `CREATE DATABASE together`} {
		if err := p.Exec("postgres", s); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		dir := t.TempDir()
		wg.Go(func() {
			db, err := store.Open(t.Context(), dir, store.Database(p.Address("together")))
			if err != nil {
				t.Error(err)
				return
			}
			_ = db.Close()
		})
	}
	wg.Wait()
}

// The database is killed, as by a power cut, and comes back: what was committed is
// there, and the same store goes on.
func TestPostgresKilled(t *testing.T) {
	p, err := storetest.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if err := p.Create("aval", "template0"); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), t.TempDir(), store.Database(p.Address("aval")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	k := seed(t, db, "x/1", 300)
	p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = db.View(ctx, func(tx *store.Tx) error { _, err := tx.Stream(k); return err })
	if !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("while it is away: %v", err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	tx(t, db, func(tx *store.Tx) error {
		evs, err := tx.Events(k, 0, 0)
		if len(evs) != 300 {
			t.Errorf("%d events", len(evs))
		}
		return err
	})
}

// Many who want the same row all get it: each audit row moves the head of its
// company's log. Planted: with thirty attempts, one of 120 failed.
func TestManyAtOnce(t *testing.T) {
	dir := storetest.Dir(t)
	db := open(t, dir)
	seed(t, db, "x/1", 0)
	other, err := store.OpenBeside(t.Context(), dir) // as another server
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			at := db
			if i%2 == 1 {
				at = other
			}
			for range 4 {
				if err := at.Tx(t.Context(), func(tx *store.Tx) error {
					return tx.AddAudit(store.Audit{Company: "c1", At: t0, Actor: "server", Action: "looked"})
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	tx(t, db, func(tx *store.Tx) error {
		h, err := tx.AuditHead("c1")
		if h.Size != 120 {
			t.Errorf("%d rows", h.Size)
		}
		return err
	})
}
