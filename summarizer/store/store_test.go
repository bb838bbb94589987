package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/record"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

var t0 = time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func tx(t *testing.T, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// seed adds company c1, device d1 and one stream with n events.
func seed(t *testing.T, db *store.DB, session string, n int) store.Key {
	t.Helper()
	k := store.Key{Company: "c1", Device: "d1", Session: session}
	tx(t, db, func(tx *store.Tx) error {
		if _, err := tx.Company("c1"); errors.Is(err, store.ErrNotFound) {
			if err := tx.InsertCompany(store.Company{ID: "c1", Name: "Example Support", Tier: "self-hosted", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: t0}); err != nil {
				return err
			}
			if err := tx.InsertDevice(store.Device{ID: "d1", Company: "c1", Name: "desk", AgentVersion: "1", EnrolledAt: t0}, "k1", make([]byte, 32)); err != nil {
				return err
			}
		}
		if err := tx.InsertStream(store.Stream{Key: k, Tool: "x11vnc", Supporter: "Ana", Direction: "outgoing", Basis: "consent",
			Provenance: "P2", Groups: []event.Group{event.Windows}, StartedAt: t0, OpenedAt: t0}); err != nil {
			return err
		}
		if err := tx.InsertGrant(store.Grant{Key: k, ID: "g-" + session, KeyID: "k1", Envelope: []byte("{}"), Groups: []event.Group{event.Windows, event.Chat},
			MadeAt: t0, NotBefore: t0, Expires: t0.Add(time.Hour), ReceivedAt: t0}); err != nil {
			return err
		}
		var evs []event.Event
		for i := range n {
			evs = append(evs, event.Event{Session: session, Seq: uint64(i + 1), Kind: event.WindowFocused, At: t0.Add(time.Duration(i)), Fields: map[string]string{"title": fmt.Sprintf("canary-%04d-<&>\u2028", i)}})
		}
		if err := tx.InsertEvents(k, "g-"+session, evs); err != nil {
			return err
		}
		return tx.Advance(k, 0, uint64(n), []byte("hash"), t0, t0)
	})
	return k
}

func TestStreamRoundTrip(t *testing.T) {
	db := open(t, storetest.Dir(t))
	k := seed(t, db, "x11vnc/1", 3)
	tx(t, db, func(tx *store.Tx) error {
		if err := tx.AddJob(store.JobSummary, k, t0); err != nil {
			return err
		}
		return tx.EndStream(k, t0.Add(time.Minute), "ended")
	})
	err := db.View(t.Context(), func(tx *store.Tx) error {
		s, err := tx.Stream(k)
		if err != nil {
			return err
		}
		want := store.Stream{Key: k, Ref: k.Ref(), Tool: "x11vnc", Supporter: "Ana", Direction: "outgoing", Basis: "consent", Provenance: "P2",
			Groups: []event.Group{event.Windows, event.Chat}, StartedAt: t0, OpenedAt: t0, UpdatedAt: t0, Acked: 3, AckedHash: []byte("hash"),
			LastEventAt: t0, EndedAt: t0.Add(time.Minute), EndReason: "ended", JobState: store.JobReady, DeviceName: "desk"}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("stream\n got %+v\nwant %+v", s, want)
		}
		if byRef, err := tx.StreamByRef("c1", k.Ref()); err != nil || !reflect.DeepEqual(byRef, want) {
			t.Errorf("by ref: %+v, %v", byRef, err)
		}
		if _, err := tx.StreamByRef("other", k.Ref()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another company's stream: %v", err)
		}
		evs, err := tx.Events(k, 1, 0)
		if err != nil || len(evs) != 2 || evs[0].Seq != 2 || evs[1].Fields["title"] != "canary-0002-<&>\u2028" || evs[0].GrantID != "g-x11vnc/1" || !evs[1].At.Equal(t0.Add(2)) {
			t.Errorf("events: %+v, %v", evs, err)
		}
		return tx.AddJob(store.JobSummary, k, t0)
	})
	if err == nil {
		t.Error("a view could write")
	}
}

func TestAdvanceRefuses(t *testing.T) {
	db := open(t, storetest.Dir(t))
	k := seed(t, db, "x/1", 3)
	for name, prepare := range map[string]func(tx *store.Tx, k store.Key) (acked uint64, err error){
		"elsewhere": func(*store.Tx, store.Key) (uint64, error) { return 2, nil },
		"withdrawn": func(tx *store.Tx, k store.Key) (uint64, error) { return 3, tx.WithdrawStream(k, "g-x/1", t0) },
		"erased":    func(tx *store.Tx, k store.Key) (uint64, error) { _, err := tx.EraseStream(k, t0); return 3, err },
	} {
		t.Run(name, func(t *testing.T) {
			rollback := errors.New("rollback")
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				acked, err := prepare(tx, k)
				if err != nil {
					return err
				}
				if err := tx.Advance(k, acked, 5, nil, t0, t0); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("advance: %v", err)
				}
				return rollback
			})
			if !errors.Is(err, rollback) {
				t.Fatal(err)
			}
		})
	}
	tx(t, db, func(tx *store.Tx) error { return tx.Advance(k, 3, 4, []byte("h"), t0, t0) })
}

func TestPaging(t *testing.T) {
	db := open(t, storetest.Dir(t))
	for i := range 7 {
		seed(t, db, fmt.Sprintf("x/%d", i), 0)
	}
	var seen []string
	var cur store.Cursor
	for {
		var page []store.Stream
		if err := db.View(t.Context(), func(tx *store.Tx) (err error) { page, err = tx.Streams("c1", cur, 3); return err }); err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			seen = append(seen, s.Session)
		}
		cur = page[len(page)-1].Cursor()
	}
	uniq := map[string]bool{}
	for _, s := range seen {
		uniq[s] = true
	}
	if len(seen) != 7 || len(uniq) != 7 {
		t.Errorf("paged through %v", seen)
	}
}

// Erased text is in no file of the folder, and a planted copy is found by the
// same search: the search can fail.
func TestSQLiteEraseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	k := seed(t, db, "x/1", 500)
	search := func() (n int) {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, []byte("canary-"))
		}
		return n
	}
	if search() < 500 {
		t.Fatal("the search does not find what is there")
	}
	tx(t, db, func(tx *store.Tx) error {
		_, err := tx.InsertSummary(store.Summary{Key: k, JSON: `{"Summary":"canary-9999"}`, Engine: "rules", Lang: "en", CreatedAt: t0})
		return err
	})
	tx(t, db, func(tx *store.Tx) error {
		n, err := tx.EraseStream(k, t0)
		if n != 500 {
			t.Errorf("erased %d events", n)
		}
		return err
	})
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := search(); n != 0 {
		t.Errorf("%d canaries left after erasing", n)
	}
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertSummary(store.Summary{Key: k, JSON: "{}", CreatedAt: t0})
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("summary of an erased session: %v", err)
	}
}

func TestSummaryVersions(t *testing.T) {
	db := open(t, storetest.Dir(t))
	k := seed(t, db, "x/1", 1)
	for want := int64(1); want <= 3; want++ {
		tx(t, db, func(tx *store.Tx) error {
			v, err := tx.InsertSummary(store.Summary{Key: k, JSON: fmt.Sprintf(`{"Name":"%d"}`, want), Engine: "rules", Lang: "en", CreatedAt: t0})
			if v != want {
				t.Errorf("version %d, want %d", v, want)
			}
			return err
		})
	}
	tx(t, db, func(tx *store.Tx) error {
		s, err := tx.Summary(k)
		all, err2 := tx.Summaries(k)
		if s.Version != 3 || s.JSON != `{"Name":"3"}` || len(all) != 3 || all[2].Version != 1 {
			t.Errorf("in force %+v, all %d", s, len(all))
		}
		return errors.Join(err, err2)
	})
}

func TestJobs(t *testing.T) {
	db := open(t, storetest.Dir(t))
	k := seed(t, db, "x/1", 1)
	for range 2 {
		tx(t, db, func(tx *store.Tx) error { return tx.AddJob(store.JobSummary, k, t0) })
	}
	select {
	case <-db.JobsChanged(store.JobSummary):
	default:
		t.Error("a new job wakes nobody")
	}
	claim := func(now time.Time) (j store.Job, err error) {
		err = db.Tx(t.Context(), func(tx *store.Tx) (err error) { j, err = tx.ClaimJob(store.JobSummary, now, time.Minute); return err })
		return j, err
	}
	j, err := claim(t0)
	if err != nil || j.Key != k || j.Attempts != 1 {
		t.Fatalf("claim: %+v, %v", j, err)
	}
	if _, err := claim(t0); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("second claim: %v", err)
	}
	again, err := claim(t0.Add(time.Minute))
	if err != nil || again.Attempts != 2 {
		t.Fatalf("claim after the lease: %+v, %v", again, err)
	}
	if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.FinishJob(j, t0) }); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("finish with a lost lease: %v", err)
	}
	tx(t, db, func(tx *store.Tx) error { return tx.HoldJob(again, "no credit") })
	if _, err := claim(t0.Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("claimed a waiting job: %v", err)
	}
	tx(t, db, func(tx *store.Tx) error {
		n, err := tx.ReleaseJobs("c1", t0.Add(time.Hour))
		if n != 1 {
			t.Errorf("released %d", n)
		}
		return err
	})
	third, err := claim(t0.Add(time.Hour))
	if err != nil || third.Attempts != 2 {
		t.Fatalf("claim after release: %+v, %v", third, err)
	}
	tx(t, db, func(tx *store.Tx) error { return tx.RetryJob(third, t0.Add(2*time.Hour), "later") })
	tx(t, db, func(tx *store.Tx) error {
		at, err := tx.NextJob(store.JobSummary)
		if !at.Equal(t0.Add(2 * time.Hour)) {
			t.Errorf("next job at %s", at)
		}
		return err
	})
	fourth, err := claim(t0.Add(2 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	tx(t, db, func(tx *store.Tx) error { return tx.FinishJob(fourth, t0) })
	if _, err := claim(t0.Add(100 * time.Hour)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("claimed a done job: %v", err)
	}
}

// 16 goroutines charge 60 sessions twice each against 50 credits in two lots.
func TestCreditsUnderConcurrency(t *testing.T) {
	db := open(t, storetest.Dir(t))
	seed(t, db, "x/0", 0)
	tx(t, db, func(tx *store.Tx) error {
		for i, n := range []int64{20, 30} {
			for range 2 { // the second one of a period adds nothing
				if _, err := tx.InsertLot(store.CreditLot{Company: "c1", Kind: "free", Period: fmt.Sprint(i), Granted: n,
					ValidFrom: t0, ExpiresAt: t0.Add(time.Duration(i+1) * time.Hour), CreatedAt: t0}); err != nil && !errors.Is(err, store.ErrExists) {
					return err
				}
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	charged, refused := map[string]int64{}, map[string]bool{}
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < 120; i += 16 {
				k := store.Key{Company: "c1", Device: "d1", Session: fmt.Sprint("s/", i%60)}
				var use store.CreditUse
				err := db.Tx(t.Context(), func(tx *store.Tx) (err error) { use, err = tx.UseCredit(k, 1, t0); return err })
				mu.Lock()
				if errors.Is(err, store.ErrNoCredit) {
					refused[k.Session] = true
				} else if err != nil {
					t.Error(err)
				} else {
					charged[k.Session] = use.Amount
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	tx(t, db, func(tx *store.Tx) error {
		n, err := tx.Balance("c1", t0)
		if n != 0 || len(charged) != 50 || len(refused) != 10 {
			t.Errorf("balance %d, charged %d, refused %d", n, len(charged), len(refused))
		}
		return err
	})
}

func TestSoonestExpiryFirst(t *testing.T) {
	db := open(t, storetest.Dir(t))
	k := seed(t, db, "x/0", 0)
	tx(t, db, func(tx *store.Tx) error {
		for period, expires := range map[string]time.Time{"never": {}, "late": t0.Add(48 * time.Hour), "soon": t0.Add(time.Hour), "gone": t0} {
			if _, err := tx.InsertLot(store.CreditLot{Company: "c1", Kind: "addon", Period: period, Granted: 1, ValidFrom: t0.Add(-time.Hour), ExpiresAt: expires, CreatedAt: t0}); err != nil {
				return err
			}
		}
		for i, want := range []string{"soon", "late", "never"} {
			k.Session = fmt.Sprint("s/", i)
			use, err := tx.UseCredit(k, 1, t0)
			if err != nil {
				return err
			}
			lots, err := tx.Lots("c1", t0)
			if err != nil {
				return err
			}
			for _, l := range lots {
				if l.ID == use.Lot && l.Period != want {
					t.Errorf("use %d from %s, want %s", i, l.Period, want)
				}
			}
		}
		k.Session = "s/9"
		if _, err := tx.UseCredit(k, 1, t0); !errors.Is(err, store.ErrNoCredit) {
			t.Errorf("charged an expired lot: %v", err)
		}
		_, err := tx.UseCredit(k, 0, t0)
		return err
	})
}

func TestRecordsOnce(t *testing.T) {
	db := open(t, storetest.Dir(t))
	k := seed(t, db, "x/1", 0)
	r := store.Record{Key: k, ID: "r1", Type: record.TypeRefusal, MadeAt: t0, ReceivedAt: t0, Envelope: []byte("e")}
	tx(t, db, func(tx *store.Tx) error { return tx.InsertRecord(r) })
	if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.InsertRecord(r) }); !errors.Is(err, store.ErrExists) {
		t.Error(err)
	}
	tx(t, db, func(tx *store.Tx) error {
		got, err := tx.Records(k)
		if len(got) != 1 || !reflect.DeepEqual(got[0], r) {
			t.Errorf("records %+v", got)
		}
		return err
	})
}

func TestSQLiteSaysWhatIsWrong(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		prepare func(dir string) string
		want    error
		hint    string
	}{
		"in use": {func(dir string) string { open(t, dir); return dir }, store.ErrInUse, "stop that server first"},
		"damaged": {func(dir string) string {
			if err := os.WriteFile(filepath.Join(dir, store.File), bytes.Repeat([]byte("no database"), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, store.ErrDamaged, "backup"},
		"page lost": {func(dir string) string {
			db, err := store.Open(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			seed(t, db, "x/1", 400)
			if err := db.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
			f, err := os.OpenFile(filepath.Join(dir, store.File), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			st, _ := f.Stat()
			// Everything behind the schema's first pages.
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(st.Size())-8192), 8192); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			return dir
		}, store.ErrDamaged, "backup"},
		"newer": {func(dir string) string {
			db, err := store.Open(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
			raw, err := sql.Open("sqlite", filepath.Join(dir, store.File))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := raw.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
				t.Fatal(err)
			}
			_ = raw.Close()
			return dir
		}, store.ErrNewer, "newer aval-summarizer"},
		"a file": {func(dir string) string {
			p := filepath.Join(dir, "file")
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return p
		}, store.ErrNotWritable, "another"},
		"another database": {func(dir string) string {
			if err := os.WriteFile(filepath.Join(dir, store.AddressFile), []byte("mysql://user:secret@db.example.com/x\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, store.ErrUnsupported, "postgres://"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.prepare(t.TempDir())
			db, err := store.Open(ctx, dir)
			if err == nil {
				_ = db.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.hint) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error: %v", err)
			}
			t.Log(err)
		})
	}
	t.Run("beside", func(t *testing.T) {
		if _, err := store.OpenBeside(ctx, t.TempDir()); !errors.Is(err, store.ErrNoStore) {
			t.Errorf("no database: %v", err)
		}
		dir := t.TempDir()
		open(t, dir)
		db, err := store.OpenBeside(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		_ = db.Close()
		if st, err := os.Stat(filepath.Join(dir, store.File)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("database mode %v, %v", st.Mode(), err)
		}
	})
}
