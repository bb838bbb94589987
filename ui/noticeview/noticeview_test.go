package noticeview

import (
	"errors"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// open shows a notice; what a button does is on the spot.
func open(t *testing.T, enforced bool, o Options) (*View, fyne.Window) {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
	o.Notice = viewmodel.NewNotice(ipc.Notice{Session: "x11vnc/1", Tool: "x11vnc", Supporter: "Ana Souza", Enforced: enforced, Groups: event.Groups,
		Company: ipc.QuestionCompany{Name: "Example Support", Engine: "rules", RetentionDays: 90}}, assets.For("pt-BR"))
	v := New(o)
	v.work = func(ask, show func()) { ask(); show() }
	w := test.NewTempWindow(t, v.Content())
	w.Resize(v.Size())
	return v, w
}

func TestObject(t *testing.T) {
	objections, refuse := 0, errors.New("no")
	v, _ := open(t, true, Options{Object: func() error { objections++; return refuse }, Settings: func() { t.Error("settings") }})
	test.Tap(v.act)
	if objections != 1 || v.act.Disabled() || v.why.Text != v.o.Notice.Failed {
		t.Fatalf("after a refusal: %d, %v, %q", objections, v.act.Disabled(), v.why.Text)
	}
	refuse = nil
	test.Tap(v.act)
	test.Tap(v.act) // once is enough
	if objections != 2 || !v.act.Disabled() || !strings.Contains(v.why.Text, "Objeção registrada") {
		t.Errorf("objected %d times, said %q", objections, v.why.Text)
	}
}

func TestSettings(t *testing.T) {
	led := 0
	v, _ := open(t, false, Options{Object: func() error { t.Error("objected"); return nil }, Settings: func() { led++ }})
	test.Tap(v.act)
	if led != 1 {
		t.Errorf("led to the settings %d times", led)
	}
}

func TestSeeAndClose(t *testing.T) {
	closed := 0
	v, w := open(t, true, Options{Close: func() { closed++ }})
	if v.seen.Visible() {
		t.Error("unfolded at first")
	}
	test.Tap(v.see)
	if !v.seen.Visible() {
		t.Error("not unfolded")
	}
	test.Tap(v.see)
	if v.seen.Visible() {
		t.Error("not folded")
	}
	test.Tap(v.ok)
	v.Key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if closed != 2 {
		t.Errorf("closed %d times", closed)
	}
	// The whole keyboard path, and nothing else on it.
	var path []fyne.Focusable
	for range 3 {
		w.Canvas().FocusNext()
		path = append(path, w.Canvas().Focused())
	}
	if path[0] != fyne.Focusable(v.act) || path[1] != fyne.Focusable(v.see) || path[2] != fyne.Focusable(v.ok) {
		t.Errorf("the path is %v", path)
	}
	if s := v.Size(); s.Width > 1024 || s.Height > 600 || v.root.MinSize().Height > s.Height {
		t.Errorf("size %v, needs %v", s, v.root.MinSize())
	}
}
