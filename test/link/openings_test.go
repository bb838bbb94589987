package link_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/module"
	"aval/agent/record"
	"aval/agent/uplink"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// inModule is a desk on which a module of the server's runs.
func inModule(t *testing.T, s *server, name string, on bool) *desk {
	t.Helper()
	_, path := s.module(t, name, on)
	m, err := module.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	d := startDesk(t)
	d.module = m.Module
	d.stop()
	d.start()
	return d
}

type openedTo struct {
	r   ipc.SessionBeginResult
	err error
}

// opens opens a session by the module and returns its number, and what it comes to.
func opens(t *testing.T, d *desk) (*ipc.Client, string, <-chan openedTo) {
	t.Helper()
	c, ended := d.dial(), make(chan openedTo, 1)
	go func() {
		var b openedTo
		b.err = c.Call(context.Background(), ipc.MethodSessionOpen, ipc.SessionOpen{}, &b.r)
		ended <- b
	}()
	select {
	case p := <-c.Pushes():
		var o ipc.Opening
		if err := json.Unmarshal(p.Data, &o); err != nil || p.Name != ipc.PushOpening || len(o.Number) != 6 {
			t.Fatalf("%s %s, %v", p.Name, p.Data, err)
		}
		return c, o.Number, ended
	case b := <-ended:
		t.Fatalf("not opened: %v", b.err)
	case <-time.After(patience):
		t.Fatal("no number")
	}
	return nil, "", nil
}

func outcome(t *testing.T, ended <-chan openedTo) openedTo {
	t.Helper()
	select {
	case b := <-ended:
		return b
	case <-time.After(patience):
		t.Fatal("nothing comes of it")
	}
	return openedTo{}
}

// A module without a code: its session waits, known to nobody but the company, and
// nobody is asked; taken by the number it is that supporter's, with the module's
// switch and the supporter's own log_sessions, and arrives as theirs. Nobody takes
// it twice, and no other company sees it. Planted: without store.Openings looking at
// the company, the other one took it; without CloseOpening looking at closed_at, it
// was taken twice.
func TestModuleOpensASession(t *testing.T) {
	s := startServer(t, nil)
	outgoing := consent.OutgoingModules
	if err := s.co.SetOptions(t.Context(), company.Change{Outgoing: &outgoing}); err != nil {
		t.Fatal(err)
	}
	other, err := s.host.Create(t.Context(), "Other Support", "", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	ana := s.user(t, "Ana Souza", true)
	d := inModule(t, s, "Help desk", true)
	_, number, ended := opens(t, d)
	st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
	if err != nil || st.Module != "Help desk" || st.Opening == nil || st.Opening.Number != number || st.Sessions != 0 || len(st.Guests) != 0 || d.asks() != 0 {
		t.Fatalf("while it waits: %+v, %v, asked %d", st, err, d.asks())
	}
	if _, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionOpen, ipc.SessionOpen{}); why(err) != ipc.WhyWaiting {
		t.Errorf("a second one: %v", err)
	}
	list, err := s.co.Openings(t.Context())
	if err != nil || len(list) != 1 || list[0].Number != number || list[0].Module != "Help desk" {
		t.Fatalf("%+v, %v", list, err)
	}
	stranger, err := other.CreateUser(t.Context(), company.NewUser{Name: "Zoe"})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := other.Openings(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("another company sees %+v, %v", list, err)
	}
	if _, err := other.TakeOpening(t.Context(), stranger.ID, number); !errors.Is(err, company.ErrNoOpening) {
		t.Errorf("another company takes it: %v", err)
	}
	if _, err := s.co.TakeOpening(t.Context(), stranger.ID, number); !errors.Is(err, company.ErrNoUser) {
		t.Errorf("another company's user takes it: %v", err)
	}
	// Planted: without the look at the actor in TakeOpening it was taken.
	if _, err := s.as(s.user(t, "Bruno Lima", true)).TakeOpening(t.Context(), ana, number); !errors.Is(err, company.ErrNoUser) {
		t.Errorf("in another's name: %v", err)
	}
	taken, err := s.as(ana).TakeOpening(t.Context(), ana, number[:3]+" "+number[3:])
	if err != nil || taken.Supporter != "Ana Souza" {
		t.Fatal(taken, err)
	}
	if _, err := s.co.TakeOpening(t.Context(), ana, list[0].ID); !errors.Is(err, company.ErrNoOpening) {
		t.Errorf("taken twice: %v", err)
	}
	b := outcome(t, ended)
	if b.err != nil || b.r.Verdict != consent.Ask {
		t.Fatalf("%+v", b)
	}
	d.eventually("the yes", func() bool { i, ok := d.session(b.r.Session); return ok && i.Outcome == consent.OutcomeAllowed })
	asked := d.questions()[0]
	if co := asked.Companies[0]; asked.Supporter != "Ana Souza" || co.Host != "127.0.0.1" || !co.First {
		t.Errorf("%q, %+v", asked.Supporter, co)
	}
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Opening != nil {
		t.Errorf("afterwards it waits: %+v, %v", st.Opening, err)
	}
	if e, err := say[ipc.SessionEventResult](d, ipc.MethodSessionEvent, ipc.SessionEvent{ID: b.r.Session, Kind: event.Note, Fields: map[string]string{"text": "printer restarted"}}); err != nil || !e.Recorded {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: b.r.Session}); err != nil {
		t.Fatal(err)
	}
	d.eventually("the event at the server", func() bool { return s.streams(t)[b.r.Session].Acked > 0 })
	if got := s.streams(t)[b.r.Session]; got.Supporter != "Ana Souza" || !got.SupporterVerified || got.Direction != consent.Outgoing || got.Device != taken.Device {
		t.Errorf("%+v", got)
	}
	if _, err := s.co.ChangeUser(t.Context(), ana, company.UserChange{LogSessions: new(bool)}); err != nil {
		t.Fatal(err)
	}
	_, number, ended = opens(t, d)
	if _, err := s.co.TakeOpening(t.Context(), ana, number); err != nil {
		t.Fatal(err)
	}
	if b := outcome(t, ended); b.err != nil || b.r.Verdict != consent.NotRequested || b.r.Reason != consent.ReasonReportingOffForUser {
		t.Errorf("a supporter whose sessions are not summarised: %+v", b)
	}
}

func why(err error) string {
	var no *ipc.Error
	if !errors.As(err, &no) {
		return ""
	}
	return no.Why
}

// What ends the wait is said: turned away, expired, revoked meanwhile, given up by
// the person, a code entered instead, too many from one address. Nothing of it
// leaves a device at the server. Planted: without DropOpenings and expires_at in
// Openings the late one was taken; without the proof in Opened another key got the
// session.
func TestModuleOpeningEnds(t *testing.T) {
	c := &clock{}
	s := startServer(t, c.now)
	ana := s.user(t, "Ana Souza", true)
	d := inModule(t, s, "Help desk", true)
	devices := func() int {
		t.Helper()
		var n int
		if err := s.db.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.DevicePage(s.co.ID(), store.DeviceQuery{Kind: store.Single, Limit: 100})
			n = len(list)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}

	_, number, ended := opens(t, d)
	if _, err := s.co.RefuseOpening(t.Context(), number); err != nil {
		t.Fatal(err)
	}
	if b := outcome(t, ended); why(b.err) != ipc.WhyRefused {
		t.Errorf("turned away: %+v", b)
	}
	d.eventually("it is said", func() bool {
		st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
		return err == nil && st.Opening != nil && st.Opening.Why == ipc.WhyRefused
	})

	client, number, ended := opens(t, d)
	client.Close() // the person closes the window
	outcome(t, ended)
	d.eventually("it is given up at the server", func() bool {
		list, err := s.co.Openings(t.Context())
		return err == nil && len(list) == 0
	})
	if _, err := s.co.TakeOpening(t.Context(), ana, number); !errors.Is(err, company.ErrNoOpening) {
		t.Errorf("taken after it was given up: %v", err)
	}

	_, number, ended = opens(t, d)
	c.add(company.OpenLife + time.Second)
	if _, err := s.co.TakeOpening(t.Context(), ana, number); !errors.Is(err, company.ErrNoOpening) {
		t.Errorf("taken after ten minutes: %v", err)
	}
	if b := outcome(t, ended); why(b.err) != ipc.WhyExpired {
		t.Errorf("after ten minutes: %+v", b)
	}

	_, _, ended = opens(t, d)
	r, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: s.code(t, company.CodeFor{LogSessions: true}).Code, Hold: true})
	if err != nil || r.Outcome != consent.OutcomeAllowed {
		t.Fatalf("%+v, %v", r, err)
	}
	outcome(t, ended)
	d.eventually("a code ends the wait", func() bool {
		list, err := s.co.Openings(t.Context())
		return err == nil && len(list) == 0
	})
	if n := devices(); n != 1 { // the code's
		t.Errorf("%d devices", n)
	}

	// Somebody who knows an opening's id has not its key.
	_, key, _ := ed25519.GenerateKey(nil)
	_, foreign, _ := ed25519.GenerateKey(nil)
	o, err := uplink.Open(t.Context(), d.module, key, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.co.TakeOpening(t.Context(), ana, o.Number); err != nil {
		t.Fatal(err)
	}
	stolen, err := uplink.Open(t.Context(), d.module, foreign, "test")
	if err != nil {
		t.Fatal(err)
	}
	stolen.ID = o.ID
	if _, err := stolen.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "within ten minutes") {
		t.Errorf("with another key: %v", err)
	}
	first, err := o.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := o.Wait(t.Context()); err != nil || again.Device != first.Device || again.Request.ID != first.Request.ID { // the answer was lost
		t.Errorf("%+v, %v", again, err)
	}

	var no *uplink.Refusal
	for range company.OpenTries {
		if _, err = uplink.Open(t.Context(), d.module, key, "test"); err != nil {
			break
		}
	}
	if !errors.As(err, &no) || no.Code != "too-many" {
		t.Errorf("from one address without end: %v", err)
	}
	c.add(company.TryWindow + time.Second)
	if _, err := s.co.RevokeModule(t.Context(), d.module.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.Open(t.Context(), d.module, key, "test"); !errors.As(err, &no) || no.Code != "module-revoked" {
		t.Errorf("revoked: %v", err)
	}
	if _, err := uplink.Open(t.Context(), record.Module{ID: "01NONE", Server: d.module.Server, Pin: d.module.Pin}, key, "test"); !errors.As(err, &no) || no.Code != "module-unknown" {
		t.Errorf("unknown: %v", err)
	}
}
