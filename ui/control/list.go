package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// List is the toolkit's list with a ring when the keyboard is on it; Enter, Page
// and Home keys work in it too.
type List struct {
	widget.List
	at   int // the row that the keyboard is on
	ring *canvas.Rectangle
}

// NewList makes a list; put Framed into the window.
func NewList(length func() int, create func() fyne.CanvasObject, update func(int, fyne.CanvasObject)) *List {
	l := &List{ring: canvas.NewRectangle(color.Transparent)}
	l.ring.CornerRadius = 6
	l.Length, l.CreateItem, l.UpdateItem = length, create, update
	l.OnHighlighted = func(id int) { l.at = id }
	l.HideSeparators = true
	l.ExtendBaseWidget(l)
	return l
}

// Framed is the list with the ring around it.
func (l *List) Framed() fyne.CanvasObject {
	return container.NewStack(l.ring, container.NewPadded(l))
}

// FocusGained implements fyne.Focusable.
func (l *List) FocusGained() {
	PaintRing(l.ring, true)
	l.ring.Refresh()
	l.List.FocusGained()
}

// FocusLost implements fyne.Focusable.
func (l *List) FocusLost() {
	PaintRing(l.ring, false)
	l.ring.Refresh()
	l.List.FocusLost()
}

// TypedKey implements fyne.Focusable.
func (l *List) TypedKey(e *fyne.KeyEvent) {
	n := l.Length()
	if n == 0 {
		return
	}
	page := max(1, int(l.Size().Height/max(1, l.CreateItem().MinSize().Height+4))-1)
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		l.Select(min(l.at, n-1))
	case fyne.KeyPageDown:
		l.Highlight(min(n-1, l.at+page))
	case fyne.KeyPageUp:
		l.Highlight(max(0, l.at-page))
	case fyne.KeyHome:
		l.Highlight(0)
	case fyne.KeyEnd:
		l.Highlight(n - 1)
	default:
		l.List.TypedKey(e)
	}
}
