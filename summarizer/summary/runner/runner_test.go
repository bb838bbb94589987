package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/credit"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
)

func open(t *testing.T, tier string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := sample.Fill(t.Context(), db, "pt-BR"); err != nil {
		t.Fatal(err)
	}
	tx(t, db, func(x *store.Tx) error {
		c, err := x.Company(sample.Company)
		if err != nil {
			return err
		}
		c.Tier = tier
		return x.UpdateCompany(c)
	})
	return db
}

func tx(t *testing.T, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, db *store.DB, s summary.Session) store.Key {
	t.Helper()
	k, err := sample.Store(t.Context(), db, sample.Company, s, sample.Start)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// short is a session that has ended.
func short(id string) summary.Session {
	s := sample.New(id, "tool", "Ana").Add(time.Second, event.Note, "text", "resolvido").End("ended")
	s.Engine = "model-x"
	return s
}

// clock is a clock that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

// only is a server whose companies all use e.
func only(e runner.Engine) func(*store.Tx, store.Company) (runner.Engine, error) {
	return func(*store.Tx, store.Company) (runner.Engine, error) { return e, nil }
}

// broken is an engine with rules for when it works.
type broken struct {
	fail func(n int) error // of the nth call, from 1
	n    int
}

func (*broken) Name() string { return "model-x" }

func (b *broken) Write(_ context.Context, s summary.Session, lang string) (summary.Summary, error) {
	b.n++
	if err := b.fail(b.n); err != nil {
		return summary.Summary{}, err
	}
	out := summary.Rules(s, lang)
	out.Engine = "model-x"
	return out, nil
}

var quiet = slog.New(slog.DiscardHandler)

func drain(t *testing.T, r *runner.Runner) {
	t.Helper()
	for {
		worked, err := r.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !worked {
			return
		}
	}
}

type seen struct {
	job      store.Job
	summary  *store.Summary
	versions int
	use      *store.CreditUse
	left     int64
	audits   int
}

func look(t *testing.T, db *store.DB, k store.Key, now time.Time) (s seen) {
	t.Helper()
	err := db.View(t.Context(), func(x *store.Tx) (err error) {
		if s.job, err = x.Job(store.JobSummary, k); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if v, err := x.Summary(k); err == nil {
			s.summary = &v
		}
		all, err := x.Summaries(k)
		if err != nil {
			return err
		}
		s.versions = len(all)
		if u, err := x.CreditUse(k); err == nil {
			s.use = &u
		}
		rows, err := x.Audits(sample.Company, store.AuditFilter{Max: 1000})
		if err != nil {
			return err
		}
		for _, a := range rows {
			if a.Action == "summary-written" && a.Subject == k.Ref() {
				s.audits++
			}
		}
		s.left, err = x.Balance(sample.Company, now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOneSummaryASession(t *testing.T) {
	db := open(t, "self-hosted")
	k := put(t, db, sample.Printer("pt-BR"))
	c := &clock{t: sample.Start.Add(time.Hour)}
	r := runner.New(db, runner.Options{Now: c.now, Log: quiet})
	drain(t, r)
	drain(t, r)
	got := look(t, db, k, c.now())
	if got.summary == nil || got.versions != 1 || got.audits != 1 || got.job.State != store.JobDone || got.use == nil || got.use.Amount != 0 || got.left != 50 {
		t.Fatalf("%+v", got)
	}
	var s summary.Summary
	if err := json.Unmarshal([]byte(got.summary.JSON), &s); err != nil || s.Language != "pt-BR" || s.Engine != "rules" || got.summary.Lang != "pt-BR" || !strings.Contains(s.Text, "impressora") {
		t.Errorf("%+v %v", s, err)
	}
}

// TestWaitsForCredit: the sixth session of a month waits, nothing of it is lost,
// and the next month or a pack brings its summary.
func TestWaitsForCredit(t *testing.T) {
	for name, topUp := range map[string]func(t *testing.T, db *store.DB, c *clock){
		"month": func(_ *testing.T, _ *store.DB, c *clock) { c.add(11 * 24 * time.Hour) },
		"pack": func(t *testing.T, db *store.DB, c *clock) {
			tx(t, db, func(x *store.Tx) error {
				co, err := x.Company(sample.Company)
				if err != nil {
					return err
				}
				today := credit.DayOf(c.now(), time.UTC)
				if err := credit.SetLicence(x, co, "user:1", co.Tier, credit.Licence{Starts: today, Renews: today.AddYears(1)}, c.now()); err != nil {
					return err
				}
				_, err = credit.Order(x, co, "user:1", "ai-100", "order-1", c.now())
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, "business")
			var keys []store.Key
			for i := range 6 {
				keys = append(keys, put(t, db, short(fmt.Sprint("t/", i))))
			}
			c := &clock{t: sample.Start.Add(time.Hour)}
			r := runner.New(db, runner.Options{Now: c.now, Log: quiet})
			drain(t, r)
			waiting := 0
			var last store.Key
			for _, k := range keys {
				if got := look(t, db, k, c.now()); got.summary == nil {
					waiting++
					last = k
					if got.job.State != store.JobWaiting || got.use != nil || got.left != 0 || got.job.Attempts != 0 {
						t.Errorf("%+v", got)
					}
				}
			}
			if waiting != 1 {
				t.Fatalf("%d sessions wait", waiting)
			}
			topUp(t, db, c)
			drain(t, r)
			if got := look(t, db, last, c.now()); got.summary == nil || got.use == nil || got.use.Amount != 1 {
				t.Errorf("after topping up: %+v", got)
			}
		})
	}
}

// TestFailureCostsNothing: a failing engine is tried again with longer and
// longer rests, then given up, and somebody can ask for it again.
func TestFailureCostsNothing(t *testing.T) {
	db := open(t, "business")
	k := put(t, db, short("t/1"))
	c := &clock{t: sample.Start.Add(time.Hour)}
	e := &broken{fail: func(n int) error {
		if n == 3 {
			panic("captured words") // must not be told on
		}
		return errors.New("the model does not answer")
	}}
	r := runner.New(db, runner.Options{Engine: only(e), Now: c.now, Log: quiet})
	for n := 1; n <= runner.MaxAttempts; n++ {
		drain(t, r)
		got := look(t, db, k, c.now())
		if e.n != n || got.summary != nil || got.use != nil || got.left != 5 || got.job.LastError == "" || strings.Contains(got.job.LastError, "captured") {
			t.Fatalf("attempt %d (%d calls): %+v", n, e.n, got)
		}
		c.add(runner.Backoff(int64(n)) - time.Second)
		drain(t, r)
		if e.n != n {
			t.Fatalf("attempt %d came too early", n+1)
		}
		c.add(time.Second)
	}
	if got := look(t, db, k, c.now()); got.job.State != store.JobFailed {
		t.Fatalf("%+v", got.job)
	}
	e.fail = func(int) error { return nil }
	tx(t, db, func(x *store.Tx) error { return x.RestartJob(store.JobSummary, k, c.now()) })
	drain(t, r)
	if got := look(t, db, k, c.now()); got.summary == nil || got.use == nil || got.use.Amount != 1 || got.left != 4 || got.summary.Engine != "model-x" {
		t.Errorf("%+v", got)
	}
	// Written again, it costs nothing more.
	tx(t, db, func(x *store.Tx) error { return x.RestartJob(store.JobSummary, k, c.now()) })
	drain(t, r)
	if got := look(t, db, k, c.now()); got.versions != 2 || got.left != 4 {
		t.Errorf("%+v", got)
	}
}

// TestErased: what is erased while the engine writes gets no summary.
func TestErased(t *testing.T) {
	db := open(t, "business")
	k := put(t, db, short("t/1"))
	c := &clock{t: sample.Start.Add(time.Hour)}
	e := &broken{fail: func(int) error {
		tx(t, db, func(x *store.Tx) error { _, err := x.EraseStream(k, c.now()); return err })
		return nil
	}}
	drain(t, runner.New(db, runner.Options{Engine: only(e), Now: c.now, Log: quiet}))
	if got := look(t, db, k, c.now()); e.n != 1 || got.summary != nil || got.use != nil || got.left != 5 || got.audits != 0 {
		t.Errorf("%+v", got)
	}
}

// TestLostLease: a worker that was too slow stores nothing; the one that took
// over does, once.
func TestLostLease(t *testing.T) {
	db := open(t, "business")
	k := put(t, db, short("t/1"))
	c := &clock{t: sample.Start.Add(time.Hour)}
	other := runner.New(db, runner.Options{Now: c.now, Log: quiet})
	slow := &broken{fail: func(int) error {
		c.add(runner.Lease + time.Second)
		drain(t, other)
		return nil
	}}
	drain(t, runner.New(db, runner.Options{Engine: only(slow), Now: c.now, Log: quiet}))
	if got := look(t, db, k, c.now()); got.versions != 1 || got.summary.Engine != "rules" || got.audits != 1 || got.left != 4 {
		t.Errorf("%+v", got)
	}
}

// TestKilled: a server that dies in the middle leaves a lease; after it the
// next one does the work.
func TestKilled(t *testing.T) {
	db := open(t, "business")
	k := put(t, db, short("t/1"))
	c := &clock{t: sample.Start.Add(time.Hour)}
	ctx, kill := context.WithCancel(t.Context())
	dying := &broken{fail: func(int) error { kill(); return errors.New("killed") }}
	_, _ = runner.New(db, runner.Options{Engine: only(dying), Now: c.now, Log: quiet}).Step(ctx)
	next := runner.New(db, runner.Options{Now: c.now, Log: quiet})
	drain(t, next)
	if got := look(t, db, k, c.now()); got.summary != nil {
		t.Fatal("the lease does not hold")
	}
	c.add(runner.Lease)
	drain(t, next)
	if got := look(t, db, k, c.now()); got.versions != 1 || got.left != 4 {
		t.Errorf("%+v", got)
	}
}

// TestUnknownTier: one company's wrong tier stops neither the others nor the runner.
func TestUnknownTier(t *testing.T) {
	db := open(t, "platinum")
	k := put(t, db, short("t/1"))
	c := &clock{t: sample.Start.Add(time.Hour)}
	drain(t, runner.New(db, runner.Options{Now: c.now, Log: quiet}))
	if got := look(t, db, k, c.now()); got.summary != nil || !strings.Contains(got.job.LastError, "platinum") || got.job.State != store.JobReady {
		t.Errorf("%+v", got.job)
	}
}

// TestRun: a job that is added while the runner rests is done without waiting
// for the poll.
func TestRun(t *testing.T) {
	db := open(t, "self-hosted")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- runner.New(db, runner.Options{Log: quiet}).Run(ctx) }()
	k := put(t, db, short("t/1"))
	for end := time.Now().Add(10 * time.Second); look(t, db, k, time.Now()).summary == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no summary")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
