package mainview

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
)

func said(v *View) string {
	var lines []string
	var walk func(all []fyne.CanvasObject)
	walk = func(all []fyne.CanvasObject) {
		for _, o := range all {
			switch o := o.(type) {
			case *control.Paragraph:
				lines = append(lines, o.Text)
			case *control.Button: // the Aval ID, to be copied
				lines = append(lines, o.Text)
			case *fyne.Container:
				walk(o.Objects)
			}
		}
	}
	walk(v.state.Objects[:1])
	lines = lines[1:] // the head
	walk(v.state.Objects[1:])
	return strings.Join(lines, "\n")
}

func TestMainWindow(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
	cat := assets.For("pt-BR")
	v := New(Config{Catalog: cat, Version: "1.2.3", Zone: time.UTC, Settings: func() {}, Activity: func() {}})
	test.NewTempWindow(t, v.Content()).Resize(v.Size())
	if said(v) != cat.T("app.loading", nil) {
		t.Errorf("before the service answered: %q", said(v))
	}
	v.show(Now{}, errors.New("gone"))
	if s := said(v); !strings.Contains(s, "não está respondendo") || !strings.HasSuffix(s, "AVL-IPC-02") || !v.refresh.Visible() {
		t.Errorf("without the service: %q, %q", s, v.refresh.Text)
	}
	v.show(Now{Status: ipc.Status{Company: "Example Support", Link: "connected", Server: "s", Recording: 1, Sessions: 2, Device: "D"}, Sessions: []ipc.SessionInfo{
		{Tool: "x11vnc", Supporter: "Ana", StartedAt: time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC), Outcome: consent.OutcomeAllowed, Recording: true},
		{Tool: "x11vnc", StartedAt: time.Date(2026, 11, 22, 14, 21, 0, 0, time.UTC), Outcome: consent.OutcomeRefused}}}, nil)
	s := said(v)
	for _, want := range []string{"1 sessão está sendo registrada", "Example Support", "Aval ID: D", "Ana, por", "desde as 14:20: está sendo registrada", "desde as 14:21: Não permitido"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is missing in %q", want, s)
		}
	}
	if strings.Contains(s, "AVL-IPC-02") || v.refresh.Visible() {
		t.Errorf("the service is back, and the window says %q", s)
	}
}

func TestGear(t *testing.T) {
	test.NewTempApp(t)
	opened := 0
	shown := 0
	v := New(Config{Catalog: assets.For("en"), Version: "1.2.3", Zone: time.UTC, Settings: func() { opened++ }, Activity: func() { shown++ }})
	w := test.NewTempWindow(t, v.Content())
	w.Resize(v.Size())
	test.Tap(v.gear)
	v.show(Now{Status: ipc.Status{Device: "D"}}, nil) // its Aval ID can have the focus too
	w.Canvas().FocusNext()
	w.Canvas().FocusNext()
	if w.Canvas().Focused() != v.gear {
		t.Fatalf("Tab does not reach the gear, but %T", w.Canvas().Focused())
	}
	v.gear.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	test.Tap(v.activity)
	if shown != 1 {
		t.Error("the activity was not opened")
	}
	id := v.state.Objects[len(v.state.Objects)-1].(*fyne.Container).Objects[0].(*fyne.Container).Objects[0].(*control.Button)
	test.Tap(id)
	if got := fyne.CurrentApp().Clipboard().Content(); got != "Aval ID: D" {
		t.Errorf("copied %q", got)
	}
	if opened != 2 {
		t.Errorf("a click and Enter opened the settings %d times", opened)
	}
}
