package mainview

import (
	"errors"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
)

func said(v *View) string {
	var lines []string
	for _, o := range v.state.Objects {
		lines = append(lines, o.(*widget.Label).Text)
	}
	return strings.Join(lines, "\n")
}

func TestMainWindow(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
	cat := assets.For("pt-BR")
	v := New(cat, "1.2.3", nil, func() {})
	test.NewTempWindow(t, v.Content()).Resize(v.Size())
	if said(v) != cat.T("app.loading", nil) {
		t.Errorf("before the service answered: %q", said(v))
	}
	v.show(ipc.Status{}, errors.New("gone"))
	if s := said(v); !strings.Contains(s, "não está respondendo") || !strings.HasSuffix(s, "AVL-IPC-02") || v.refresh.Text != "Tentar de novo" {
		t.Errorf("without the service: %q, %q", s, v.refresh.Text)
	}
	v.show(ipc.Status{Company: "Example Support", Link: "connected", Server: "s", Recording: 2, Sessions: 2, Device: "D"}, nil)
	s := said(v)
	for _, want := range []string{"2 sessões estão sendo registradas", "Example Support", "Aval ID: D"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is missing in %q", want, s)
		}
	}
	if strings.Contains(s, "AVL-IPC-02") || v.refresh.Text != "Atualizar" {
		t.Errorf("the service is back, and the window says %q", s)
	}
}

func TestGear(t *testing.T) {
	test.NewTempApp(t)
	opened := 0
	v := New(assets.For("en"), "1.2.3", nil, func() { opened++ })
	w := test.NewTempWindow(t, v.Content())
	w.Resize(v.Size())
	test.Tap(v.gear)
	v.show(ipc.Status{Device: "D"}, nil) // its Aval ID can have the focus too
	w.Canvas().FocusNext()
	w.Canvas().FocusNext()
	if w.Canvas().Focused() != v.gear {
		t.Fatalf("Tab does not reach the gear, but %T", w.Canvas().Focused())
	}
	v.gear.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if opened != 2 {
		t.Errorf("a click and Enter opened the settings %d times", opened)
	}
}
