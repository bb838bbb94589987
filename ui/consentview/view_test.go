package consentview

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

var t0 = time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC)

func sample() ipc.Question {
	return ipc.Question{
		Question: "q", Tool: "x11vnc", Supporter: "Ana Souza", Address: "203.0.113.7", ConnectedAt: t0.Add(-12 * time.Second),
		Companies: []ipc.QuestionCompany{{Name: "Example Support", Verified: true, Engine: "rules", RetentionDays: 90}},
		Offered:   event.Groups, AnswerSeconds: 30,
	}
}

// desk is a view in a window without a screen, with a clock that stands still.
type desk struct {
	*testing.T
	view    *View
	window  fyne.Window
	now     time.Time
	answers []Answer
}

func open(t *testing.T, q ipc.Question) *desk {
	t.Helper()
	return openIn(t, q, "pt_BR.UTF-8")
}

func openIn(t *testing.T, q ipc.Question, locale string) *desk {
	t.Helper()
	app := test.NewTempApp(t)
	app.Settings().SetTheme(theme.Aval{})
	d := &desk{T: t, now: t0}
	var err error
	d.view, err = New(Options{Question: q, Locale: locale, Now: func() time.Time { return d.now },
		OnAnswer: func(a Answer) { d.answers = append(d.answers, a) }})
	if err != nil {
		t.Fatal(err)
	}
	d.window = test.NewTempWindow(t, d.view.Content())
	d.window.SetPadded(false)
	d.window.Resize(d.view.Size())
	d.window.Canvas().SetOnTypedKey(d.view.Key)
	return d
}

// show makes the window one whose answers count.
func (d *desk) show() *desk {
	d.view.SetDeadline(d.now.Add(30 * time.Second))
	d.view.Seen()
	d.pass(viewmodel.ArmingDelay)
	return d
}

func (d *desk) pass(t time.Duration) {
	d.now = d.now.Add(t)
	d.view.Tick()
}

type clickable interface {
	fyne.Tappable
	desktop.Mouseable
}

func press(o clickable) { o.MouseDown(&desktop.MouseEvent{Button: desktop.MouseButtonPrimary}) }

func release(o clickable) {
	o.MouseUp(&desktop.MouseEvent{Button: desktop.MouseButtonPrimary})
	o.Tapped(&fyne.PointEvent{})
}

func click(o clickable) { press(o); release(o) }

// key presses and releases a key where the focus is.
func (d *desk) key(name fyne.KeyName) {
	e := &fyne.KeyEvent{Name: name}
	if name == fyne.KeyTab {
		d.window.Canvas().FocusNext()
		return
	}
	focused := d.window.Canvas().Focused()
	if focused == nil {
		d.window.Canvas().OnTypedKey()(e)
		return
	}
	focused.(desktop.Keyable).KeyDown(e)
	focused.TypedKey(e)
	if again := d.window.Canvas().Focused(); again != nil {
		again.(desktop.Keyable).KeyUp(e)
	}
}

// walk visits what is visible, with its place in the window.
func walk(o fyne.CanvasObject, at fyne.Position, visit func(fyne.CanvasObject, fyne.Position)) {
	if !o.Visible() {
		return
	}
	at = at.Add(o.Position())
	visit(o, at)
	switch o := o.(type) {
	case *fyne.Container:
		for _, child := range o.Objects {
			walk(child, at, visit)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(o).Objects() {
			walk(child, at, visit)
		}
	}
}

// place is where o is in the window.
func (d *desk) place(o fyne.CanvasObject) (place fyne.Position) {
	d.Helper()
	found := false
	walk(d.view.Content(), fyne.Position{}, func(each fyne.CanvasObject, at fyne.Position) {
		if each == o {
			place, found = at, true
		}
	})
	if !found {
		d.Fatalf("%T is not in the window", o)
	}
	return place
}

// lines are all lines of text that are visible, with their places.
func (d *desk) lines(visit func(*canvas.Text, fyne.Position)) {
	walk(d.view.Content(), fyne.Position{}, func(o fyne.CanvasObject, at fyne.Position) {
		if text, ok := o.(*canvas.Text); ok && text.Text != "" {
			visit(text, at)
		}
	})
}

func (d *desk) texts() string {
	var lines []string
	d.lines(func(text *canvas.Text, _ fyne.Position) { lines = append(lines, text.Text) })
	return strings.Join(lines, " ")
}

func (d *desk) want(n int) {
	d.Helper()
	if len(d.answers) != n {
		d.Fatalf("%d answers came, want %d: %+v", len(d.answers), n, d.answers)
	}
}

func TestSaysWhatTheViewModelSays(t *testing.T) {
	d := open(t, sample()).show()
	shown := d.texts()
	a := d.view.Ask()
	for _, line := range strings.Split(a.Window(), "\n") {
		hidden := slices.Contains(append([]string{a.Less, a.Arming, a.NoGroups, a.Covered, a.Remote, a.Countdown(30 * time.Second)}, a.Details...), line)
		if !hidden && !strings.Contains(shown, line) {
			t.Errorf("%q is not drawn in\n%s", line, shown)
		}
	}
	if !strings.Contains(shown, "Sem resposta em 29 s") {
		t.Errorf("the time left is not drawn in\n%s", shown)
	}
}

func TestBothButtonsWeighTheSame(t *testing.T) {
	d := open(t, sample()).show()
	if d.view.deny.Size() != d.view.allow.Size() || d.view.deny.Position().Y != d.view.allow.Position().Y {
		t.Errorf("Don't allow is %v, Allow %v", d.view.deny.Size(), d.view.allow.Size())
	}
	if d.window.Canvas().Focused() != nil {
		t.Errorf("%v has the focus", d.window.Canvas().Focused())
	}
}

func TestClicks(t *testing.T) {
	d := open(t, sample()).show()
	click(d.view.allow)
	d.want(1)
	a := d.answers[0]
	if !a.Allow || !slices.Equal(a.Groups, event.Groups) || a.Locale != "pt-BR" || a.TextSHA256 != d.view.Ask().WindowSHA256() {
		t.Errorf("the answer is %+v", a)
	}
	click(d.view.deny) // an answer is given once
	d.view.Close()
	d.want(1)

	d = open(t, sample()).show()
	click(d.view.deny)
	d.want(1)
	if d.answers[0].Allow || d.answers[0].Groups != nil {
		t.Errorf("the answer is %+v", d.answers[0])
	}
}

// TestWhenAnswersCount: to plant the bug, let View.counts leave out one of its
// conditions; a row fails for each.
func TestWhenAnswersCount(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(*desk)
		counts bool
	}{
		"never seen":               {func(d *desk) { d.view.SetDeadline(d.now.Add(30 * time.Second)); d.pass(2 * time.Second) }, false},
		"the service knows not":    {func(d *desk) { d.view.Seen(); d.pass(2 * time.Second) }, false},
		"in the first second":      {func(d *desk) { d.show(); d.now = d.now.Add(-time.Millisecond) }, false},
		"after it":                 {func(d *desk) { d.show() }, true},
		"covered":                  {func(d *desk) { d.show(); d.view.Covered(); d.pass(9 * time.Second) }, false},
		"just uncovered":           {func(d *desk) { d.show(); d.view.Covered(); d.view.Seen(); d.pass(999 * time.Millisecond) }, false},
		"a second after":           {func(d *desk) { d.show(); d.view.Covered(); d.view.Seen(); d.pass(time.Second) }, true},
		"just moved":               {func(d *desk) { d.show(); d.view.Disturbed(); d.pass(999 * time.Millisecond) }, false},
		"a second after the move":  {func(d *desk) { d.show(); d.view.Disturbed(); d.pass(time.Second) }, true},
		"when the time is over":    {func(d *desk) { d.show(); d.pass(29 * time.Second) }, false},
		"just before it is":        {func(d *desk) { d.show(); d.pass(29*time.Second - time.Millisecond) }, true},
		"with the clock set back":  {func(d *desk) { d.show(); d.now = d.now.Add(-time.Hour) }, false},
		"with the clock set ahead": {func(d *desk) { d.show(); d.now = d.now.Add(time.Hour) }, false},
	} {
		for what, answer := range map[string]func(*desk){
			"Allow":       func(d *desk) { click(d.view.allow) },
			"Don't allow": func(d *desk) { click(d.view.deny) },
			"Esc":         func(d *desk) { d.key(fyne.KeyEscape) },
		} {
			d := open(t, sample())
			c.do(d)
			answer(d)
			if got := len(d.answers) == 1; got != c.counts {
				t.Errorf("%s %s: counts %v, want %v", what, name, got, c.counts)
			}
		}
	}
}

// TestPressThatBeganTooEarly: a press that is released when answers count did
// not begin as an answer.
func TestPressThatBeganTooEarly(t *testing.T) {
	d := open(t, sample())
	d.view.SetDeadline(d.now.Add(30 * time.Second))
	d.view.Seen()
	press(d.view.allow)
	d.pass(2 * time.Second)
	release(d.view.allow)
	d.want(0)
	d.view.allow.MouseDown(&desktop.MouseEvent{Button: desktop.MouseButtonSecondary})
	release(d.view.allow)
	d.want(0)
	press(d.view.allow)
	d.view.allow.MouseOut()
	d.view.allow.Tapped(&fyne.PointEvent{})
	d.want(0)
	click(d.view.allow)
	d.want(1)
}

// TestHeldKey: a key that is held down while the window arms repeats, and does
// not answer.
func TestHeldKey(t *testing.T) {
	d := open(t, sample())
	d.view.SetDeadline(d.now.Add(30 * time.Second))
	d.view.Seen()
	d.window.Canvas().Focus(d.view.allow)
	e := &fyne.KeyEvent{Name: fyne.KeyReturn}
	d.view.allow.KeyDown(e)
	d.view.allow.TypedKey(e)
	d.pass(2 * time.Second)
	if d.window.Canvas().Focused() != nil {
		t.Error("what got the focus too early keeps it")
	}
	d.view.allow.TypedKey(e)
	d.want(0)
}

func TestKeyboardPath(t *testing.T) {
	d := open(t, sample()).show()
	d.key(fyne.KeyReturn)
	d.key(fyne.KeySpace)
	d.want(0) // nothing has the focus
	var path []fyne.Focusable
	for range 9 {
		d.key(fyne.KeyTab)
		path = append(path, d.window.Canvas().Focused())
	}
	want := []fyne.Focusable{path[0]}
	for _, t := range d.view.ticks {
		want = append(want, t)
	}
	want = append(want, d.view.more, d.view.deny, d.view.allow)
	if l, ok := path[0].(*link); !ok || l.label != "PT" || l.AccessibilityLabel() != "Português" || !slices.Equal(path, want) {
		t.Fatalf("the path is %v", path)
	}
	for _, name := range []fyne.KeyName{fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace} {
		d := open(t, sample()).show()
		d.window.Canvas().Focus(d.view.allow)
		d.key(name)
		d.want(1)
		if !d.answers[0].Allow {
			t.Errorf("%s on Allow does not allow", name)
		}
	}
	d = open(t, sample()).show()
	d.window.Canvas().Focus(d.view.allow)
	d.key(fyne.KeyEscape)
	d.want(1)
	if d.answers[0].Allow {
		t.Error("Esc on Allow allows")
	}
}

func TestUnticking(t *testing.T) {
	d := open(t, sample()).show()
	click(d.view.ticks[1])
	d.window.Canvas().Focus(d.view.ticks[3])
	d.key(fyne.KeySpace)
	click(d.view.allow)
	d.want(1)
	if want := []event.Group{event.Windows, event.Files, event.Chat}; !slices.Equal(d.answers[0].Groups, want) {
		t.Errorf("granted are %v, want %v", d.answers[0].Groups, want)
	}

	d = open(t, sample()).show()
	for _, tick := range d.view.ticks {
		click(tick)
	}
	if !strings.Contains(d.texts(), d.view.Ask().NoGroups) {
		t.Error("nothing says why Allow cannot be chosen")
	}
	click(d.view.allow)
	d.window.Canvas().Focus(d.view.allow)
	d.key(fyne.KeyReturn)
	d.want(0)
	click(d.view.ticks[4])
	click(d.view.allow)
	d.want(1)
}

// TestFurtherSessions: the line is there only where it is offered, nothing is
// ticked for the person, and the choice stays in another language.
func TestFurtherSessions(t *testing.T) {
	d := open(t, sample()).show()
	if d.view.last != nil || d.view.Ask().Further != "" {
		t.Error("offered although the question does not")
	}
	q := sample()
	q.AllowMinutes = 120
	for name, row := range map[string]struct {
		do   func(*desk)
		want int
	}{
		"untouched":            {func(*desk) {}, 0},
		"ticked":               {func(d *desk) { click(d.view.last) }, 120},
		"by keyboard":          {func(d *desk) { d.window.Canvas().Focus(d.view.last); d.key(fyne.KeySpace) }, 120},
		"ticked and unticked":  {func(d *desk) { click(d.view.last); click(d.view.last) }, 0},
		"ticked, then English": {func(d *desk) { click(d.view.last); d.view.choose(assets.For("en")) }, 120},
	} {
		d := open(t, q).show()
		if !strings.Contains(d.texts(), "Não perguntar de novo por 2 h") || d.view.last.on {
			t.Fatalf("%s: not offered, or ticked already:\n%s", name, d.texts())
		}
		row.do(d)
		click(d.view.allow)
		d.want(1)
		if a := d.answers[0]; a.ForMinutes != row.want || len(a.Groups) != 5 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	d = open(t, q).show()
	click(d.view.last)
	click(d.view.deny)
	d.want(1)
	if d.answers[0].ForMinutes != 0 {
		t.Errorf("a no for further sessions: %+v", d.answers[0])
	}
	d = open(t, q) // not shown yet: no click counts
	click(d.view.last)
	if d.view.last.on {
		t.Error("ticked before it counted")
	}
}

func TestLanguage(t *testing.T) {
	d := open(t, sample()).show()
	size, hash := d.view.Size(), d.view.Ask().WindowSHA256()
	click(d.view.ticks[0])
	d.key(fyne.KeyTab)
	d.key(fyne.KeySpace)
	var offered []string
	for _, e := range d.view.menu.entries {
		offered = append(offered, e.label)
	}
	if want := []string{"Deutsch", "English", "Español", "Français", "Italiano", "Nederlands", "Polski", "日本語", "简体中文"}; !slices.Equal(offered, want) {
		t.Errorf("offered are %q", offered)
	}
	d.key(fyne.KeyDown)
	d.key(fyne.KeySpace)
	if d.view.Ask().Locale != "en" || !strings.Contains(d.texts(), "Allow a summary of this session?") {
		t.Fatalf("the language is %s:\n%s", d.view.Ask().Locale, d.texts())
	}
	if d.view.Size() != size {
		t.Error("the window's size depends on the language")
	}
	click(d.view.allow)
	d.want(1)
	a := d.answers[0]
	if a.Locale != "en" || a.TextSHA256 == hash || slices.Contains(a.Groups, event.Windows) {
		t.Errorf("the answer is %+v", a)
	}
}

func TestDetails(t *testing.T) {
	d := open(t, sample()).show()
	at, size := d.place(d.view.allow), d.view.Size()
	detail := d.view.Ask().Details[0]
	if strings.Contains(d.texts(), detail) {
		t.Error("the details are unfolded at first")
	}
	click(d.view.more)
	if !strings.Contains(d.texts(), detail) || !strings.Contains(d.texts(), d.view.Ask().Less) {
		t.Error("the details do not unfold")
	}
	if d.place(d.view.allow) != at || d.view.Size() != size {
		t.Error("unfolding moves the buttons")
	}
	click(d.view.more)
	if strings.Contains(d.texts(), detail) {
		t.Error("the details do not fold")
	}
}

func TestTime(t *testing.T) {
	d := open(t, sample())
	if d.view.Tick() || !strings.Contains(d.texts(), "Sem resposta em 30 s") || !strings.Contains(d.texts(), "um momento…") {
		t.Errorf("before it is shown:\n%s", d.texts())
	}
	d.show()
	if strings.Contains(d.texts(), "um momento…") {
		t.Error("the buttons count, and the window says that they do not")
	}
	d.view.Covered()
	if !strings.Contains(d.texts(), d.view.Ask().Covered) {
		t.Error("nothing says that the window is covered")
	}
	d.view.Seen()
	d.pass(14 * time.Second)
	if !strings.Contains(d.texts(), "Sem resposta em 15 s") || d.view.time.left != 0.5 {
		t.Errorf("half of the time is %.2f:\n%s", d.view.time.left, d.texts())
	}
	if d.now = t0.Add(30 * time.Second); !d.view.Tick() {
		t.Error("the time is not over")
	}
	d.want(0)
}

func TestCloseCountsAlways(t *testing.T) {
	d := open(t, sample())
	d.view.Close()
	d.want(1)
	if d.answers[0].Allow {
		t.Error("closing allows")
	}
}

// The question after the supporter has left says what is at stake, and closing
// it is no answer: neither Send nor Delete.
func TestLeave(t *testing.T) {
	q := sample()
	q.Leave = &ipc.QuestionLeave{Items: 42, From: time.Now().Add(-3 * time.Minute), Until: time.Now().Add(24 * time.Hour)}
	d := open(t, q).show()
	shown := d.texts()
	for _, want := range []string{"desconectou", "42 itens registrados", "Enviar", "Apagar", "Ver antes", "o registro é apagado"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not drawn in\n%s", want, shown)
		}
	}
	for _, no := range []string{"não será registrado", "Permitir acesso"} {
		if strings.Contains(shown, no) {
			t.Errorf("%q is drawn", no)
		}
	}
	d.view.Close()
	d.want(1)
	if a := d.answers[0]; a.Allow || !a.Later {
		t.Errorf("%+v", a)
	}
}
