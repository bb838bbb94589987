package control

import (
	"fyne.io/fyne/v2/driver/desktop"
)

// attention is what the pointer and the keyboard's focus do to a control that
// fills a line: it shows both.
type attention struct {
	// Reveal is called when it got the focus: bring it into sight. It may be nil.
	Reveal func()

	focused, hovered bool
	changed          func() // draws it anew
}

// MouseIn implements desktop.Hoverable.
func (a *attention) MouseIn(*desktop.MouseEvent) { a.hovered = true; a.changed() }

// MouseMoved implements desktop.Hoverable.
func (a *attention) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (a *attention) MouseOut() { a.hovered = false; a.changed() }

// FocusGained implements fyne.Focusable.
func (a *attention) FocusGained() {
	a.focused = true
	a.changed()
	if a.Reveal != nil {
		a.Reveal()
	}
}

// FocusLost implements fyne.Focusable.
func (a *attention) FocusLost() { a.focused = false; a.changed() }

// TypedRune implements fyne.Focusable.
func (a *attention) TypedRune(rune) {}
