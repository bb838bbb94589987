package fit

import (
	"image/color"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
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
		"full stop":   {container.NewWithoutLayout(text("あ", 0, 0), text("。", 0, 30)), "begins a line"},
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

// TestWalkFindsPlanted: what has the focus out of sight is found, and what is in
// sight is not.
func TestWalkFindsPlanted(t *testing.T) {
	test.NewTempApp(t)
	size := fyne.NewSize(300, 200)
	for name, c := range map[string]struct {
		gap  float32
		want string
	}{"in sight": {0, ""}, "scrolled away": {900, "has the focus from"}} {
		gap := canvas.NewRectangle(color.Black)
		gap.SetMinSize(fyne.NewSize(1, c.gap))
		content := container.NewVScroll(container.NewVBox(widget.NewButton("a", nil), gap, widget.NewButton("b", nil)))
		w := test.NewTempWindow(t, content)
		w.SetPadded(false)
		w.Resize(size)
		got := strings.Join(Walk(w.Canvas(), content, size), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
	// What looks like a part of the window and is none is not come by.
	apart := widget.NewButton("apart", nil)
	w := test.NewTempWindow(t, widget.NewButton("a", nil))
	w.Resize(size)
	if got := strings.Join(Walk(w.Canvas(), apart, size), "\n"); !strings.Contains(got, "not come by") {
		t.Errorf("found %q", got)
	}
}
