package consentview

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

func TestNoTextIsSmall(t *testing.T) {
	d := open(t, sample()).show()
	d.lines(func(text *canvas.Text, _ fyne.Position) {
		if text.TextSize < 14 {
			t.Errorf("%q is drawn at %.0f", text.Text, text.TextSize)
		}
	})
	for _, o := range []fyne.CanvasObject{d.view.deny, d.view.allow, d.view.more, d.view.ticks[0], d.view.ticks[4]} {
		if h := o.Size().Height; h < control.MinTarget {
			t.Errorf("%T is only %.0f high", o, h)
		}
	}
}

// TestNothingIsClipped: each line of text lies within the window's width.
func TestNothingIsClipped(t *testing.T) {
	q := sample()
	q.Supporter = "Maximiliane Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtin"
	q.Companies[0].Name = strings.Repeat("W", 70)
	q.Companies[0].Verified = false
	q.Tool, q.Address = strings.Repeat("w", 60), strings.Repeat("8", 80)
	d := open(t, q).show()
	n := 0
	d.lines(func(text *canvas.Text, at fyne.Position) {
		w := theme.Measure(text.Text, text.TextSize, text.TextStyle).Width
		switch text.Alignment { // within the width that the text was given
		case fyne.TextAlignCenter:
			at.X += (text.Size().Width - w) / 2
		case fyne.TextAlignTrailing:
			at.X += text.Size().Width - w
		}
		if at.X < margin-1 || at.X+w > Width-margin+1 {
			t.Errorf("%q is drawn from %.0f to %.0f", text.Text, at.X, at.X+w)
		}
		n++
	})
	if n < 25 {
		t.Errorf("only %d lines were looked at", n)
	}
}

func TestFit(t *testing.T) {
	d := open(t, sample()).show()
	full := d.view.Size().Height
	if d.view.Fit(5000); d.view.Size().Height != full {
		t.Error("a large screen changes the height")
	}
	for _, room := range []float32{512, 256} {
		d.view.Fit(room)
		d.window.Resize(d.view.Size())
		if d.view.Size().Height > room {
			t.Errorf("on a screen with %.0f the window is %.0f high", room, d.view.Size().Height)
		}
		bottom := d.place(d.view.allow).Y + d.view.allow.Size().Height
		if bottom > room {
			t.Errorf("on a screen with %.0f the buttons end at %.0f", room, bottom)
		}
		if d.view.scroll.Size().Height < 60 {
			t.Errorf("on a screen with %.0f only %.0f of the text are seen", room, d.view.scroll.Size().Height)
		}
		d.window.Canvas().Capture() // the driver knows places only of what was drawn
		// The keyboard brings what it is on into sight.
		d.window.Canvas().Focus(d.view.ticks[4])
		y, top := d.place(d.view.ticks[4]).Y, d.place(d.view.scroll).Y
		if y < top-1 || y+d.view.ticks[4].Size().Height > top+d.view.scroll.Size().Height+1 {
			t.Errorf("on a screen with %.0f the focused tick is at %.0f of %.0f", room, y-top, d.view.scroll.Size().Height)
		}
		d.window.Canvas().Unfocus()
	}
}

func TestEveryLanguageFitsAnOrdinaryScreen(t *testing.T) {
	for _, lang := range assets.Langs() {
		d := openIn(t, sample(), lang)
		if got := d.view.Ask().Locale; got != lang {
			t.Errorf("%s is shown in %s", lang, got)
		}
		if h := d.view.Size().Height; h > 768-roomForBar-roomForTitle {
			t.Errorf("%s: the window is %.0f high: it would be scrolled on a screen with 768", lang, h)
		}
	}
}

// A name in a script that cannot be drawn is shown with marks, in the same
// window: who connects must not choose in which way the person is asked.
// Planted bug: give compositions q instead of what Marked makes of it.
func TestNameThatCannotBeDrawn(t *testing.T) {
	for _, name := range []string{"\U00013080\U00013081", "Ana \U00013080", "\U0001F600\u0f40"} {
		q := sample()
		q.Supporter, q.Companies[0].Name, q.Address, q.Tool, q.Companies[0].Engine, q.Companies[0].Readers = name, name, name, name, name, name
		d := open(t, q)
		shown := d.texts()
		if !strings.Contains(shown, string(viewmodel.Mark)) {
			t.Errorf("%q leaves no mark in\n%s", name, shown)
		}
		if missing := undrawn(d.view.Ask().Window()); len(missing) > 0 {
			t.Errorf("%U cannot be drawn", missing)
		}
		if hash := d.view.Ask().WindowSHA256(); hash != viewmodel.New(viewmodel.Marked(q, draws), assets.For("pt-BR"), t0).WindowSHA256() {
			t.Error("the hash is not of what is shown")
		}
	}
}

// The scales are those of the toolkit for the same screens.
func TestScale(t *testing.T) {
	for _, c := range []struct {
		width, mm int
		user      float32
		env       map[string]string
		want      float32
	}{
		{1280, 339, 1, nil, 1}, {1280, 0, 0, nil, 1}, {3840, 344, 1, nil, 2.4}, {3840, 344, 1.5, nil, 3.5},
		{3840, 344, 1, map[string]string{"FYNE_SCALE": "2"}, 4.7}, {3840, 344, 2, map[string]string{"FYNE_SCALE": "auto"}, 2.4},
		{3840, 344, 1, map[string]string{"FYNE_DISABLE_DPI_DETECTION": "true"}, 1}, {1920, 16, 1, nil, 1},
		{1024, 270, 1, map[string]string{"FYNE_SCALE": "x"}, 1},
	} {
		got := Screen{Width: c.width, Millimetres: c.mm}.scale(func(k string) string { return c.env[k] }, c.user)
		if got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestEdges: the buttons and the links end where the text does; only their rings
// stand in the margin. Planted: ends without over, the buttons without bleed.
func TestEdges(t *testing.T) {
	v := open(t, sample()).show()
	left := func(o fyne.CanvasObject) float32 { return v.place(o).X }
	right := func(o fyne.CanvasObject) float32 { return v.place(o).X + o.Size().Width }
	for what, got := range map[string]float32{
		"Don't allow begins": left(v.view.deny) + pushRing - margin, "Allow ends": right(v.view.allow) - pushRing - Width + margin,
		"the language ends": right(v.view.language) - linkSide - Width + margin, "Learn more ends": right(v.view.more) - linkSide - Width + margin,
		"a tick begins": left(v.view.ticks[0]) - margin,
	} {
		if got != 0 {
			t.Errorf("%s %.1f from the edge of the text", what, got)
		}
	}
}
