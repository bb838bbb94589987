package settingsview

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
)

// service answers as the agent does, out of its fields.
type service struct {
	own      consent.AccessControl
	enforced consent.AccessControl // by policy; empty: none
	refuse   string                // code with which changes are refused
	off      []event.Group         // left out by the person
	barred   []event.Group         // by policy
	language string
	gone     bool
	broken   bool // it answers, with errors
	sets     []consent.AccessControl
	lasting  []ipc.LastingAnswer
	revoked  []string
}

func (s *service) call(_ context.Context, m ipc.Method, params, result any) error {
	if s.gone {
		return errors.New("connection refused")
	}
	if s.broken {
		return &ipc.Error{Code: ipc.CodeFailed, Message: "no"}
	}
	switch m {
	case ipc.MethodSettingsGet:
		r := ipc.SettingsResult{SessionInsights: s.own, Effective: s.own, Origin: "setting"}
		switch {
		case s.enforced != "":
			r.Effective, r.Origin, r.Enforced = s.enforced, "enforced-policy", true
		case s.own == consent.AccessCorrupt:
			r.Effective, r.Origin = consent.AccessDenied, "setting-corrupt"
		case s.own == consent.AccessUnset:
			r.Effective, r.Origin = consent.AccessAfterConfirmation, "default"
		}
		r.Language = s.language
		for _, g := range event.Groups {
			own, barred := !slices.Contains(s.off, g), slices.Contains(s.barred, g)
			r.Groups = append(r.Groups, ipc.GroupSetting{Group: g, Own: own, Barred: barred, Record: own && !barred})
		}
		r.Lasting = s.lasting
		*result.(*ipc.SettingsResult) = r
	case ipc.MethodConsentWithdraw:
		if s.refuse != "" {
			return &ipc.Error{Code: s.refuse, Message: "no"}
		}
		s.revoked = append(s.revoked, params.(ipc.Withdraw).ID)
		s.lasting = nil
	case ipc.MethodSettingsSet:
		p := params.(ipc.SettingsSet)
		s.sets = append(s.sets, p.SessionInsights)
		if s.refuse != "" {
			return &ipc.Error{Code: s.refuse, Message: "no"}
		}
		switch {
		case p.SessionInsights != "":
			s.own = p.SessionInsights
		case len(p.Record) > 0:
			s.off = slices.DeleteFunc(slices.Clone(event.Groups), func(g event.Group) bool { return slices.Contains(p.Record, g) })
		case p.Language == "default":
			s.language = ""
		default:
			s.language = p.Language
		}
	}
	return nil
}

// open shows the settings of s, in a window of the size that they ask for; the
// service is asked on the spot.
func open(t *testing.T, s *service) (*View, fyne.Window) {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
	v := New(Config{Catalog: assets.For("pt-BR"), Zone: time.UTC, Call: s.call, Page: PageInsights})
	v.work = func(ask, show func()) { ask(); show() }
	w := test.NewTempWindow(t, v.Content())
	w.Resize(v.Size())
	v.Refresh()
	return v, w
}

// chosen names the values that are marked.
func chosen(v *View) string {
	var all []string
	for i, c := range v.choices {
		if c.Chosen() {
			all = append(all, string(v.values[i]))
		}
	}
	return strings.Join(all, ",")
}

func TestChangeAndUndo(t *testing.T) {
	s := &service{own: consent.AccessUnset}
	v, _ := open(t, s)
	if chosen(v) != "unset" || v.foot.Visible() {
		t.Fatalf("at first %q is marked; a notice is shown: %v", chosen(v), v.foot.Visible())
	}
	test.Tap(v.choices[1])
	if s.own != consent.AccessDenied || chosen(v) != "denied" || !strings.Contains(v.notice.Text, "Negado") || !v.undoing.Visible() || !v.foot.Visible() {
		t.Fatalf("after the choice: stored %q, marked %q, said %q", s.own, chosen(v), v.notice.Text)
	}
	test.Tap(v.undoing)
	if s.own != consent.AccessUnset || chosen(v) != "unset" || !strings.Contains(v.notice.Text, "Padrão") || v.undoing.Visible() {
		t.Fatalf("after Undo: stored %q, marked %q, said %q", s.own, chosen(v), v.notice.Text)
	}
	test.Tap(v.choices[3])
	if len(s.sets) != 2 {
		t.Errorf("what is in force already was set again: %v", s.sets)
	}
}

// TestUndoOfAnotherChange: what was changed elsewhere since is not undone.
func TestUndoOfAnotherChange(t *testing.T) {
	s := &service{own: consent.AccessDenied}
	v, _ := open(t, s)
	test.Tap(v.choices[2])
	v.Refresh()
	if !v.undoing.Visible() {
		t.Fatal("a look at the service took Undo away")
	}
	s.own = consent.AccessAllowed
	v.Refresh()
	if v.foot.Visible() || chosen(v) != "allowed" {
		t.Errorf("Undo is offered for a change that was changed elsewhere; marked: %q", chosen(v))
	}
}

// TestRefused: a refusal is said in words, and the old choice is marked. To see
// it fail, mark the choice in change before the service has answered, and do
// not load again.
func TestRefused(t *testing.T) {
	for code, want := range map[string]string{
		ipc.CodeRefused: "há alguém do suporte",
		ipc.CodeFailed:  "AVL-SET-01",
	} {
		s := &service{own: consent.AccessDenied, refuse: code}
		v, _ := open(t, s)
		test.Tap(v.choices[0])
		if len(s.sets) != 1 || chosen(v) != "denied" || !strings.Contains(v.notice.Text, want) || v.undoing.Visible() {
			t.Errorf("%s: marked %q, said %q", code, chosen(v), v.notice.Text)
		}
	}
}

// TestPolicyAtTheLastMoment: the policy came between the look and the click.
func TestPolicyAtTheLastMoment(t *testing.T) {
	s := &service{own: consent.AccessDenied, refuse: ipc.CodeRefused}
	v, _ := open(t, s)
	s.enforced = consent.AccessAllowed
	test.Tap(v.choices[2])
	if chosen(v) != "allowed" || !v.choices[2].Disabled() || !strings.Contains(v.notice.Text, "política") {
		t.Errorf("marked %q, said %q", chosen(v), v.notice.Text)
	}
}

func TestGreyed(t *testing.T) {
	s := &service{own: consent.AccessDenied, enforced: consent.AccessAllowed}
	v, w := open(t, s)
	for _, c := range v.choices {
		test.Tap(c)
		c.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
		if !c.Disabled() {
			t.Errorf("%s is not greyed", c.Name())
		}
	}
	if len(s.sets) > 0 || chosen(v) != "allowed" || !strings.Contains(v.force.Text, "Definido pela política") {
		t.Errorf("set %v, marked %q, said %q", s.sets, chosen(v), v.force.Text)
	}
	if v.layers.Visible() {
		t.Error("the layers are unfolded")
	}
	w.Canvas().FocusNext() // the way back
	w.Canvas().FocusNext()
	w.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	var layers []string
	for _, o := range v.layers.Objects {
		layers = append(layers, o.(*control.Paragraph).Said())
	}
	if !v.layers.Visible() || !strings.Contains(strings.Join(layers, "\n"), "Sua escolha: Negado") {
		t.Errorf("Why shows %q", layers)
	}
	s.enforced = ""
	v.Refresh()
	if v.choices[0].Disabled() || chosen(v) != "denied" {
		t.Error("the policy is gone, and the choices are still greyed")
	}
}

func TestCorrupt(t *testing.T) {
	s := &service{own: consent.AccessCorrupt}
	v, _ := open(t, s)
	if chosen(v) != "" || !strings.Contains(v.force.Text, "danificada") {
		t.Errorf("marked %q, said %q", chosen(v), v.force.Text)
	}
	test.Tap(v.choices[1])
	if s.own != consent.AccessDenied || v.undoing.Visible() {
		t.Errorf("stored %q; Undo back to damage: %v", s.own, v.undoing.Visible())
	}
}

func TestServiceGone(t *testing.T) {
	s := &service{own: consent.AccessDenied}
	v, _ := open(t, s)
	s.gone = true
	test.Tap(v.choices[2])
	if v.body.Visible() || !v.gone.Visible() || !strings.Contains(v.goneText.Text, "não está respondendo") || v.goneCode.Text != "AVL-IPC-02" || v.foot.Visible() {
		t.Errorf("without the service it says %q", v.goneText.Text)
	}
	s.gone, s.broken = false, true
	v.Refresh()
	if strings.Contains(v.goneText.Text, "não está respondendo") || v.goneCode.Text != "AVL-SET-02" {
		t.Errorf("of a service that answers with an error it says %q", v.goneText.Text)
	}
	s.broken = false
	test.Tap(v.retry)
	if !v.body.Visible() || v.gone.Visible() || chosen(v) != "denied" {
		t.Error("the service is back, and the window does not show it")
	}
}

// TestKeyboard: Tab reaches everything, arrows move without choosing.
func TestKeyboard(t *testing.T) {
	s := &service{own: consent.AccessUnset}
	v, w := open(t, s)
	w.Resize(fyne.NewSize(500, 260)) // as little as a small screen at 200 % leaves
	for range 6 {
		w.Canvas().FocusNext()
	}
	last := v.choices[3]
	if w.Canvas().Focused() != last {
		t.Fatalf("the sixth Tab reaches %T", w.Canvas().Focused())
	}
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(last).Y
	top := fyne.CurrentApp().Driver().AbsolutePositionForObject(v.scroll).Y
	if at < top-1 || at+last.Size().Height > top+v.scroll.Size().Height+1 {
		t.Errorf("the focus is out of sight: at %v to %v of %v to %v", at, at+last.Size().Height, top, top+v.scroll.Size().Height)
	}
	last.TypedKey(&fyne.KeyEvent{Name: fyne.KeyUp})
	if w.Canvas().Focused() != v.choices[2] || len(s.sets) > 0 {
		t.Errorf("an arrow led to %T and set %v", w.Canvas().Focused(), s.sets)
	}
	v.choices[2].TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if s.own != consent.AccessAfterConfirmation {
		t.Errorf("Enter stored %q", s.own)
	}
	v.undoing.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if s.own != consent.AccessUnset {
		t.Errorf("Undo by key stored %q", s.own)
	}
}

// TestClickDuringRefresh: a choice made while the service is being asked is not lost.
func TestClickDuringRefresh(t *testing.T) {
	s := &service{own: consent.AccessUnset}
	v, _ := open(t, s)
	var late []func()
	v.work = func(ask, show func()) { late = append(late, func() { ask(); show() }) }
	v.Refresh()
	test.Tap(v.choices[1])
	for len(late) > 0 {
		f := late[0]
		late = late[1:]
		f()
	}
	if s.own != consent.AccessDenied || chosen(v) != "denied" {
		t.Errorf("stored %q, marked %q", s.own, chosen(v))
	}
}

// TestBack: the way back is where it is seen, before everything else.
func TestBack(t *testing.T) {
	test.NewTempApp(t)
	back := 0
	v := New(Config{Catalog: assets.For("en"), Zone: time.UTC, Call: (&service{own: consent.AccessUnset}).call, Page: PageInsights, Back: func() { back++ }})
	v.work = func(ask, show func()) { ask(); show() }
	w := test.NewTempWindow(t, v.Content())
	w.Resize(v.Size())
	v.Refresh()
	for n := 0; v.Page() != PageHome; n++ { // up the whole way, and out
		if n > int(pageCount) {
			t.Fatal("Back goes in circles")
		}
		w.Canvas().Unfocus()
		w.Canvas().FocusNext()
		w.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	}
	w.Canvas().Unfocus()
	w.Canvas().FocusNext()
	w.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if back != 1 {
		t.Errorf("the first Tab leads to %T", w.Canvas().Focused())
	}
}

// TestWay: from the gear down to Session Insights, which is the last row of
// access control, by the keyboard alone: each page says what is so now.
func TestWay(t *testing.T) {
	s := &service{own: consent.AccessDenied}
	v, w := open(t, s)
	v.turn(PageHome)
	enter := func(want Page) {
		t.Helper()
		w.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		if v.Page() != want {
			t.Fatalf("page %d instead of %d", v.Page(), want)
		}
	}
	enter(PageDevice)
	enter(PageAdvanced)
	if v.access.Text != "Configurações personalizadas" {
		t.Errorf("access control: %q", v.access.Text)
	}
	enter(PageAccess)
	rows := v.pages[PageAccess].Objects
	if rows[len(rows)-1] != fyne.CanvasObject(v.toInsights) || v.toInsights.Now() != "Negado" {
		t.Errorf("the last row says %q", v.toInsights.Now())
	}
	enter(PageInsights)
	if chosen(v) != "denied" || w.Canvas().Focused() != v.choices[1] {
		t.Errorf("the focus is not on what is chosen: %q", chosen(v))
	}
}

// TestRecord: a group is left out and let in again, what a policy bars is greyed,
// and the last one stays.
func TestRecord(t *testing.T) {
	s := &service{own: consent.AccessUnset, barred: []event.Group{event.System}}
	v, _ := open(t, s)
	v.turn(PageRecord)
	if v.toRecord[0].Now() != "4 de 5 tipos" || !v.ticks[3].Disabled() || v.ticks[3].Chosen() {
		t.Errorf("barred by policy: %q, greyed %v", v.toRecord[0].Now(), v.ticks[3].Disabled())
	}
	test.Tap(v.ticks[0])
	if !slices.Equal(s.off, []event.Group{event.Windows}) || v.ticks[0].Chosen() || !strings.Contains(v.notice.Text, "3 de 5 tipos") {
		t.Errorf("left out %v, said %q", s.off, v.notice.Text)
	}
	test.Tap(v.undoing)
	if len(s.off) != 0 || !v.ticks[0].Chosen() {
		t.Errorf("after Undo %v is left out", s.off)
	}
	s.off = []event.Group{event.Windows, event.Commands, event.Files, event.System}
	v.Refresh()
	sets := len(s.sets)
	test.Tap(v.ticks[4])
	if len(s.sets) != sets || !v.ticks[4].Chosen() || !strings.Contains(v.notice.Text, "Negado") {
		t.Errorf("the last group: %d requests, said %q", len(s.sets)-sets, v.notice.Text)
	}
}

// TestLanguage: the window is told of a choice, also of one made elsewhere.
func TestLanguage(t *testing.T) {
	s := &service{own: consent.AccessUnset}
	v, _ := open(t, s)
	var told []string
	v.spoke = func(lang string) { told = append(told, lang) }
	v.turn(PageLanguage)
	if !v.tongues[0].Chosen() {
		t.Error("the desktop's own is not marked")
	}
	test.Tap(v.tongues[slices.Index(v.spoken, "en")])
	test.Tap(v.undoing)
	s.language = "pt-BR"
	v.Refresh()
	if !slices.Equal(told, []string{"en", "", "pt-BR"}) {
		t.Errorf("told of %q", told)
	}
}

// TestLasting: answers that hold for further sessions are listed, and taken back
// with one click; what the service refuses stays.
func TestLasting(t *testing.T) {
	at := time.Date(2026, 3, 2, 14, 2, 0, 0, time.UTC)
	s := &service{lasting: []ipc.LastingAnswer{{ID: "G1", Supporter: "Ana\nSouza", Company: "Example Support", At: at, Until: at.Add(time.Hour)}}, refuse: ipc.CodeFailed}
	v, _ := open(t, s)
	var label *control.Paragraph
	var button *control.Button
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *fyne.Container:
			for _, c := range o.Objects {
				walk(c)
			}
		case *control.Paragraph:
			label = o
		case *control.Button:
			button = o
		}
	}
	walk(v.lasting)
	if !v.lasting.Visible() || label == nil || button == nil || label.Text != "Ana Souza, de Example Support: permitido às 14:02, sem perguntar de novo até 15:02." {
		t.Fatalf("%v, %+v", v.lasting.Visible(), label)
	}
	test.Tap(button)
	if !v.lasting.Visible() || v.notice.Text != v.cat.T("settings.failed", nil) {
		t.Errorf("after a refusal: %q", v.notice.Text)
	}
	s.refuse = ""
	test.Tap(button)
	if len(s.revoked) != 1 || s.revoked[0] != "G1" || v.lasting.Visible() || !strings.Contains(v.notice.Text, "Retirada") {
		t.Errorf("revoked %v, said %q", s.revoked, v.notice.Text)
	}
}
