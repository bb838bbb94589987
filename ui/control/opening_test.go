package control

import (
	"context"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"aval/agent/ipc"
	"aval/assets"
)

// A person without a code asks for a number, once at a time; what comes of it is as
// the service says, and what the service does not say is said all the same. Planted:
// without busy in Submit a second number was asked for; with Set filling while busy,
// the button came back under the press.
func TestOpening(t *testing.T) {
	test.NewTempApp(t)
	cat := assets.For("pt-BR")
	asked := 0
	var fail error
	o := NewOpening(cat, time.UTC, func(context.Context) error { asked++; return fail })
	var end func()
	o.work = func(ask, show func()) { ask(); end = show }
	test.NewTempWindow(t, o.Content())
	in := ipc.Status{Module: &ipc.ModuleStatus{Name: "Help desk"}}

	o.Set(ipc.Status{})
	if o.root.Visible() {
		t.Error("it shows where there is no module")
	}
	o.Set(in)
	if !o.press.Visible() || o.number.Visible() || o.press.Text != cat.T("app.opening.get", nil) {
		t.Errorf("%q", o.press.Text)
	}
	test.Tap(o.press)
	o.Submit()
	o.Set(in) // the service does not know of it yet
	if asked != 1 || o.press.Visible() || o.text.Text != cat.T("app.opening.busy", nil) {
		t.Errorf("asked %d times; %q", asked, o.text.Text)
	}
	in.Opening = &ipc.Opening{Number: "482913", Until: time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)}
	o.Set(in)
	if !o.number.Visible() || o.number.Text != "482 913" || o.press.Visible() {
		t.Errorf("%q", o.number.Text)
	}
	in.Opening = &ipc.Opening{Why: ipc.WhyExpired}
	o.Set(in)
	end()
	if o.number.Visible() || !o.press.Visible() || o.text.Text != cat.T("app.opening.expired", nil) || o.press.Text != cat.T("app.opening.again", nil) {
		t.Errorf("%q, %q", o.text.Text, o.press.Text)
	}
	fail = &ipc.Error{Why: ipc.WhyDenied}
	test.Tap(o.press)
	end()
	if asked != 2 || o.text.Text != cat.T("app.opening.denied", nil) || !o.press.Visible() {
		t.Errorf("asked %d times; %q", asked, o.text.Text)
	}
}
