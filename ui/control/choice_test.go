package control

import (
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/ui/theme"
)

// TestChoiceByKeyboard: keys pick and step, the focus is seen, greyed it does
// nothing, and the mark is only what Set says.
func TestChoiceByKeyboard(t *testing.T) {
	test.NewTempApp(t)
	for _, box := range []bool{false, true} {
		picked, stepped, revealed := 0, 0, 0
		c := NewChoice(box)
		c.Pick, c.Step, c.Reveal = func() { picked++ }, func(by int) { stepped += by }, func() { revealed++ }
		c.Set("name", "meaning", false, false)
		w := test.NewTempWindow(t, c)
		w.Canvas().Focus(c)
		if c.frame.StrokeColor != color.Color(theme.Current().Focus) || revealed != 1 {
			t.Error("the focus is not seen")
		}
		for _, k := range []fyne.KeyName{fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter, fyne.KeyDown, fyne.KeyDown, fyne.KeyUp} {
			c.TypedKey(&fyne.KeyEvent{Name: k})
		}
		if picked != 3 || stepped != 1 || c.Chosen() {
			t.Errorf("picked %d times, stepped %d, marked %v", picked, stepped, c.Chosen())
		}
		c.Set("name", "meaning", true, true)
		test.Tap(c)
		c.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
		if picked != 3 || !c.Chosen() || !c.Disabled() {
			t.Error("a greyed choice was picked")
		}
		if c.MinSize().Height < MinTarget {
			t.Errorf("%v high", c.MinSize().Height)
		}
	}
}

func TestRowByKeyboard(t *testing.T) {
	test.NewTempApp(t)
	opened := 0
	r := NewRow("name", func() { opened++ })
	w := test.NewTempWindow(t, r)
	w.Canvas().Focus(r)
	if r.frame.StrokeColor != color.Color(theme.Current().Focus) || r.MinSize().Height < MinTarget {
		t.Errorf("no ring, or %v high", r.MinSize().Height)
	}
	r.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	test.Tap(r)
	if opened != 2 {
		t.Errorf("opened %d times", opened)
	}
}
