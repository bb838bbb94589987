package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// holds checks that the summarizer has stored exactly so many grants and events.
func holds(t *testing.T, s *server, grants, events int) {
	t.Helper()
	n := 0
	err := s.db.View(context.Background(), func(tx *store.Tx) error {
		list, err := tx.AllGrants(s.co.ID())
		if err != nil {
			return err
		}
		if len(list) != grants {
			t.Errorf("%d grants stored, want %d", len(list), grants)
		}
		seen := map[store.Key]bool{}
		for _, g := range list {
			if seen[g.Key] {
				continue
			}
			seen[g.Key] = true
			evs, err := tx.Events(g.Key, 0, 0)
			if err != nil {
				return err
			}
			n += len(evs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != events {
		t.Errorf("%d events stored, want %d", n, events)
	}
}

func TestProof(t *testing.T) {
	s := startServer(t, nil)
	d, other := enrol(t, s.dir, nil), enrol(t, s.dir, nil)
	first := dialRaw(t, s.addr)
	for name, row := range map[string]struct {
		change func(c *rawConn, h *wire.Hello)
		want   string
	}{
		"right":                       {func(*rawConn, *wire.Hello) {}, ""},
		"replayed from a connection":  {func(_ *rawConn, h *wire.Hello) { h.Proof = first.hello(d).Proof }, "proof"},
		"challenge of another":        {func(c *rawConn, h *wire.Hello) { c.nonce = first.nonce; h.Proof = c.hello(d).Proof }, "proof"},
		"another device's name":       {func(_ *rawConn, h *wire.Hello) { h.Device = other.enr.Device }, "unknown-device"},
		"another device's key id too": {func(c *rawConn, h *wire.Hello) { h.Device, h.KeyId = other.enr.Device, c.hello(other).KeyId }, "proof"},
		"another company":             {func(_ *rawConn, h *wire.Hello) { h.Company = "other" }, "unknown-device"},
		"unknown device":              {func(_ *rawConn, h *wire.Hello) { h.Device = "nobody" }, "unknown-device"},
		"no proof":                    {func(_ *rawConn, h *wire.Hello) { h.Proof = nil }, "proof"},
		"another version":             {func(_ *rawConn, h *wire.Hello) { h.Version = 2 }, "version"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, s.addr)
			h := c.hello(d)
			row.change(c, h)
			if got := c.code(&wire.Frame{Body: &wire.Frame_Hello{Hello: h}}); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
	t.Run("a batch before the hello", func(t *testing.T) {
		c := dialRaw(t, s.addr)
		f, _ := signed(d, batchOf(d.body("x/1"), 1, nil, d.title("x/1", 0)))
		if got := c.code(f); got != "protocol" {
			t.Errorf("%q", got)
		}
	})
	t.Run("text", func(t *testing.T) {
		c := welcome(t, s.addr, d)
		c.bytes(websocket.TextMessage, []byte("{}"))
		if f, err := c.recv(); err == nil && f.GetRefused().GetCode() != "protocol" {
			t.Errorf("%v", f)
		}
	})
	t.Run("longer than a frame may be", func(t *testing.T) {
		c := welcome(t, s.addr, d)
		c.bytes(websocket.BinaryMessage, make([]byte, wire.MaxFrame+1))
		if f, err := c.recv(); err == nil {
			t.Errorf("%v", f)
		}
	})
	holds(t, s, 0, 0)
}

// revoke takes effect on the next frame of an open connection, and on the next
// hello; an idle connection is ended by the next ping.
func TestRevoked(t *testing.T) {
	s, err := listen(storetest.Dir(t), "127.0.0.1:0", nil, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	d, idle := enrol(t, s.dir, nil), enrol(t, s.dir, nil)
	idle.connect(idle.config(""))
	until(t, "connected", func() bool { return idle.status().Link == "connected" })
	g := d.body("x/1")
	c := welcome(t, s.addr, d)
	if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != "" {
		t.Fatal(got)
	}
	err = s.db.Tx(t.Context(), func(tx *store.Tx) error {
		for _, x := range []*computer{d, idle} {
			if err := tx.RevokeDevice(x.enr.Company, x.enr.Device, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := signed(d, batchOf(g, 1, nil, d.title("x/1", 0)))
	if got := c.code(f); got != "unknown-device" && got != "closed" {
		t.Errorf("batch of a revoked device: %q", got)
	}
	c = dialRaw(t, s.addr)
	if got := c.code(&wire.Frame{Body: &wire.Frame_Hello{Hello: c.hello(d)}}); got != "unknown-device" {
		t.Errorf("hello of a revoked device: %q", got)
	}
	until(t, "the idle one is turned away", func() bool { return idle.status().Link == "refused" })
	t.Log(idle.status().Err)
	holds(t, s, 1, 0)
}

// A device that is heard of no more is let go of, while one that answers pings and
// says nothing else stays. It takes half a minute, for that is how long an answer may
// take. Planted: without the look at heard in tick the first stayed; without its being
// set in next the second went.
func TestSilent(t *testing.T) {
	s, err := listen(t.TempDir(), "127.0.0.1:0", nil, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	ended := func(c *rawConn) <-chan error {
		out := make(chan error, 1)
		go func() {
			_ = c.ws.SetReadDeadline(time.Now().Add(3 * patience))
			for {
				if _, _, err := c.ws.ReadMessage(); err != nil {
					out <- err
					return
				}
			}
		}()
		return out
	}
	silent, there := welcome(t, s.addr, enrol(t, s.dir, nil)), welcome(t, s.addr, enrol(t, s.dir, nil))
	silent.ws.SetPingHandler(func(string) error { return nil })
	pings := make(chan struct{}, 1)
	there.ws.SetPingHandler(func(data string) error {
		select {
		case pings <- struct{}{}:
		default:
		}
		return there.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(patience))
	})
	gone, stays := ended(silent), ended(there)
	var late net.Error
	if err := <-gone; errors.As(err, &late) && late.Timeout() {
		t.Fatalf("it was kept: %v", err)
	}
	for range 3 { // the first may have been sent before
		select {
		case <-pings:
		case err := <-stays:
			t.Fatalf("one that answers was let go of: %v", err)
		}
	}
}

// TestBatchRules sends one wrong thing after the other on connections of their
// own; nothing of any is stored, and the same thing put right is.
func TestBatchRules(t *testing.T) {
	s := startServer(t, nil)
	d, other := enrol(t, s.dir, nil), enrol(t, s.dir, nil)
	ev := func(k event.Kind, at time.Duration, fields ...string) event.Event {
		e := event.Event{Kind: k, At: time.Now().UTC().Add(at), Fields: map[string]string{}}
		for i := 0; i+1 < len(fields); i += 2 {
			e.Fields[fields[i]] = fields[i+1]
		}
		return e
	}
	ok := ev(event.WindowFocused, 0, "title", "a")
	n := 0
	for _, row := range []struct {
		name string
		make func(g record.Grant) (*wire.Batch, *wire.Frame)
		want string
	}{
		{"right", func(g record.Grant) (*wire.Batch, *wire.Frame) { return batchOf(g, 1, nil, ok), nil }, ""},
		{"a kind that was not granted", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ok, ev(event.CommandRun, 0, "program", "sh")), nil
		}, "not-covered"},
		{"a field that was not granted", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.ProgramStarted, 0, "program", "sh", "command", "sh -c x")), nil
		}, "not-covered"},
		{"an unknown kind", func(g record.Grant) (*wire.Batch, *wire.Frame) { return batchOf(g, 1, nil, ev("keys", 0)), nil }, "bad-event"},
		{"an unknown field", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.WindowFocused, 0, "picture", "x")), nil
		}, "bad-event"},
		{"a value too long", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.WindowFocused, 0, "title", strings.Repeat("x", 301))), nil
		}, "bad-event"},
		{"a value outside its list", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.ChatMessage, 0, "from", "robot", "text", "x")), nil
		}, "bad-event"},
		{"fields out of order", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			b := batchOf(g, 1, nil, ok)
			b.Events[0].Fields = []*wire.Field{{Name: "title"}, {Name: "app"}}
			return b, nil
		}, "bad-event"},
		{"before the grant", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.WindowFocused, -2*time.Minute)), nil
		}, "outside-grant"},
		{"after the grant", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.WindowFocused, 2*time.Hour)), nil
		}, "outside-grant"},
		{"the end after the grant", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, nil, ev(event.SessionEnded, 2*time.Hour, "reason", "lost")), nil
		}, ""},
		{"a hole", func(g record.Grant) (*wire.Batch, *wire.Frame) { return batchOf(g, 2, nil, ok), nil }, "sequence"},
		{"sequence 0", func(g record.Grant) (*wire.Batch, *wire.Frame) { return batchOf(g, 0, nil, ok), nil }, "malformed"},
		{"a sequence beyond counting", func(g record.Grant) (*wire.Batch, *wire.Frame) { return batchOf(g, 1<<63, nil, ok), nil }, "malformed"},
		{"no event", func(g record.Grant) (*wire.Batch, *wire.Frame) { return batchOf(g, 1, nil), nil }, "malformed"},
		{"too many events", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			evs := make([]event.Event, wire.MaxBatchEvents+1)
			for i := range evs {
				evs[i] = ok
			}
			return batchOf(g, 1, nil, evs...), nil
		}, "malformed"},
		{"a previous hash where there is none", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			return batchOf(g, 1, make([]byte, 32), ok), nil
		}, "chain"},
		{"another session", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			b := batchOf(g, 1, nil, ok)
			b.Session = "x/other"
			return b, nil
		}, "other-session"},
		{"a grant that was not announced", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			b := batchOf(g, 1, nil, ok)
			b.GrantId = "G999999"
			return b, nil
		}, "unknown-grant"},
		{"another device's signature", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(other, batchOf(g, 1, nil, ok))
			return nil, f
		}, "unknown-key"},
		{"a signature over something else", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(d, batchOf(g, 1, nil, ok))
			h, _ := signed(d, batchOf(g, 1, nil, ok, ok))
			f.GetBatch().Signature = h.GetBatch().Signature
			return nil, f
		}, "signature"},
		{"no signature", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(d, batchOf(g, 1, nil, ok))
			f.GetBatch().Signature = nil
			return nil, f
		}, "signature"},
		{"a signature of another type", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(d, batchOf(g, 1, nil, ok))
			f.GetBatch().Signature, _ = record.SignBytes(d.store.DeviceKey(), record.TypeProof, f.GetBatch().Batch)
			return nil, f
		}, "signature"},
		{"no zstd", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(d, batchOf(g, 1, nil, ok))
			f.GetBatch().Compression = wire.Compression_ZSTD
			return nil, f
		}, "malformed"},
		{"a zstd bomb", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(d, batchOf(g, 1, nil, ok))
			f.GetBatch().Compression, f.GetBatch().Batch = wire.Compression_ZSTD, bomb(t)
			return nil, f
		}, "malformed"},
		{"an unknown compression", func(g record.Grant) (*wire.Batch, *wire.Frame) {
			f, _ := signed(d, batchOf(g, 1, nil, ok))
			f.GetBatch().Compression = 7
			return nil, f
		}, "malformed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			n++
			g := d.body(fmt.Sprintf("x/%d", n))
			c := welcome(t, s.addr, d)
			if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != "" {
				t.Fatalf("open: %q", got)
			}
			b, f := row.make(g)
			if f == nil {
				f, _ = signed(d, b)
			}
			if got := c.code(f); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			want := 0
			if row.want == "" {
				want = len(b.Events)
			}
			if evs := stored(t, s.db, d.key(g.Session)); len(evs) != want {
				t.Errorf("%d events stored, want %d", len(evs), want)
			}
		})
	}
}

func TestSequenceAndEquivocation(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	g := d.body("x/1")
	c := welcome(t, s.addr, d)
	raw := sign(d, record.TypeGrant, g)
	if got := c.code(openFrame(raw)); got != "" {
		t.Fatal(got)
	}
	evs := d.titles("x/1", 0, 6)
	f1, h1 := signed(d, batchOf(g, 1, nil, evs[:3]...))
	f2, _ := signed(d, batchOf(g, 4, h1, evs[3:]...))
	wrongChain, _ := signed(d, batchOf(g, 4, make([]byte, 32), evs[3:]...))
	other := d.titles("x/1", 100, 3)
	// Each differs from what is stored in one thing alone.
	differs := func(change func(*event.Event)) *wire.Frame {
		changed := append([]event.Event(nil), evs[:3]...)
		change(&changed[1])
		f, _ := signed(d, batchOf(g, 1, nil, changed...))
		return f
	}
	title := differs(func(e *event.Event) { e.Fields = map[string]string{"title": "another"} })
	more := differs(func(e *event.Event) {
		e.Fields = map[string]string{"title": e.Fields["title"], "app": ""}
	})
	moment := differs(func(e *event.Event) { e.At = e.At.Add(1) })
	kind := differs(func(e *event.Event) { e.Kind, e.Fields = event.Gap, nil })
	half, _ := signed(d, batchOf(g, 3, nil, append([]event.Event{evs[2]}, other...)...))
	for i, step := range []struct {
		f    *wire.Frame
		want string
	}{
		{f1, ""}, {f1, ""}, // said twice: harmless
		{wrongChain, "chain"}, {title, "equivocation"}, {moment, "equivocation"}, {kind, "equivocation"}, {more, "equivocation"},
		{half, "sequence"}, {f2, ""}, {f2, ""}, {f1, ""}, {title, "equivocation"},
	} {
		if got := c.code(step.f); got != step.want {
			t.Fatalf("step %d: %q, want %q", i, got, step.want)
		}
	}
	once(t, stored(t, s.db, d.key("x/1")), 6)
	// The same id of a grant with other bytes.
	g2 := g
	g2.Supporter = "Eve"
	if got := c.code(openFrame(sign(d, record.TypeGrant, g2))); got != "equivocation" {
		t.Errorf("another grant of the same id: %q", got)
	}
	if got := c.code(openFrame(raw)); got != "" {
		t.Errorf("the same grant again: %q", got)
	}
	err := s.db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Audits(s.co.ID(), store.AuditFilter{Max: 100})
		n := 0
		for _, a := range list {
			if a.Action == "rejected-equivocation" && a.Subject == g.ID {
				n++
			}
		}
		if n != 6 {
			t.Errorf("%d audit rows of equivocation", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWithdrawnAtTheServer(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	withdrawal := func(g record.Grant, erase bool) *wire.Frame {
		h := record.Head{V: 1, ID: fmt.Sprintf("R%06d", ids.Add(1)), At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
		return &wire.Frame{Body: &wire.Frame_Record{Record: &wire.Record{Id: h.ID,
			Envelope: sign(d, record.TypeWithdrawal, record.Withdrawal{Head: h, Grant: g.ID, Erase: erase, By: "person"})}}}
	}
	for _, erase := range []bool{false, true} {
		t.Run(fmt.Sprintf("erase=%v", erase), func(t *testing.T) {
			g := d.body(fmt.Sprintf("x/%v", erase))
			c := welcome(t, s.addr, d)
			c.code(openFrame(sign(d, record.TypeGrant, g)))
			f1, h1 := signed(d, batchOf(g, 1, nil, d.title(g.Session, 0)))
			f2, _ := signed(d, batchOf(g, 2, h1, d.title(g.Session, 1)))
			if got := c.code(f1); got != "" {
				t.Fatal(got)
			}
			if got := c.code(withdrawal(g, erase)); got != "" {
				t.Fatal(got)
			}
			want, left := "withdrawn", 1
			if erase {
				want, left = "erased", 0
			}
			if got := c.code(f2); got != want {
				t.Errorf("a batch after the withdrawal: %q, want %q", got, want)
			}
			if n := len(stored(t, s.db, d.key(g.Session))); n != left {
				t.Errorf("%d events stored, want %d", n, left)
			}
			if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != "equivocation" && got != "withdrawn" {
				t.Errorf("the grant again: %q", got)
			}
		})
	}
	t.Run("before its grant", func(t *testing.T) {
		g := d.body("x/early")
		c := welcome(t, s.addr, d)
		if got := c.code(withdrawal(g, false)); got != "" {
			t.Fatal(got)
		}
		if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != "withdrawn" {
			t.Errorf("%q", got)
		}
	})
}

func TestBadRecords(t *testing.T) {
	s := startServer(t, nil)
	d, other := enrol(t, s.dir, nil), enrol(t, s.dir, nil)
	g := d.body("x/1")
	h := record.Head{V: 1, ID: "R1", At: time.Now().UTC(), Company: d.enr.Company, Device: d.enr.Device, Session: "x/1"}
	frame := func(id string, raw []byte) *wire.Frame {
		return &wire.Frame{Body: &wire.Frame_Record{Record: &wire.Record{Id: id, Envelope: raw}}}
	}
	with := func(change func(*record.Head)) record.Objection {
		o := record.Objection{Head: h, Grant: g.ID}
		change(&o.Head)
		return o
	}
	for name, row := range map[string]struct {
		f    *wire.Frame
		want string
	}{
		"another company":    {frame("R1", sign(d, record.TypeObjection, with(func(h *record.Head) { h.Company = "c2" }))), "other-company"},
		"another device":     {frame("R1", sign(d, record.TypeObjection, with(func(h *record.Head) { h.Device = other.enr.Device }))), "other-device"},
		"another id":         {frame("R2", sign(d, record.TypeObjection, with(func(*record.Head) {}))), "bad-record"},
		"another's key":      {frame("R1", sign(other, record.TypeObjection, with(func(*record.Head) {}))), "unknown-key"},
		"a grant as record":  {frame(g.ID, sign(d, record.TypeGrant, g)), "bad-record"},
		"an unknown field":   {frame("R1", sign(d, record.TypeObjection, map[string]any{"v": 1, "surprise": true})), "bad-record"},
		"the wrong type":     {frame("R1", sign(d, record.TypeErasure, with(func(*record.Head) {}).Head)), "bad-record"},
		"no envelope":        {frame("R1", []byte("x")), "bad-record"},
		"an id that is text": {frame("R 1\n", sign(d, record.TypeObjection, with(func(h *record.Head) { h.ID = "R 1\n" }))), "bad-record"},
		"right":              {frame("R1", sign(d, record.TypeObjection, with(func(*record.Head) {}))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := welcome(t, s.addr, d).code(row.f); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// What was refused is in no file of the summarizer's folder and not in
// its database; what was accepted
// is found by the same search.
func TestRefusedTextIsNowhere(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	g := d.body("x/1")
	c := welcome(t, s.addr, d)
	c.code(openFrame(sign(d, record.TypeGrant, g)))
	canary := d.title("x/1", 0)
	canary.Fields = map[string]string{"title": "canary-refused"}
	late := canary
	late.At = canary.At.Add(3 * time.Hour)
	f, _ := signed(d, batchOf(g, 1, nil, canary, late))
	if got := c.code(f); got != "outside-grant" {
		t.Fatal(got)
	}
	canary.Fields = map[string]string{"title": "canary-accepted"}
	f, _ = signed(d, batchOf(g, 1, nil, canary))
	if got := c.code(f); got != "" {
		t.Fatal(got)
	}
	all := storetest.Content(t, s.dir)
	found := map[string]int{}
	for _, w := range []string{"canary-refused", "canary-accepted"} {
		found[w] = bytes.Count(all, []byte(w))
	}
	if found["canary-accepted"] == 0 {
		t.Error("the search does not find what is there")
	}
	if found["canary-refused"] != 0 {
		t.Errorf("refused text is stored %d times", found["canary-refused"])
	}
}
