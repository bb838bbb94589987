package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary"
)

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is one company with one computer, and a hub that may speak to loopback.
type house struct {
	*testing.T
	db    *store.DB
	hub   *integration.Hub
	co    *integration.Company
	clock *clock
	key   store.Key
}

func open(t *testing.T) *house {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	// The store stamps jobs with the time of the day: the clock of the hub is ahead of it.
	h := &house{T: t, db: db, clock: &clock{at: time.Now().Add(time.Minute)}, key: store.Key{Company: "c1", Device: "d1", Session: "x11vnc/1"}}
	h.hub, err = integration.New(db, integration.Options{Allow: []string{"127.0.0.1"}, Server: "https://aval.example.com", Now: h.clock.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h.co = h.hub.Of("c1", "user:u1")
	h.tx(func(t *store.Tx) error {
		if err := t.InsertCompany(store.Company{ID: "c1", Name: "Example Support", Tier: "business", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: h.clock.now()}); err != nil {
			return err
		}
		return t.InsertDevice(store.Device{ID: "d1", Company: "c1", Name: "desk", AgentVersion: "1", EnrolledAt: h.clock.now()}, "k1", make([]byte, 32))
	})
	return h
}

func (h *house) tx(f func(*store.Tx) error) {
	h.Helper()
	if err := h.db.Tx(h.Context(), f); err != nil {
		h.Fatal(err)
	}
}

// session begins a session, ends it and keeps a summary of it.
func (h *house) session() {
	now := h.clock.now()
	h.tx(func(t *store.Tx) error {
		if err := t.InsertStream(store.Stream{Key: h.key, Tool: "x11vnc", Supporter: "Ana", Direction: "outgoing", Basis: "consent", Provenance: "P2",
			Groups: []event.Group{event.Windows}, StartedAt: now, OpenedAt: now}); err != nil {
			return err
		}
		if err := t.InsertGrant(store.Grant{Key: h.key, ID: "g-" + h.key.Session, KeyID: "k1", Envelope: []byte("{}"), Basis: "consent", Provenance: "P2", MadeAt: now, NotBefore: now,
			Expires: now.Add(time.Hour), ReceivedAt: now}); err != nil {
			return err
		}
		return t.EndStream(h.key, now.Add(10*time.Minute), "disconnected")
	})
	h.summary("Printer repaired", "")
}

func (h *house) summary(name, author string) {
	raw, _ := json.Marshal(summary.Summary{Name: name, Text: "canary: the printer was stuck. [code]<b>x</b>[/code]", Language: "en", Engine: "rules",
		Steps: []summary.Step{{Application: "Terminal", Action: "restarted the queue", Commands: []string{"lprm -"}}}})
	h.tx(func(t *store.Tx) error {
		_, err := t.InsertSummary(store.Summary{Key: h.key, JSON: string(raw), Engine: "rules", Lang: "en", Author: author, CreatedAt: h.clock.now()})
		return err
	})
}

func (h *house) create(kind string, c integration.Config, s integration.Secrets, events ...string) (integration.Endpoint, string) {
	h.Helper()
	e, secret, err := h.co.Create(h.Context(), integration.Endpoint{Kind: kind, Name: "test", Config: c, Events: events, Enabled: true}, s)
	if err != nil {
		h.Fatal(err)
	}
	return e, secret
}

// work makes all that is due.
func (h *house) work() {
	h.Helper()
	for range 500 {
		worked, err := h.hub.Step(h.Context())
		if err != nil {
			h.Fatal(err)
		}
		if !worked {
			return
		}
	}
	h.Fatal("there is no end of it")
}

func (h *house) deliveries() []store.Delivery {
	h.Helper()
	list, err := h.co.Deliveries(h.Context(), "", "", "", 100)
	if err != nil {
		h.Fatal(err)
	}
	return list
}

// hook is a webhook's receiver.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer func(n int, w http.ResponseWriter)
}

type received struct {
	header http.Header
	body   []byte
}

func newHook(t *testing.T, answer func(n int, w http.ResponseWriter)) *hook {
	h := &hook{answer: answer}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.got = append(h.got, received{r.Header.Clone(), body})
		n := len(h.got)
		h.mu.Unlock()
		if h.answer != nil {
			h.answer(n, w)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) all() []received {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]received{}, h.got...)
}

// What happens in a session is told in its order, each thing once, and without a
// word of what was captured. To see it fail: without the call of tell in
// EndStream the list below lacks session.ended.
func TestEverythingIsTold(t *testing.T) {
	h := open(t)
	hook := newHook(t, nil)
	h.create(store.Webhook, integration.Config{URL: hook.URL + "/x"}, integration.Secrets{}, store.Types...)
	h.session()
	h.summary("Printer repaired, again", "user:u1")
	h.tx(func(t *store.Tx) error { return t.ObjectStream(h.key, h.clock.now()) })
	h.tx(func(t *store.Tx) error { return t.ObjectStream(h.key, h.clock.now()) }) // the second one is no news
	h.tx(func(t *store.Tx) error { return t.TellCreditsLow("c1", 1, 3, h.clock.now()) })
	h.tx(func(t *store.Tx) error { _, err := t.EraseStream(h.key, h.clock.now()); return err })
	h.work()

	var types []string
	for _, g := range hook.all() {
		var e integration.CloudEvent
		if err := json.Unmarshal(g.body, &e); err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Type)
		if e.SpecVersion != "1.0" || e.ID == "" || e.Source == "" || e.Time.IsZero() || e.DataContentType != "application/json" {
			t.Errorf("not a CloudEvent: %s", g.body)
		}
		if bytes.Contains(g.body, []byte("canary")) || bytes.Contains(g.body, []byte("Printer")) {
			t.Errorf("captured text was sent: %s", g.body)
		}
		if e.Type != "aval.credits.low" && (e.Subject != "x11vnc/1" || e.Source != "/companies/c1/devices/d1") {
			t.Errorf("of which session is this: %s", g.body)
		}
	}
	want := "aval.session.started aval.decision aval.session.ended aval.summary.created aval.summary.edited aval.objection aval.credits.low aval.summary.deleted"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("told:\n%s\nwanted:\n%s", got, want)
	}
}

// What is rolled back is not told.
func TestRolledBack(t *testing.T) {
	h := open(t)
	hook := newHook(t, nil)
	h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.Types...)
	no := errors.New("no")
	err := h.db.Tx(t.Context(), func(t *store.Tx) error {
		now := h.clock.now()
		if err := t.InsertStream(store.Stream{Key: h.key, Tool: "x11vnc", StartedAt: now, OpenedAt: now}); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) || len(h.deliveries()) != 0 {
		t.Errorf("%v: %v", err, h.deliveries())
	}
}

// Another company's endpoints hear nothing, and nobody reads them.
func TestTenants(t *testing.T) {
	h := open(t)
	hook := newHook(t, nil)
	h.tx(func(t *store.Tx) error {
		return t.InsertCompany(store.Company{ID: "c2", Name: "Other", Tier: "business", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: h.clock.now()})
	})
	other := h.hub.Of("c2", "user:u2")
	e, _, err := other.Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: "x", Config: integration.Config{URL: hook.URL}, Events: store.Types, Enabled: true}, integration.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	h.session()
	h.work()
	if n := len(hook.all()); n != 0 {
		t.Errorf("another company heard %d things", n)
	}
	if err := other.Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	list, err := other.Deliveries(t.Context(), "", "", "", 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	for what, err := range map[string]error{
		"read":   func() error { _, err := h.co.Endpoint(t.Context(), e.ID); return err }(),
		"delete": h.co.Delete(t.Context(), e.ID),
		"ping":   h.co.Ping(t.Context(), e.ID),
		"retry":  h.co.Retry(t.Context(), list[0].ID),
		"skip":   h.co.Skip(t.Context(), list[0].ID),
		"look":   func() error { _, err := h.co.Delivery(t.Context(), list[0].ID); return err }(),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s across companies: %v", what, err)
		}
	}
	if mine := h.deliveries(); len(mine) != 0 {
		t.Errorf("deliveries of another company: %v", mine)
	}
}

// An attempt that fails is made again, later and later, with the same id and the
// same bytes, and Retry-After counts.
func TestRetries(t *testing.T) {
	h := open(t)
	hook := newHook(t, func(n int, w http.ResponseWriter) {
		switch n {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(http.StatusFound)
		}
	})
	e, _ := h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.SessionStarted)
	if err := h.co.Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	for i, step := range []struct{ before, after time.Duration }{{3 * time.Second, 4 * time.Second}, {7100 * time.Second, 101 * time.Second}, {20 * time.Minute, 17 * time.Minute}} {
		h.clock.add(step.before)
		h.work()
		if n := len(hook.all()); n != i+1 {
			t.Fatalf("%d attempts before their time", n)
		}
		h.clock.add(step.after)
		h.work()
		if n := len(hook.all()); n != i+2 {
			t.Fatalf("attempt %d: %d seen; %+v", i+2, n, h.deliveries())
		}
	}
	d := h.deliveries()[0]
	if d.State != store.JobDone || d.Status != 200 || d.Attempts != 4 {
		t.Errorf("%+v", d)
	}
	first := hook.all()[0]
	for _, g := range hook.all() {
		if g.header.Get("webhook-id") != first.header.Get("webhook-id") || !bytes.Equal(g.body, first.body) {
			t.Error("a repetition is not the same message")
		}
	}
	// Replay: the same message, once more.
	if err := h.co.Retry(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	if all := hook.all(); len(all) != 5 || !bytes.Equal(all[4].body, first.body) {
		t.Errorf("replay: %d messages", len(all))
	}
}

// After the last attempt a delivery has failed and is seen; it can be skipped and
// repeated. To see it fail: with Attempts one higher the loop does not end it.
func TestGivenUp(t *testing.T) {
	h := open(t)
	broken := true
	hook := newHook(t, func(_ int, w http.ResponseWriter) {
		if broken {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	e, _ := h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.SessionStarted)
	if err := h.co.Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		h.work()
		h.clock.add(30 * time.Hour)
	}
	d := h.deliveries()[0]
	if d.State != store.JobFailed || int64(len(hook.all())) != integration.Attempts || !strings.Contains(d.LastError, "502") {
		t.Fatalf("%+v after %d", d, len(hook.all()))
	}
	if err := h.co.Skip(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if d = h.deliveries()[0]; !d.Skipped {
		t.Errorf("%+v", d)
	}
	if n, err := h.co.RetryFailed(t.Context(), e.ID); n != 0 || err != nil {
		t.Errorf("what was skipped is repeated: %d %v", n, err)
	}
	broken = false
	if err := h.co.Retry(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	if d = h.deliveries()[0]; d.State != store.JobDone || d.Skipped {
		t.Errorf("%+v", d)
	}
}

// 410 switches a webhook off, visibly, and what else is due for it is not sent.
func TestGone(t *testing.T) {
	h := open(t)
	hook := newHook(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusGone) })
	e, _ := h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.Types...)
	h.session()
	h.work()
	e, err := h.co.Endpoint(t.Context(), e.ID)
	if err != nil || e.Enabled || e.OffReason != "gone" {
		t.Fatalf("%+v %v", e, err)
	}
	if n := len(hook.all()); n != 1 {
		t.Errorf("%d messages to one that is gone", n)
	}
	for _, d := range h.deliveries() {
		if d.State != store.JobFailed {
			t.Errorf("%+v", d)
		}
	}
}

// Secrets are sealed: neither the database nor what is shown has them, and another
// server's key does not open them.
func TestSealed(t *testing.T) {
	h := open(t)
	hook := newHook(t, nil)
	e, secret := h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.SessionStarted)
	if !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("%q", secret)
	}
	shown, err := json.Marshal(e)
	if err != nil || bytes.Contains(shown, []byte(secret[6:])) {
		t.Errorf("shown: %s %v", shown, err)
	}
	if err := h.db.Flush(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if raw := storetest.Content(t, h.db.Dir()); !bytes.Contains(raw, []byte(e.ID)) || bytes.Contains(raw, []byte(secret[6:])) {
		t.Error("the database has the secret, or the search does not find what is there")
	}
	file := filepath.Join(h.db.Dir(), integration.KeyFile)
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o600 || st.Size() != 32 {
		t.Errorf("key file: %v %v", st, err)
	}
	if err := os.WriteFile(file, make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if h.hub, err = integration.New(h.db, integration.Options{Allow: []string{"127.0.0.1"}, Now: h.clock.now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if err := h.hub.Of("c1", "user:u1").Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	if d := h.deliveries()[0]; d.State != store.JobFailed || !strings.Contains(d.LastError, "this server's key") || len(hook.all()) != 0 {
		t.Errorf("%+v", d)
	}
}

// Two who change the same endpoint: the second one is told.
func TestConflict(t *testing.T) {
	h := open(t)
	hook := newHook(t, nil)
	e, _ := h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.SessionStarted)
	rename := func(v integration.Endpoint, name string) error {
		_, err := h.co.Update(t.Context(), v.ID, v.Version, func(e *integration.Endpoint, _ *integration.Secrets) error { e.Name = name; return nil })
		return err
	}
	if err := rename(e, "one"); err != nil {
		t.Fatal(err)
	}
	if err := rename(e, "two"); !errors.Is(err, integration.ErrConflict) {
		t.Errorf("%v", err)
	}
}
