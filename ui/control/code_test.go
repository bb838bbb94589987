package control

import (
	"context"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
)

// What the person enters is redeemed once, by Enter or the button; what became
// of it stands beneath, in their language; a code that was taken goes away.
func TestCode(t *testing.T) {
	test.NewTempApp(t)
	cat := assets.For("pt-BR")
	var sent []string
	result, fail := ipc.SessionBeginResult{Outcome: consent.OutcomeAsking}, error(nil)
	c := NewCode(cat, func(_ context.Context, code string) (ipc.SessionBeginResult, error) {
		sent = append(sent, code)
		return result, fail
	}, "")
	var wait []func()
	c.work = func(ask, show func()) { ask(); wait = append(wait, show) }
	finish := func() {
		for _, show := range wait {
			show()
		}
		wait = nil
	}
	w := test.NewTempWindow(t, c.Content())
	w.Canvas().Focus(c.First())
	c.entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(sent) != 0 {
		t.Fatal("nothing was entered, and something sent")
	}
	fail = &ipc.Error{Code: ipc.CodeRefused, Message: "english", Why: ipc.WhyUsed}
	test.Type(c.entry, " 7K3M-Q9TD@support.example.com ")
	c.entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	test.Tap(c.press) // while the first is under way
	if len(sent) != 1 || sent[0] != "7K3M-Q9TD@support.example.com" || !c.press.Disabled() || c.said.Said() != cat.T("app.code.busy", nil) {
		t.Fatalf("sent %q, said %q", sent, c.said.Said())
	}
	finish()
	if c.said.Said() != cat.T("app.code.used", nil) || c.entry.Text == "" || c.press.Disabled() {
		t.Errorf("refused: said %q, the field holds %q", c.said.Said(), c.entry.Text)
	}
	fail = nil
	test.Tap(c.press)
	finish()
	if len(sent) != 2 || c.said.Said() != cat.T("app.code.asking", nil) || c.entry.Text != "" {
		t.Errorf("taken: sent %q, said %q, the field holds %q", sent, c.said.Said(), c.entry.Text)
	}
	if b := NewCode(cat, nil, "7K3M-Q9TD@support.example.com"); b.First() != fyne.Focusable(b.press) {
		t.Error("with a code in the field, the keyboard is not at the button")
	}
}
