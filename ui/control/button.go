// Package control holds the controls that several of Aval's windows share.
//
// The one rule that must not be broken: whatever a click does, a key does too,
// and what has the keyboard's focus is visible.
package control

import (
	"image/color"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/ui/theme"
)

// Button answers Enter too, and keeps the focus when a key presses it; the
// toolkit's own answers only Space, and loses it. With the focus
// it has a ring; the toolkit's own changes its ground, on which the lettering
// could not be read.
type Button struct {
	widget.Button
	// Focused, if not nil, is called when the button gets the focus.
	Focused func()

	focused bool
	byKey   bool // what pressed it last was a key
}

// Press is where it was pressed just now; call it in OnTapped.
func (b *Button) Press() *ipc.Press { return Pressed(b, b.byKey) }

// Tapped implements fyne.Tappable.
func (b *Button) Tapped(e *fyne.PointEvent) {
	b.byKey = false
	b.Button.Tapped(e)
}

// NewButton makes a button; icon may be nil.
func NewButton(label string, icon fyne.Resource, act func()) *Button {
	b := &Button{}
	b.Text, b.Icon, b.OnTapped = label, icon, act
	b.ExtendBaseWidget(b)
	return b
}

// FocusGained implements fyne.Focusable.
func (b *Button) FocusGained() {
	b.focused = true
	b.Refresh()
	if b.Focused != nil {
		b.Focused()
	}
}

// FocusLost implements fyne.Focusable.
func (b *Button) FocusLost() {
	b.focused = false
	b.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	ring := canvas.NewRectangle(color.Transparent)
	ring.CornerRadius = theme.Aval{}.Size(fynetheme.SizeNameInputRadius)
	r := &ringed{WidgetRenderer: b.Button.CreateRenderer(), button: b, ring: ring}
	r.paint()
	return r
}

// ringed is the toolkit's button with a ring around it.
type ringed struct {
	fyne.WidgetRenderer
	button *Button
	ring   *canvas.Rectangle
}

func (r *ringed) Objects() []fyne.CanvasObject {
	return append(slices.Clone(r.WidgetRenderer.Objects()), r.ring)
}

func (r *ringed) Layout(size fyne.Size) {
	r.WidgetRenderer.Layout(size)
	r.ring.Resize(size)
}

func (r *ringed) Refresh() {
	r.paint()
	r.ring.Refresh()
	r.WidgetRenderer.Refresh()
}

func (r *ringed) paint() {
	PaintRing(r.ring, r.button.focused)
}

// TypedKey implements fyne.Focusable. It does not call Tapped, which takes the
// focus away (fyne 2.8.1, widget/button.go).
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		if !b.Disabled() {
			b.byKey = true
			b.OnTapped()
		}
	}
}
