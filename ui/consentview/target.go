package consentview

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// target is what push, tick and link have in common: it acts on a click or on a
// fresh press of Space or Enter, and only while answers count. A press that
// began before that does not count, nor does a key that is held down.
type target struct {
	widget.BaseWidget
	armed func() bool
	act   func()
	other func(*fyne.KeyEvent) // keys that are not for this target
	shown func()               // the target got the focus: bring it into sight

	off     bool // cannot be chosen now
	hovered bool
	held    bool // drawn as pressed
	focused bool

	mouseCounts bool         // the press that is going on began while answers counted
	keyCounts   fyne.KeyName // likewise for this key
	byKey       bool         // what acted last was a key
}

var (
	_ fyne.Tappable     = (*target)(nil)
	_ fyne.Focusable    = (*target)(nil)
	_ desktop.Mouseable = (*target)(nil)
	_ desktop.Hoverable = (*target)(nil)
	_ desktop.Keyable   = (*target)(nil)
)

func (t *target) live() bool { return !t.off && t.armed() }

func (t *target) setOff(off bool) {
	t.off = off
	t.Refresh()
}

// MouseDown implements desktop.Mouseable.
func (t *target) MouseDown(e *desktop.MouseEvent) {
	t.mouseCounts = e.Button == desktop.MouseButtonPrimary && t.live()
	t.held = t.mouseCounts
	t.Refresh()
}

// MouseUp implements desktop.Mouseable. It comes before Tapped, which needs mouseCounts.
func (t *target) MouseUp(*desktop.MouseEvent) {
	t.held = false
	t.Refresh()
}

// Tapped implements fyne.Tappable.
func (t *target) Tapped(*fyne.PointEvent) {
	counts := t.mouseCounts
	t.mouseCounts = false
	if counts && t.live() {
		t.byKey = false
		t.act()
	}
}

// MouseIn implements desktop.Hoverable.
func (t *target) MouseIn(*desktop.MouseEvent) { t.hovered = true; t.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (t *target) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (t *target) MouseOut() {
	t.hovered, t.held, t.mouseCounts = false, false, false
	t.Refresh()
}

// FocusGained implements fyne.Focusable.
func (t *target) FocusGained() {
	t.focused = true
	t.keyCounts = ""
	t.Refresh()
	if t.shown != nil {
		t.shown()
	}
}

// FocusLost implements fyne.Focusable.
func (t *target) FocusLost() {
	t.focused, t.held, t.keyCounts = false, false, ""
	t.Refresh()
}

// KeyDown implements desktop.Keyable: it is called for a press, never for a repeat.
func (t *target) KeyDown(e *fyne.KeyEvent) {
	t.keyCounts = ""
	if t.live() {
		t.keyCounts = e.Name
	}
}

// KeyUp implements desktop.Keyable.
func (t *target) KeyUp(*fyne.KeyEvent) { t.keyCounts = "" }

// TypedKey implements fyne.Focusable: it is called for a press and for each repeat.
func (t *target) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		counts := t.keyCounts == e.Name
		t.keyCounts = ""
		if counts && t.live() {
			t.byKey = true
			t.act()
		}
	default:
		t.other(e)
	}
}

// TypedRune implements fyne.Focusable.
func (t *target) TypedRune(rune) {}
