package link_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/record"
	astore "aval/agent/store"
	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// signsIn begins to sign in and returns the code and what it comes to.
func signsIn(t *testing.T, d *desk, s *server) (*ipc.Client, string, <-chan error) {
	t.Helper()
	c, ended := d.dial(), make(chan error, 1)
	go func() {
		ended <- c.Call(context.Background(), ipc.MethodSignIn, ipc.SignIn{Server: s.co.Server() + "#" + s.co.Pin()}, nil)
	}()
	select {
	case p := <-c.Pushes():
		var code ipc.SignInCode
		if err := json.Unmarshal(p.Data, &code); err != nil || p.Name != ipc.PushSignIn || code.URL != s.co.Server()+company.ApprovePath {
			t.Fatalf("%s %s, %v", p.Name, p.Data, err)
		}
		return c, code.Code, ended
	case err := <-ended:
		t.Fatalf("no code: %v", err)
	case <-time.After(patience):
		t.Fatal("no code")
	}
	return nil, "", nil
}

// accountOf is a desk that is signed in, where the company asks about all incoming
// sessions and enforces that.
func accountOf(t *testing.T, s *server, user string) *desk {
	t.Helper()
	all, yes := consent.IncomingAll, true
	if err := s.co.SetOptions(t.Context(), company.Change{Incoming: &all, IncomingEnforced: &yes}); err != nil {
		t.Fatal(err)
	}
	d := startDesk(t)
	signedIn(t, d, s, user)
	return d
}

func signedIn(t *testing.T, d *desk, s *server, user string) {
	t.Helper()
	_, code, ended := signsIn(t, d, s)
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Company != "" {
		t.Fatalf("before the approval: %+v, %v", st, err)
	}
	if _, err := s.as(user).DecideSignIn(t.Context(), code, "", user); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// as is the company as a user deals with it.
func (s *server) as(user string) *company.Service {
	return s.co.As(company.Actor{Kind: company.KindUser, ID: user, Role: company.Supporter})
}

func (s *server) chooses(t *testing.T, in consent.IncomingOption) {
	t.Helper()
	if err := s.co.SetOptions(t.Context(), company.Change{Incoming: &in}); err != nil {
		t.Fatal(err)
	}
}

// An account from its start to the events at the server, over a restart, to
// signing out while it records. Where the person has chosen nothing they are
// asked, whatever the company enforces: the question names the server first, and
// says the first time that it is the first. Planted: without policy.Unmanaged in
// fillFor the first session was recorded without a question; without metNow the
// second question said that it was the first contact.
func TestAccount(t *testing.T) {
	s := startServer(t, nil)
	d := accountOf(t, s, s.user(t, "Ana Souza", true))
	st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
	if err != nil || st.Account != "Ana Souza" || st.Company != "Example Support" || st.IncomingEnforced || st.Required {
		t.Fatalf("%+v, %v", st, err)
	}
	d.stop()
	d.start()
	note := func(id string) {
		t.Helper()
		e, err := say[ipc.SessionEventResult](d, ipc.MethodSessionEvent, ipc.SessionEvent{ID: "t/" + id, Kind: event.Note, Fields: map[string]string{"text": "printer restarted"}})
		if err != nil || !e.Recorded {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	over := func(id string) {
		t.Helper()
		if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "t/" + id}); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{"1", "2"} {
		if r := begin(t, d, id); r.Verdict != consent.Ask || r.Outcome != consent.OutcomeAllowed {
			t.Fatalf("%+v", r)
		}
		asked := d.questions()
		if len(asked) != 2*i+1 {
			t.Fatalf("%d questions", len(asked))
		}
		if co := asked[2*i].Companies[0]; co.Host != "127.0.0.1" || co.Name != "Example Support" || co.Verified || !co.Account || !co.Pinned || co.First != (i == 0) {
			t.Errorf("%+v", co)
		}
		note(id)
		over(id)
		// Nobody knows whose hand the yes was, so that another question comes.
		d.eventually("the event at the server", func() bool { return s.streams(t)["t/"+id].Acked > 0 })
	}
	if g := s.streams(t)["t/1"]; g.Direction != consent.Incoming || g.Basis != consent.BasisConsent {
		t.Errorf("%+v", g)
	}

	if _, err := say[ipc.SettingsResult](d, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessAllowed}); err != nil {
		t.Fatal(err)
	}
	if r := begin(t, d, "3"); r.Verdict != consent.Allow || r.Outcome != consent.OutcomeAllowed || len(d.questions()) != 4 {
		t.Fatalf("%+v", r)
	}
	note("3")
	d.eventually("the event at the server", func() bool { return s.streams(t)["t/3"].Acked > 0 })
	if g := s.streams(t)["t/3"]; g.Basis != consent.BasisStandingSetting {
		t.Errorf("%+v", g)
	}
	if _, err := say[ipc.Empty](d, ipc.MethodSignOut, nil); err != nil {
		t.Fatal(err)
	}
	if i, ok := d.session("t/3"); ok && i.Recording {
		t.Errorf("it records after signing out: %+v", i)
	}
	if r := begin(t, d, "4"); r.Verdict != consent.NotRequested {
		t.Errorf("after signing out: %+v", r)
	}
	over("3")
	over("4")
	if _, err := say[ipc.Empty](d, ipc.MethodSignOut, nil); err == nil {
		t.Error("signed out twice")
	}
}

// What the company asks for, with what the person has chosen: see docs/decision.md.
func TestAccountTable(t *testing.T) {
	s := startServer(t, nil)
	d := accountOf(t, s, s.user(t, "Ana Souza", true))
	for i, row := range []struct {
		in    consent.IncomingOption
		local consent.AccessControl
		want  consent.Verdict
	}{
		{consent.IncomingOff, consent.AccessUnset, consent.NotRequested},
		{consent.IncomingPolicy, consent.AccessUnset, consent.NotRequested},
		{consent.IncomingPolicy, consent.AccessAllowed, consent.NotRequested},
		{consent.IncomingAll, consent.AccessUnset, consent.Ask},
		{consent.IncomingAll, consent.AccessAllowed, consent.Allow},
		{consent.IncomingAll, consent.AccessAfterConfirmation, consent.Ask},
		{consent.IncomingAll, consent.AccessDenied, consent.Deny},
	} {
		s.chooses(t, row.in)
		effective := row.in
		if row.in == consent.IncomingPolicy {
			effective = consent.IncomingOff
		}
		d.eventually("the options", func() bool {
			st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
			return err == nil && st.Incoming == effective && !st.IncomingEnforced
		})
		if _, err := say[ipc.SettingsResult](d, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: row.local}); err != nil {
			t.Fatal(err)
		}
		id := string(rune('a' + i))
		if r := begin(t, d, id); r.Verdict != row.want {
			t.Errorf("%s, %s: %+v", row.in, row.local, r)
		}
		if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "t/" + id}); err != nil {
			t.Fatal(err)
		}
	}
}

// The server takes from such a computer only what rests on the person's own word,
// whatever the computer says of policies. Planted: without accountFollows in
// checkPolicy what a policy of its own allowed was taken, and "no account"; with
// incomingFollows not told of the account, the policy that it does not name.
func TestAccountGrants(t *testing.T) {
	s := startServer(t, nil)
	user := s.user(t, "Ana Souza", true)
	s.chooses(t, consent.IncomingAll)
	st, err := astore.Open(filepath.Join(t.TempDir(), "state"), astore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	asks, err := uplink.StartSignIn(t.Context(), s.co.Server(), s.co.Pin(), st.DeviceKey().(ed25519.PrivateKey), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.as(user).DecideSignIn(t.Context(), asks.UserCode, "", user); err != nil {
		t.Fatal(err)
	}
	got, err := asks.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := &computer{t: t, store: st, enr: got.Enrolment}
	s.chooses(t, consent.IncomingOff) // version 2, once it connects
	c := welcome(t, s.addr, d)
	s.chooses(t, consent.IncomingAll)

	body := func(session string, change func(*record.Grant)) []byte {
		g := d.body(session)
		g.Direction, g.Basis, g.PolicyOrigin = consent.Incoming, consent.BasisConsent, policy.FromAccount
		g.Input = consent.Input{Direction: consent.Incoming, LogSessions: true, Outgoing: consent.OutgoingOff, Incoming: consent.IncomingAll,
			ManagedByRequester: true, PolicyState: consent.PolicyFresh, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset,
			AccessControl: consent.AccessAfterConfirmation, Local: consent.AccessUnset, Desktop: consent.DesktopAvailable}
		g.Decision = consent.Decide(g.Input)
		if change(&g); g.Basis == consent.BasisConsent {
			g.Ending = consent.EndingAnsweredYes
			g.Asked = &record.Asked{AskedAt: g.At, ShownAt: g.At, EndedAt: g.At, Rung: "window", Locale: "en", Offered: g.Groups}
		}
		return sign(d, record.TypeGrant, g)
	}
	decide := func(g *record.Grant, in func(*consent.Input)) {
		in(&g.Input)
		if g.Decision = consent.Decide(g.Input); g.Decision.Basis != "" {
			g.Basis, g.Notice = g.Decision.Basis, g.Decision.Notice
		}
	}
	file := "file:/etc/aval/a.json, " + policy.FromAccount
	for i, row := range []struct {
		name   string
		change func(*record.Grant)
		want   string
	}{
		{"nobody chose", func(g *record.Grant) {
			g.PolicyOrigin = "none"
			decide(g, func(in *consent.Input) { in.PolicyState, in.AccessControl = consent.PolicyNone, consent.AccessUnset })
		}, "unknown-policy"},
		{"nobody chose, and it says so", func(g *record.Grant) {
			decide(g, func(in *consent.Input) { in.PolicyState, in.AccessControl = consent.PolicyNone, consent.AccessUnset })
		}, "unknown-policy"},
		{"a policy of its own allows", func(g *record.Grant) {
			g.PolicyOrigin = file
			decide(g, func(in *consent.Input) { in.AccessControl, in.AccessControlEnforced = consent.AccessAllowed, true })
		}, "unknown-policy"},
		{"a policy of its own insists", func(g *record.Grant) {
			g.PolicyOrigin = file
			decide(g, func(in *consent.Input) { in.Insights, in.InsightsEnforced = consent.SwitchOn, true })
		}, "unknown-policy"},
		{"it says that the option is enforced", func(g *record.Grant) {
			decide(g, func(in *consent.Input) { in.IncomingEnforced = true })
		}, "unknown-policy"},
		{"a policy that it does not name", func(g *record.Grant) {
			decide(g, func(in *consent.Input) { in.Reporting = consent.SwitchOn })
		}, "unknown-policy"},
		{"no account", func(g *record.Grant) { g.PolicyOrigin = "none" }, "unknown-policy"},
		{"outgoing, allowed by a policy", func(g *record.Grant) {
			g.Direction, g.PolicyOrigin = consent.Outgoing, file
			decide(g, func(in *consent.Input) {
				in.Direction, in.Outgoing, in.AccessControl = consent.Outgoing, consent.OutgoingAll, consent.AccessAllowed
			})
		}, "unknown-policy"},
		{"options that ask for none", func(g *record.Grant) { g.PolicyVersion = 2 }, "unknown-policy"},
		{"another policy's", func(g *record.Grant) { g.PolicyOrigin = "server:Offices version 1, " + policy.FromAccount }, "unknown-policy"},
		{"a yes", func(*record.Grant) {}, ""},
		{"a setting", func(g *record.Grant) { decide(g, func(in *consent.Input) { in.Local = consent.AccessAllowed }) }, ""},
		{"a yes under a policy of its own", func(g *record.Grant) {
			g.PolicyOrigin = file
			decide(g, func(in *consent.Input) { in.AccessControlEnforced, in.Local = true, consent.AccessAllowed })
		}, ""},
	} {
		if got := c.code(openFrame(body(fmt.Sprintf("x/%d", i), row.change))); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
		if row.want != "" {
			c = welcome(t, s.addr, d)
		}
	}
}

// Signing out is told to the server: the account's key counts no more there, and the
// company sees when. Without the network it is told later, also after a restart; a
// server that knows of no signing out is asked once. What is kept for that goes then.
// Planted: without the account's key in leftBehind the server was told by the
// computer's, which it does not know; without keepLeft in signOut it was not told after
// the restart; with the refusal of accounts back in Leave it was never told.
func TestSignedOut(t *testing.T) {
	dir := t.TempDir()
	s, err := listen(dir, "127.0.0.1:0", nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	addr := s.addr
	t.Cleanup(func() { s.close() })
	user := s.user(t, "Ana Souza", true)
	d := accountOf(t, s, user)
	device := func() string {
		t.Helper()
		st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
		if err != nil || st.Device == "" {
			t.Fatalf("%+v, %v", st, err)
		}
		return st.Device
	}
	out := func() ipc.SignOutResult {
		t.Helper()
		r, err := say[ipc.SignOutResult](d, ipc.MethodSignOut, nil)
		if st, _ := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Account != "" || r.Company != "Example Support" {
			t.Fatalf("%+v, %v; %+v", r, err, st)
		}
		return r
	}
	left := func(id string) bool {
		t.Helper()
		is := false
		if err := s.db.View(t.Context(), func(tx *store.Tx) error {
			keys, err := tx.DeviceKeys(s.co.ID(), id)
			dev, derr := tx.Device(s.co.ID(), id)
			rows, aerr := tx.Audits(s.co.ID(), store.AuditFilter{Action: "device-signed-out", Subject: id, Max: 10})
			is = len(keys) == 0 && !dev.LeftAt.IsZero() && len(rows) == 1 && rows[0].Actor == "device:"+id && rows[0].Detail == user
			return errors.Join(err, derr, aerr)
		}); err != nil {
			t.Fatal(err)
		}
		return is
	}
	forgotten := func() {
		t.Helper()
		d.eventually("the key is forgotten", func() bool {
			d.stop()
			defer d.start()
			st, err := astore.Open(filepath.Join(d.dir, "state"), astore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := st.Doc("left")
			if err := errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			return !strings.Contains(string(raw), "key")
		})
	}

	one := device()
	if left(one) || !out().Told || !left(one) {
		t.Error("the server was not told")
	}
	forgotten()

	signedIn(t, d, s, user)
	two := device()
	s.close()
	if two == one || out().Told {
		t.Error("told without a server")
	}
	d.stop()
	if s, err = listen(dir, addr, nil, time.Second); err != nil {
		t.Fatal(err)
	}
	if left(two) {
		t.Error("the server knows already")
	}
	d.start()
	d.eventually("the server is told", func() bool { return left(two) })
	forgotten()

	signedIn(t, d, s, user)
	three := device()
	s.close()
	if out().Told {
		t.Error("told without a server")
	}
	asked := make(chan string, 10)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	old := &http.Server{TLSConfig: s.host.TLS(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case asked <- r.URL.Path:
			default:
			}
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(wire.EnrollError{Code: "device-unknown", Error: "This computer is not known here."})
		})}
	go func() { _ = old.ServeTLS(l, "", "") }()
	select {
	case path := <-asked:
		if path != wire.LeavePath {
			t.Error(path)
		}
	case <-time.After(patience):
		t.Error("a server of before is never asked")
	}
	forgotten()
	_ = old.Close()
	if s, err = listen(dir, addr, nil, time.Second); err != nil {
		t.Fatal(err)
	}
	if left(three) {
		t.Error("it was asked again")
	}
}

// One that the company revokes, or whose user it disables, ends on the computer
// too. Planted: without RevokeAccounts in DisableUser the second stayed.
func TestAccountRevoked(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *server, string, string){
		"revoked": func(t *testing.T, s *server, _, device string) {
			if err := s.co.RevokeDevice(t.Context(), device); err != nil {
				t.Fatal(err)
			}
		},
		"disabled": func(t *testing.T, s *server, user, _ string) {
			if err := s.co.DisableUser(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := listen(t.TempDir(), "127.0.0.1:0", nil, 200*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.close)
			user := s.user(t, "Ana Souza", true)
			d := accountOf(t, s, user)
			st, _ := say[ipc.Status](d, ipc.MethodStatus, nil)
			if r := begin(t, d, "1"); r.Verdict != consent.Ask {
				t.Fatalf("%+v", r)
			}
			end(t, s, user, st.Device)
			d.eventually("the end of the account", func() bool {
				st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
				return err == nil && st.Company == "" && st.Account == "" && st.Recording == 0
			})
		})
	}
}

// Where nobody may sign in, and what is left of one who gives up.
func TestAccountRefused(t *testing.T) {
	s := startServer(t, nil)
	url := s.co.Server() + "#" + s.co.Pin()
	managed, _ := enrolled(t, s)
	if _, err := say[ipc.SignInResult](managed, ipc.MethodSignIn, ipc.SignIn{Server: url}); err == nil || !strings.Contains(err.Error(), "managed by") {
		t.Errorf("a managed computer: %v", err)
	}
	d := startDesk(t)
	for _, bad := range []string{"", "http://127.0.0.1", "https://127.0.0.1/x", url + "0"} {
		if _, err := say[ipc.SignInResult](d, ipc.MethodSignIn, ipc.SignIn{Server: bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	// A supporter who holds the mouse cannot sign the person in to their company,
	// nor can one who comes while it is waited. Planted: without maySignIn after
	// the wait the second was signed in.
	user := s.user(t, "Ana Souza", true)
	c, code, ended := signsIn(t, d, s)
	begin(t, d, "1")
	if _, err := say[ipc.SignInResult](d, ipc.MethodSignIn, ipc.SignIn{Server: url}); err == nil || !strings.Contains(err.Error(), "remote session") {
		t.Errorf("with a supporter: %v", err)
	}
	if _, err := s.as(user).DecideSignIn(t.Context(), code, "", user); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("one who came meanwhile")
	}
	c.Close()
	if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "t/1"}); err != nil {
		t.Fatal(err)
	}
	c, code, _ = signsIn(t, d, s)
	c.Close() // gives up
	if _, err := s.as(user).DecideSignIn(t.Context(), code, "", user); err != nil {
		t.Fatal(err)
	}
	_, code, ended = signsIn(t, d, s)
	if _, err := s.co.DecideSignIn(t.Context(), code, "", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("refused by the company: %v", err)
	}
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Company != "" {
		t.Errorf("%+v, %v", st, err)
	}
}

// A code counts once, for the key that asked, and for ten minutes; wrong ones are
// counted for their address, and so are those who begin.
func TestAccountCodes(t *testing.T) {
	clk := &clock{}
	s := startServer(t, clk.now)
	user := s.user(t, "Ana Souza", true)
	start := func() (*uplink.SignIn, error) {
		_, key, _ := ed25519.GenerateKey(nil)
		return uplink.StartSignIn(t.Context(), s.co.Server(), s.co.Pin(), key, "test")
	}
	one, err := start()
	if err != nil {
		t.Fatal(err)
	}
	two, err := start()
	if err != nil {
		t.Fatal(err)
	}
	if w, err := s.co.SignInOf(t.Context(), strings.ToLower(one.UserCode), "203.0.113.7:1"); err != nil || w.Address != "127.0.0.1" {
		t.Errorf("%+v, %v", w, err)
	}
	// Planted: without the look at the actor in DecideSignIn it was approved.
	if _, err := s.as(s.user(t, "Bruno Lima", true)).DecideSignIn(t.Context(), one.UserCode, "", user); !errors.Is(err, company.ErrNoUser) {
		t.Errorf("for another's account: %v", err)
	}
	if _, err := s.as(user).DecideSignIn(t.Context(), one.UserCode, "", user); err != nil {
		t.Fatal(err)
	}
	if _, err := s.as(user).DecideSignIn(t.Context(), one.UserCode, "", user); !errors.Is(err, company.ErrNoSignIn) {
		t.Errorf("a second time: %v", err)
	}
	// Planted: without the key compared in waited, this one was signed in.
	stolen := *two
	stolen.DeviceCode = one.DeviceCode
	if got, err := stolen.Wait(t.Context()); err == nil || got.Device != "" {
		t.Errorf("with another's device code: %+v, %v", got, err)
	}
	first, err := one.Wait(t.Context())
	if err != nil || first.User != "Ana Souza" {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := one.Wait(t.Context()); err != nil || again.Device != first.Device {
		t.Errorf("whose answer was lost: %+v, %v", again, err)
	}
	// Planted: with ten times CodeTries and SignInTries, the sixth and the eleventh
	// passed.
	for i := range company.CodeTries + 1 {
		_, err := s.co.SignInOf(t.Context(), wire.NewSecret(), "198.51.100.1:1")
		if want := map[bool]error{true: company.ErrTooMany, false: company.ErrNoSignIn}[i == company.CodeTries]; !errors.Is(err, want) {
			t.Errorf("wrong code %d: %v", i+1, err)
		}
	}
	if _, err := s.co.SignInOf(t.Context(), two.UserCode, "198.51.100.1:1"); !errors.Is(err, company.ErrTooMany) {
		t.Errorf("the right one after them: %v", err)
	}
	clk.add(company.SignInLife)
	if _, err := s.as(user).DecideSignIn(t.Context(), two.UserCode, "", user); !errors.Is(err, company.ErrNoSignIn) {
		t.Errorf("expired: %v", err)
	}
	clk.add(company.TryWindow)
	for i := range company.SignInTries + 1 {
		if _, err := start(); (err != nil) != (i == company.SignInTries) {
			t.Errorf("beginning %d: %v", i+1, err)
		}
	}
}
