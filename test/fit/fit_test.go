package fit

import (
	"context"
	"image/color"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"aval/agent/ipc"
	"aval/assets"
	"aval/test/stage"
	"aval/ui/consentview"
	"aval/ui/mainview"
	"aval/ui/settingsview"
	"aval/ui/theme"
)

// TestFindsPlanted: text that is too long for its window, that lies over other
// text, that is cut by what scrolls it: each is found, and what fits is not.
func TestFindsPlanted(t *testing.T) {
	test.NewTempApp(t)
	text := func(s string, x, y float32) *canvas.Text {
		o := canvas.NewText(s, color.Black)
		o.Move(fyne.NewPos(x, y))
		o.Resize(o.MinSize())
		return o
	}
	long := strings.Repeat("long ", 40)
	for name, c := range map[string]struct {
		content fyne.CanvasObject
		want    string
	}{
		"fits":        {container.NewWithoutLayout(text("a", 0, 0), text("b", 0, 30)), ""},
		"too long":    {container.NewWithoutLayout(text(long, 0, 0)), "reaches from"},
		"to the left": {container.NewWithoutLayout(text("abc", -20, 0)), "reaches from"},
		"below":       {container.NewWithoutLayout(text("abc", 0, 195)), "reaches down"},
		"over":        {container.NewWithoutLayout(text("abc", 0, 0), text("def", 5, 5)), "lies over"},
		"scrolled":    {container.NewVScroll(container.NewWithoutLayout(text(long, 0, 900))), "reaches from"},
		"hidden":      {func() fyne.CanvasObject { o := text(long, 0, 0); o.Hide(); return o }(), ""},
	} {
		w := test.NewTempWindow(t, c.content)
		w.SetPadded(false)
		w.Resize(fyne.NewSize(300, 200))
		got := strings.Join(Find(c.content, fyne.NewSize(300, 200)), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

// check finds what does not fit of a content.
func check(t *testing.T, name string, content fyne.CanvasObject, size fyne.Size) {
	t.Helper()
	w := test.NewTempWindow(t, content)
	w.SetPadded(false)
	w.Resize(size)
	for _, wrong := range Find(content, size) {
		t.Errorf("%s: %s", name, wrong)
	}
}

// TestEveryWindow lays the windows out in every language, with ordinary and with
// very long names.
func TestEveryWindow(t *testing.T) {
	long := stage.Question(240)
	long.Supporter = "Maximiliane Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtin"
	long.Companies[0].Name = "Gesellschaft für Informationstechnik und Fernwartungsdienstleistungen Süd"
	long.AllowMinutes = 120
	two := stage.Question(30)
	two.Companies = append(two.Companies, ipc.QuestionCompany{ID: "c2", Name: "Example Industries", Engine: "some-model", RetentionDays: 30})
	for _, lang := range assets.Langs() {
		test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
		for name, q := range map[string]ipc.Question{"ask": stage.Question(30), "ask, long names": long, "ask, two companies": two} {
			v, err := consentview.New(consentview.Options{Question: q, Locale: lang, Now: time.Now, OnAnswer: func(consentview.Answer) {}})
			if err != nil {
				t.Fatal(err)
			}
			check(t, lang+", "+name, v.Content(), v.Size())
			v.Fit(420)
			check(t, lang+", "+name+", low", v.Content(), v.Size())
		}
		cat := assets.For(lang)
		main := mainview.New(cat, "1.2.3", func(context.Context) (ipc.Status, error) { return ipc.Status{}, nil }, func() {})
		check(t, lang+", main", main.Content(), main.Size())
		set := settingsview.New(cat, time.UTC, func(_ context.Context, _ ipc.Method, _, result any) error {
			if r, ok := result.(*ipc.SettingsResult); ok {
				*r = ipc.SettingsResult{SessionInsights: "denied", Effective: "denied", Origin: "setting"}
			}
			return nil
		}, func() {})
		check(t, lang+", settings", set.Content(), set.Size())
	}
}
