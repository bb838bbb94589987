// Package control holds the controls that several of Aval's windows share.
//
// The one rule that must not be broken: whatever a click does, a key does too,
// and what has the keyboard's focus is visible.
package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Button answers Enter too; the toolkit's own answers only Space.
type Button struct {
	widget.Button
	// Focused, if not nil, is called when the button gets the focus.
	Focused func()
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
	b.Button.FocusGained()
	if b.Focused != nil {
		b.Focused()
	}
}

// TypedKey implements fyne.Focusable.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter {
		if !b.Disabled() {
			b.OnTapped()
		}
		return
	}
	b.Button.TypedKey(e)
}
