package link_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

func TestDelivers(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	c.connect(c.config(""))
	const session, n = "x11vnc/1", 2500
	st, _ := c.grant(session)
	for i := 0; i < n; i += 100 {
		c.append(st, c.titles(session, i, 100)...)
	}
	c.append(st, c.ended(session))
	until(t, "everything is acknowledged", func() bool { return c.acked(st) })
	once(t, stored(t, s.db, c.key(session)), n)
	got, _ := streamOf(t, s.db, c.key(session))
	if got.Acked != n+1 || got.EndedAt.IsZero() || got.EndReason != "ended" || got.JobState != store.JobReady || got.Supporter != "Ana" {
		t.Errorf("stream %+v", got)
	}
	if s := c.status(); s.Link != "connected" || s.Err != "" {
		t.Errorf("state %+v", s)
	}
	until(t, "options", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.options > 0 })
}

// Two sessions at once, and a later grant on the same stream with fewer groups.
func TestTwoSessionsAndALaterGrant(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	a, _ := c.grant("x/a")
	b, _ := c.grant("x/b")
	c.append(a, c.titles("x/a", 0, 150)...)
	c.append(b, c.titles("x/b", 0, 150)...)
	_, later := c.grant("x/a")
	c.append(a, c.titles("x/a", 150, 150)...)
	c.connect(c.config(""))
	until(t, "both", func() bool { return c.acked(a) && c.acked(b) })
	evs := stored(t, s.db, c.key("x/a"))
	once(t, evs, 300)
	once(t, stored(t, s.db, c.key("x/b")), 150)
	if evs[149].GrantID == later.ID || evs[150].GrantID != later.ID {
		t.Errorf("grants of the events: %s, then %s", evs[149].GrantID, evs[150].GrantID)
	}
}

// torture is how often the killing tests kill: AVAL_TORTURE=N for more.
func torture(n int) int {
	if v, err := strconv.Atoi(os.Getenv("AVAL_TORTURE")); err == nil && v > 0 {
		return v
	}
	return n
}

// A proxy cuts connections at random places, in both directions, some of them
// only towards the agent, so that acknowledgements are lost. To see this test
// fail, have ingest acknowledge before it stores, or the uplink go on from its
// own count instead of Opened.acked.
func TestExactlyOnceThroughCuts(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng, where := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
	cuts := torture(60)
	p := newProxy(t, s.addr, func() (up, down int64) {
		if cuts--; cuts < 0 {
			return -1, -1
		}
		up, down = 3000+where.Int64N(60_000), int64(-1)
		if where.IntN(2) == 0 { // the data arrives, the answer does not
			up, down = -1, 3200+where.Int64N(600)
		}
		return up, down
	})
	c.connect(c.config(p.addr))
	st, _ := c.grant("x/1")
	n := 0
	for p.cuts.Load() < int64(torture(60)) {
		k := 1 + rng.IntN(200)
		c.append(st, c.titles("x/1", n, k)...)
		n += k
		before := p.cuts.Load()
		until(t, "a cut or everything acknowledged", func() bool { return p.cuts.Load() > before || c.acked(st) })
	}
	until(t, "everything acknowledged", func() bool { return c.acked(st) })
	once(t, stored(t, s.db, c.key("x/1")), n)
	t.Logf("%d events over %d cuts", n, p.cuts.Load())
}

// The server's process is killed again and again. What the agent holds as
// acknowledged must be there after each kill: ingest that acknowledges before
// the commit is caught by that.
func TestExactlyOnceThroughKills(t *testing.T) {
	dir := storetest.Dir(t)
	cmd, addr := startChild(t, dir, "127.0.0.1:0")
	c := enrol(t, dir, nil)
	c.connect(c.config(""))
	st, _ := c.grant("x/1")
	n := 0
	for range torture(12) {
		for end := time.Now().Add(time.Duration(20+rand.N(150)) * time.Millisecond); time.Now().Before(end); {
			k := 1 + rand.N(40)
			c.append(st, c.titles("x/1", n, k)...)
			n += k
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		acked := c.info(st).Acked
		db, err := store.OpenBeside(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := uint64(len(stored(t, db, c.key("x/1")))); got < acked {
			t.Fatalf("%d events acknowledged, %d stored", acked, got)
		}
		_ = db.Close()
		cmd, _ = startChild(t, dir, addr)
	}
	until(t, "everything acknowledged", func() bool { return c.acked(st) })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	db, err := store.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	once(t, stored(t, db, c.key("x/1")), n)
	t.Logf("%d events", n)
}

// A week away changes nothing but the delay; after 31 days it is too late.
func TestAway(t *testing.T) {
	for days, arrives := range map[int]bool{7: true, 29: true, 31: false} {
		t.Run(fmt.Sprint(days), func(t *testing.T) {
			var ck clock
			s := startServer(t, ck.now)
			c := enrol(t, s.dir, ck.now)
			st, _ := c.grant("x/1")
			c.append(st, c.titles("x/1", 0, 100)...)
			ck.add(time.Duration(days) * 24 * time.Hour)
			c.connect(c.config(""))
			if arrives {
				until(t, "delivery", func() bool { return c.acked(st) })
				once(t, stored(t, s.db, c.key("x/1")), 100)
				return
			}
			until(t, "a complaint", func() bool { return c.status().Err != "" })
			if n := len(stored(t, s.db, c.key("x/1"))); n != 0 {
				t.Errorf("%d events stored after %d days", n, days)
			}
			t.Log(c.status().Err)
		})
	}
}

// A device whose clock is years off is noted, not refused.
func TestWrongDeviceClock(t *testing.T) {
	var ck clock
	s := startServer(t, nil)
	ck.add(-10 * 365 * 24 * time.Hour)
	c := enrol(t, s.dir, ck.now)
	st, _ := c.grant("x/1")
	c.append(st, c.titles("x/1", 0, 10)...)
	c.connect(c.config(""))
	until(t, "delivery", func() bool { return c.acked(st) })
	err := s.db.View(t.Context(), func(tx *store.Tx) error {
		d, err := tx.Device(c.enr.Company, c.enr.Device)
		if d.ClockSkew > -9*365*24*time.Hour {
			t.Errorf("clock skew noted as %s", d.ClockSkew)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Records are kept with what they do: an objection shows, a withdrawal ends the
// stream, an erasure takes the content away.
func TestRecords(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	c.connect(c.config(""))
	head := func(g record.Grant) record.Head {
		return record.Head{V: 1, ID: fmt.Sprintf("R%06d", ids.Add(1)), At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
	}
	delivered := func() {
		t.Helper()
		until(t, "records delivered", func() bool {
			list, err := c.store.PendingRecords(c.enr.Company, 100)
			return err == nil && len(list) == 0
		})
	}
	deliver := func(session string) (g record.Grant) {
		t.Helper()
		st, g := c.grant(session)
		c.append(st, c.titles(session, 0, 20)...)
		until(t, "events", func() bool { return c.acked(st) })
		return g
	}

	g := deliver("x/objected")
	h := head(g)
	c.record(h, record.TypeObjection, record.Objection{Head: h, Grant: g.ID})
	delivered()
	if st, _ := streamOf(t, s.db, c.key("x/objected")); st.ObjectedAt.IsZero() || st.Acked != 20 {
		t.Errorf("objected stream %+v", st)
	}

	g = deliver("x/withdrawn")
	h = head(g)
	c.record(h, record.TypeWithdrawal, record.Withdrawal{Head: h, Grant: g.ID, LastSeq: 20, By: "person"})
	delivered()
	if st, _ := streamOf(t, s.db, c.key("x/withdrawn")); st.WithdrawnAt.IsZero() || st.JobState != store.JobReady || len(stored(t, s.db, c.key("x/withdrawn"))) != 20 {
		t.Errorf("withdrawn stream %+v", st)
	}

	g = deliver("x/erased")
	err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertSummary(store.Summary{Key: c.key("x/erased"), JSON: "{}", Engine: "rules", Lang: "en", CreatedAt: time.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h = head(g)
	c.record(h, record.TypeErasure, record.Erasure{Head: h, Grant: g.ID, Copies: []consent.Copy{{Where: consent.CopyHere, Fate: consent.FateErased}}})
	delivered()
	st, _ := streamOf(t, s.db, c.key("x/erased"))
	if st.ErasedAt.IsZero() || st.SummaryVersion != 0 || st.JobState != "" || len(stored(t, s.db, c.key("x/erased"))) != 0 {
		t.Errorf("erased stream %+v", st)
	}

	g = c.body("x/refused")
	h = g.Head
	c.record(h, record.TypeRefusal, record.Refusal{Head: h, Decided: g.Decided})
	delivered()
	err = s.db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.AllRecords(c.enr.Company)
		if len(list) != 4 {
			t.Errorf("%d records", len(list))
		}
		if _, ok := streamOf(t, s.db, c.key("x/refused")); ok {
			t.Error("a refusal made a stream")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An idle link wakes for nothing but pings: its state is not told again.
func TestStopsInOrder(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	_, stop := c.connect(c.config(""))
	until(t, "connected", func() bool { return c.status().Link == "connected" && s.in.Connected() == 1 })
	stop()
	until(t, "gone", func() bool { return s.in.Connected() == 0 })
	_, _ = c.connect(c.config(""))
	until(t, "connected", func() bool { return s.in.Connected() == 1 })
	done := make(chan struct{})
	go func() { _ = s.in.Close(); _ = s.in.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not stop while a device is connected")
	}
}
