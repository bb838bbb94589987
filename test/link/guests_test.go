package link_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	astore "aval/agent/store"
	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
)

// A key that a code certified can send one outgoing session of the supporter
// whom the code names, decided as the code asked and soon; nothing else. Each
// row was seen to fail with its condition taken out of ingest.checkRequest, except
// "decided as incoming" and "under options of a computer", which two refuse.
func TestCodeGrants(t *testing.T) {
	clk := &clock{}
	s := startServer(t, clk.now)
	for name, row := range map[string]struct {
		change func(*record.Grant)
		want   string
	}{
		"right":                      {func(*record.Grant) {}, ""},
		"of another supporter":       {func(g *record.Grant) { g.Supporter = "Mallory" }, "bad-grant"},
		"of nobody who is vouched":   {func(g *record.Grant) { g.SupporterVerified = false }, "bad-grant"},
		"incoming":                   {func(g *record.Grant) { g.Direction = consent.Incoming }, "bad-grant"},
		"decided as incoming":        {func(g *record.Grant) { g.Input.Direction = consent.Incoming }, "bad-grant"},
		"as of a managed computer":   {func(g *record.Grant) { g.Input.ManagedByRequester = true }, "bad-grant"},
		"with a module that is none": {func(g *record.Grant) { g.Input.ModuleEnabled = true }, "bad-grant"},
		"decided out of another input": {func(g *record.Grant) {
			g.Input.Local, g.Decision.Reason = consent.AccessDenied, consent.ReasonMustConfirm
		}, "bad-grant"},
		"under options of a computer": {func(g *record.Grant) { g.PolicyVersion = 1 }, "unknown-policy"},
		"after the request's time": {func(g *record.Grant) {
			g.At = g.At.Add(record.RequestLife + time.Hour)
			g.NotBefore, g.Expires = g.At, g.At.Add(time.Hour)
		}, "outside-grant"},
		"before the code was used": {func(g *record.Grant) {
			g.At = g.At.Add(-time.Hour)
			g.NotBefore, g.Expires = g.At, g.At.Add(time.Hour)
		}, "outside-grant"},
	} {
		t.Run(name, func(t *testing.T) {
			d := visit(t, s)
			g := d.visited("support/1")
			row.change(&g)
			c := welcome(t, s.addr, d)
			if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
	d := visit(t, s)
	c := welcome(t, s.addr, d)
	if got := c.code(openFrame(sign(d, record.TypeGrant, d.visited("support/1")))); got != "" {
		t.Fatal(got)
	}
	if got := c.code(openFrame(sign(d, record.TypeGrant, d.visited("support/2")))); got != "other-session" {
		t.Errorf("a second session under one key: %q", got)
	}
}

// visit is a computer whose key a code has certified.
func visit(t testing.TB, s *server) *computer {
	t.Helper()
	st, err := astore.Open(filepath.Join(t.TempDir(), "state"), astore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	code, err := wire.ParseCode(s.code(t, company.CodeFor{Supporter: "Ana", LogSessions: true}).Code)
	if err != nil {
		t.Fatal(err)
	}
	r, err := uplink.Redeem(t.Context(), code, st.DeviceKey(), "test", "")
	if err != nil {
		t.Fatal(err)
	}
	return &computer{t: t, store: st, enr: uplink.Enrolment{Company: r.Request.Company, Device: r.Device, ServerKey: r.ServerKey}}
}

// visited is a right grant of such a computer.
func (c *computer) visited(session string) record.Grant {
	g := c.body(session)
	g.Input = consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff,
		PolicyState: consent.PolicyNone, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset, AccessControl: consent.AccessUnset,
		Local: consent.AccessUnset, Desktop: consent.DesktopAvailable}
	g.Decision, g.Basis, g.PolicyVersion, g.SupporterVerified = consent.Decide(g.Input), consent.BasisConsent, 0, true
	g.Ending, g.Asked = consent.EndingAnsweredYes, &record.Asked{AskedAt: g.At, EndedAt: g.At, Rung: "window", Offered: g.Groups}
	return g
}

// Two companies at once, one by enrolment and one by a code: each gets its own
// session and nothing of the other, and leaving either touches the other not at all.
func TestTwoCompanies(t *testing.T) {
	for _, left := range []string{"enrolled", "guest"} {
		t.Run(left+" is left", func(t *testing.T) {
			a, b := startServer(t, nil), startServer(t, nil)
			d := startDesk(t)
			tok := token(t, a.dir)
			if _, err := say[ipc.EnrollResult](d, ipc.MethodEnroll, ipc.Enroll{Server: tok.Server, Token: tok.Token, Pin: tok.Pin}); err != nil {
				t.Fatal(err)
			}
			own, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "t", ID: "1", Supporter: "Alex", Hold: true})
			if err != nil || own.Outcome != consent.OutcomeAllowed {
				t.Fatalf("%+v, %v", own, err)
			}
			visit, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: b.code(t, company.CodeFor{LogSessions: true}).Code, Hold: true})
			if err != nil || visit.Outcome != consent.OutcomeAllowed || visit.Session == own.Session {
				t.Fatalf("%+v, %v", visit, err)
			}
			records := func(s string) bool { i, ok := d.session(s); return ok && i.Recording }
			d.eventually("both are recorded", func() bool { return records(own.Session) && records(visit.Session) })
			stays, goes, server := visit.Session, own.Session, b
			if left == "enrolled" {
				if _, err := say[ipc.UnenrollResult](d, ipc.MethodUnenroll, ipc.Unenroll{Discard: true}); err != nil {
					t.Fatal(err)
				}
			} else {
				stays, goes, server = own.Session, visit.Session, a
				if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: goes}); err != nil {
					t.Fatal(err)
				}
			}
			// Planted: with unenroll ending every recording, the guest's was over here.
			if !records(stays) || records(goes) {
				t.Fatalf("after one was left: %s is recorded: %v, %s: %v", stays, records(stays), goes, records(goes))
			}
			res, err := say[ipc.SessionEventResult](d, ipc.MethodSessionEvent, ipc.SessionEvent{ID: stays, Kind: event.Note, Fields: map[string]string{"text": "still here"}})
			if err != nil || !res.Recorded {
				t.Fatalf("%+v, %v", res, err)
			}
			for _, id := range []string{own.Session, visit.Session} {
				_, _ = say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: id})
			}
			d.eventually("what stayed arrives", func() bool { x, ok := server.streams(t)[stays]; return ok && !x.EndedAt.IsZero() })
			for name := range a.streams(t) {
				if name != own.Session {
					t.Errorf("the enrolled company has %s", name)
				}
			}
			for name := range b.streams(t) {
				if name != visit.Session {
					t.Errorf("the guest has %s", name)
				}
			}
		})
	}
}

// A server may not call itself by the id of a company that this computer knows
// from another one. Planted: with meet taking any key the session was opened.
func TestImpostor(t *testing.T) {
	s := startServer(t, nil)
	d := startDesk(t)
	d.stop()
	st, err := astore.Open(filepath.Join(d.dir, "state"), astore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(map[string]any{s.co.ID(): map[string]any{"name": "Example Support", "host": "support.example.com", "key": make([]byte, 32), "first_at": time.Now()}})
	if err := errors.Join(st.PutDoc("met", raw), st.Close()); err != nil {
		t.Fatal(err)
	}
	d.start()
	_, err = say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: s.code(t, company.CodeFor{LogSessions: true}).Code})
	var no *ipc.Error
	if !errors.As(err, &no) || no.Why != ipc.WhyImpostor || no.Code != ipc.CodeRefused || !strings.Contains(no.Message, "support.example.com") {
		t.Errorf("%v", err)
	}
	if list, _ := say[[]ipc.SessionInfo](d, ipc.MethodSessionList, nil); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// Who has denied is not asked, and the server does not even hear of the code:
// it can still be used elsewhere. Each failure has its word for the windows.
// Planted: without mayJoin the code was used up before the session was denied.
func TestCodeRefused(t *testing.T) {
	s := startServer(t, nil)
	d := startDesk(t)
	why := func(code string) (string, string) {
		_, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: code})
		var no *ipc.Error
		if !errors.As(err, &no) {
			t.Fatalf("%q: %v", code, err)
		}
		return no.Why, no.Code
	}
	made := s.code(t, company.CodeFor{LogSessions: true})
	set := func(v consent.AccessControl) {
		if _, err := say[ipc.SettingsResult](d, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: v}); err != nil {
			t.Fatal(err)
		}
	}
	set(consent.AccessDenied)
	if w, code := why(made.Code); w != ipc.WhyDenied || code != ipc.CodeRefused {
		t.Errorf("denied: %q, %s", w, code)
	}
	set(consent.AccessUnset)
	parsed, _ := wire.ParseCode(made.Code)
	if w, code := why("no code"); w != ipc.WhyBad || code != ipc.CodeBadRequest {
		t.Errorf("no code: %q, %s", w, code)
	}
	gone := parsed
	gone.Server = "https://127.0.0.1:1"
	if w, _ := why(gone.String()); w != ipc.WhyServer {
		t.Errorf("no server: %q", w)
	}
	pinned := parsed
	pinned.Pin = "sha256:" + strings.Repeat("00", 32)
	if w, _ := why(pinned.String()); w != ipc.WhyServer {
		t.Errorf("another server's fingerprint: %q", w)
	}
	rooted := parsed
	rooted.Pin = ""
	if w, _ := why(rooted.String()); w != ipc.WhyServer {
		t.Errorf("a certificate that nobody vouches for: %q", w)
	}
	unknown := parsed
	unknown.Secret = "0000-0000"
	if w, code := why(unknown.String()); w != ipc.WhyUnknown || code != ipc.CodeRefused {
		t.Errorf("unknown: %q, %s", w, code)
	}
	if _, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: made.Code, Hold: true}); err != nil {
		t.Errorf("after all that: %v", err)
	}
	if w, _ := why(made.Code); w != ipc.WhyUsed {
		t.Errorf("used: %q", w)
	}
}
