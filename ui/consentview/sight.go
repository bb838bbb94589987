package consentview

import "errors"

// change is what happened to the window on the screen.
type change int

const (
	// seen: it is mapped, nothing is in front of it, and its first frame is painted.
	seen change = iota
	// covered: something is in front of it, or it left the screen.
	covered
	// disturbed: it moved, changed its size or lost the focus.
	disturbed
	// gone: the display is gone.
	gone
)

// ErrCannotShow means that the window cannot be shown here, and that another
// way of asking must be tried. Errors that wrap it say why.
var ErrCannotShow = errors.New("the window cannot be shown")

// sight follows one window on the screen.
type sight interface {
	// changes delivers what happens, in order; it is closed after Close or gone.
	changes() <-chan change
	// close ends it; it may be called more than once.
	close()
}

// Screen is the part of the display where a window can be, in pixels.
type Screen struct{ X, Y, Width, Height int }
