package control

import (
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/ui/theme"
)

func TestButtonByKeyboard(t *testing.T) {
	test.NewTempApp(t)
	n, focused := 0, 0
	b := NewButton("x", nil, func() { n++ })
	b.Focused = func() { focused++ }
	ring := test.TempWidgetRenderer(t, b).(*ringed).ring
	if ring.StrokeColor != color.Color(color.Transparent) {
		t.Error("a ring without the focus")
	}
	c := test.NewTempWindow(t, b).Canvas()
	c.Focus(b)
	if ring.StrokeColor != color.Color(theme.Current().Focus) {
		t.Error("no ring with the focus")
	}
	press := func() {
		for _, name := range []fyne.KeyName{fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter, fyne.KeyEscape} {
			b.TypedKey(&fyne.KeyEvent{Name: name})
		}
	}
	press()
	if n != 3 || focused != 1 || c.Focused() != b {
		t.Errorf("Space and both Enters pressed the button %d times; it was told of the focus %d times, and has it: %v", n, focused, c.Focused() == b)
	}
	b.Disable()
	press()
	if n != 3 {
		t.Error("a disabled button was pressed")
	}
}
