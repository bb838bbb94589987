package activityview

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"aval/ui/theme"
)

// button answers Enter too, and has a ring when the keyboard is on it; the
// toolkit's own answers only Space, and paints over its letters' contrast.
type button struct {
	widget.Button
	ring *canvas.Rectangle
}

func newButton(label string, act func()) *button {
	b := &button{ring: newRing()}
	b.Text, b.OnTapped = label, act
	b.ExtendBaseWidget(b)
	return b
}

func newRing() *canvas.Rectangle {
	r := canvas.NewRectangle(color.Transparent)
	r.StrokeWidth, r.CornerRadius = 2, 6
	return r
}

func paintRing(r *canvas.Rectangle, focused bool) {
	r.StrokeColor = color.Transparent
	if focused {
		r.StrokeColor = theme.Current().Focus
	}
	r.Refresh()
}

// framed is the button with the ring around it.
func (b *button) framed() fyne.CanvasObject {
	return container.NewStack(b.ring, container.NewPadded(b))
}

// FocusGained implements fyne.Focusable.
func (b *button) FocusGained() { paintRing(b.ring, true) }

// FocusLost implements fyne.Focusable.
func (b *button) FocusLost() { paintRing(b.ring, false) }

// TypedKey implements fyne.Focusable.
func (b *button) TypedKey(e *fyne.KeyEvent) {
	if b.Disabled() {
		return
	}
	if e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter {
		b.OnTapped()
		return
	}
	b.Button.TypedKey(e)
}

// rows is a list whose focus is seen, and that Enter, Page and Home keys work in.
type rows struct {
	widget.List
	at   int // the row that the keyboard is on
	ring *canvas.Rectangle
}

func newRows(length func() int, create func() fyne.CanvasObject, update func(int, fyne.CanvasObject)) *rows {
	r := &rows{ring: newRing()}
	r.Length, r.CreateItem, r.UpdateItem = length, create, update
	r.OnHighlighted = func(id int) { r.at = id }
	r.HideSeparators = true
	r.ExtendBaseWidget(r)
	return r
}

// framed is the list with the ring around it.
func (r *rows) framed() fyne.CanvasObject {
	return container.NewStack(r.ring, container.NewPadded(r))
}

// FocusGained implements fyne.Focusable.
func (r *rows) FocusGained() {
	paintRing(r.ring, true)
	r.List.FocusGained()
}

// FocusLost implements fyne.Focusable.
func (r *rows) FocusLost() {
	paintRing(r.ring, false)
	r.List.FocusLost()
}

// TypedKey implements fyne.Focusable.
func (r *rows) TypedKey(e *fyne.KeyEvent) {
	n := r.Length()
	if n == 0 {
		return
	}
	page := max(1, int(r.Size().Height/max(1, r.CreateItem().MinSize().Height+4))-1)
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		r.Select(min(r.at, n-1))
	case fyne.KeyPageDown:
		r.Highlight(min(n-1, r.at+page))
	case fyne.KeyPageUp:
		r.Highlight(max(0, r.at-page))
	case fyne.KeyHome:
		r.Highlight(0)
	case fyne.KeyEnd:
		r.Highlight(n - 1)
	default:
		r.List.TypedKey(e)
	}
}

// listWidth is how wide the history is beside the details, and wideFrom from
// which width of the window on both are seen at once.
const (
	listWidth float32 = 320
	wideFrom  float32 = 700
)

// panes puts history and details side by side, or, in a narrow window, shows
// the one of them that is being read.
type panes struct {
	detail  bool // in a narrow window: the details
	narrow  bool
	changed func() // narrow has changed, or the width of the details
	width   float32
}

// MinSize implements fyne.Layout.
func (p *panes) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(280, 120)
}

// Layout implements fyne.Layout.
func (p *panes) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	left, right := objects[0], objects[1]
	p.narrow = size.Width < wideFrom
	show := func(o fyne.CanvasObject, yes bool) {
		if yes && !o.Visible() {
			o.Show()
		} else if !yes && o.Visible() {
			o.Hide()
		}
	}
	show(left, !p.narrow || !p.detail)
	show(right, !p.narrow || p.detail)
	wide := size.Width
	if p.narrow {
		left.Move(fyne.NewPos(0, 0))
		left.Resize(size)
		right.Move(fyne.NewPos(0, 0))
	} else {
		wide -= listWidth + 8
		left.Move(fyne.NewPos(0, 0))
		left.Resize(fyne.NewSize(listWidth, size.Height))
		right.Move(fyne.NewPos(listWidth+8, 0))
	}
	if wide != p.width {
		p.width = wide
		p.changed()
	}
	right.Resize(fyne.NewSize(wide, size.Height))
}
