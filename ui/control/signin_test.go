package control

import (
	"context"
	"errors"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"aval/agent/ipc"
	"aval/assets"
)

// atServer answers as the service does: it hands out a code and waits for the
// approval, or the end of ctx.
type atServer struct {
	servers  []string
	approve  chan ipc.SignInResult
	fail     error
	out      int
	outError error
}

func (a *atServer) SignIn(ctx context.Context, server string, code func(ipc.SignInCode)) (ipc.SignInResult, error) {
	a.servers = append(a.servers, server)
	if a.fail != nil {
		return ipc.SignInResult{}, a.fail
	}
	code(ipc.SignInCode{Code: "7K3M-Q9TD", URL: "https://support.example.com/account", Expires: time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)})
	select {
	case r := <-a.approve:
		return r, nil
	case <-ctx.Done():
		return ipc.SignInResult{}, ctx.Err()
	}
}

func (a *atServer) SignOut(context.Context) error {
	a.out++
	return a.outError
}

// The person enters the server, sees the code large while it is waited for them,
// and can give up; what became of it stands beneath in their language; who is
// signed in sees the way out alone. Planted: with the form not hidden in Submit a
// second code was asked for; without the look at ctx in show, a code that was
// given up came back.
func TestSignIn(t *testing.T) {
	test.NewTempApp(t)
	cat := assets.For("pt-BR")
	at := &atServer{approve: make(chan ipc.SignInResult, 1)}
	s := NewSignIn(cat, time.UTC, at, "")
	turn := make(chan func(), 8) // what the window's goroutine is to do
	s.work = func(ask, show func()) {
		go func() {
			ask()
			turn <- show
		}()
	}
	s.do = func(f func()) { turn <- f }
	next := func() {
		t.Helper()
		select {
		case f := <-turn:
			f()
		case <-time.After(time.Minute):
			t.Fatal("nothing comes")
		}
	}
	done := 0
	s.Done = func() { done++ }
	w := test.NewTempWindow(t, container.NewVBox(s.Way(), s.Content()))
	if s.root.Visible() {
		t.Error("shown before it is known whether a company manages the computer")
	}
	s.Set("", "Example Support")
	if s.root.Visible() {
		t.Error("shown on a managed computer")
	}
	s.Set("", "")
	if !s.form.Visible() || s.way.Visible() || s.wait.Visible() {
		t.Fatal("nobody is signed in: not the form alone")
	}
	s.Submit()
	if len(at.servers) != 0 {
		t.Fatal("nothing was entered, and something sent")
	}
	w.Canvas().Focus(s.entry)
	test.Type(s.entry, " https://support.example.com ")
	s.entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	s.Submit() // while the first is under way
	next()
	if len(at.servers) != 1 || at.servers[0] != "https://support.example.com" || s.form.Visible() || !s.wait.Visible() || s.code.Text != "7K3M-Q9TD" {
		t.Fatalf("asked %q, shows %q", at.servers, s.code.Text)
	}
	if w.Canvas().Focused() != fyne.Focusable(s.end) {
		t.Error("the keyboard is not at Cancel")
	}
	s.Set("", "") // a refresh meanwhile
	if s.form.Visible() {
		t.Error("a refresh brought the form back")
	}
	test.Tap(s.end)
	s.show(canceled(), ipc.SignInCode{Code: "AAAA-BBBB"})
	next()
	if s.code.Text == "AAAA-BBBB" || s.wait.Visible() || !s.form.Visible() || s.said.Said() != cat.T("settings.account.cancelled", nil) || done != 0 {
		t.Errorf("given up: said %q, code %q", s.said.Said(), s.code.Text)
	}
	at.fail = &ipc.Error{Code: ipc.CodeRefused, Message: "english", Why: ipc.WhySupporter}
	test.Tap(s.press)
	next()
	if s.said.Said() != cat.T("settings.account.supporter", nil) || !s.form.Visible() {
		t.Errorf("refused: said %q", s.said.Said())
	}
	at.fail = errors.New("no service")
	test.Tap(s.press)
	next()
	if s.said.Said() != cat.T("settings.account.failed", nil) {
		t.Errorf("without the service: said %q", s.said.Said())
	}
	at.fail = nil
	test.Tap(s.press)
	next()
	at.approve <- ipc.SignInResult{User: "Ana Souza"}
	next()
	if s.said.Said() != "Você entrou como Ana Souza." || done != 1 {
		t.Errorf("signed in: said %q, done %d", s.said.Said(), done)
	}
	s.Set("Ana Souza", "Example Support")
	if s.said.Said() == "" {
		t.Error("what became of it went with the first look")
	}
	if s.form.Visible() || s.wait.Visible() || !s.way.Visible() || !s.root.Visible() {
		t.Error("signed in: not the way out alone")
	}
	at.outError = errors.New("no service")
	test.Tap(s.leave)
	next()
	if s.said.Said() != cat.T("settings.account.failed", nil) || s.leave.Disabled() || done != 1 {
		t.Errorf("not signed out: said %q", s.said.Said())
	}
	at.outError = nil
	test.Tap(s.leave)
	next()
	if s.said.Said() != cat.T("settings.account.left", nil) || at.out != 2 || done != 2 {
		t.Errorf("signed out: said %q", s.said.Said())
	}
	s.Set("", "")
	s.Set("Ana Souza", "Example Support") // by another way
	if s.said.Visible() {
		t.Errorf("said of what is over: %q", s.said.Said())
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
