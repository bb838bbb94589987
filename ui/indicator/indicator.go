// Package indicator is the bar that is on the screen while a session is
// recorded: who, for how long, and the buttons that pause, stop and delete. It
// is drawn in Go and put on a plain window, because the computers that get
// remote support often have no OpenGL.
//
// The one rule that must not be broken: it says that it is visible only after
// the server has confirmed that its window is mapped, on the screen and not
// covered, each time anew; recording hangs on that word.
package indicator

import (
	"errors"
	"time"

	"aval/agent/ipc"
	"aval/assets"
)

// ErrUnavailable: this desktop cannot show the bar, so nothing may be recorded on it.
var ErrUnavailable = errors.New("the recording bar cannot be shown on this desktop")

// Indicator is the bar of one desktop. Its methods do not block and may be
// called from any goroutine.
type Indicator interface {
	// Show replaces what the bar shows; no sessions: it goes away.
	Show(ipc.Indicator)
	// Visible tells what is known of the bar's visibility: once for each state
	// shown, at each change, and as a sign of life every 700 ms for as long as
	// it shows a session. Nothing comes while the display hangs; the channel is
	// closed when the display is gone. Only the latest word is kept.
	Visible() <-chan State
	// Actions delivers what the person chose; each is to be answered by Report.
	Actions() <-chan ipc.RecordingControl
	// Views delivers the sessions of which the person wants to see what was sent.
	Views() <-chan string
	// Report says what became of an action; nil: it was done.
	Report(ipc.RecordingControl, error)
	// Close takes the bar away and ends. It may be called more than once.
	Close() error
}

// State is what is known of the visibility of one revision.
type State struct {
	Revision uint64
	Visible  bool
	Why      string // why not: covered, unmapped, off-screen
	Window   uint32 // the bar's X id; 0: it has none
}

// Options of Open.
type Options struct {
	// Display is the X display, ":10".
	Display string
	// Type is the session's type as XDG_SESSION_TYPE has it: x11 or wayland.
	Type string
	// Catalog has the texts in the person's language.
	Catalog *assets.Catalog
}

// Times of the bar.
const (
	// Beat is how often the bar is looked at while it shows a session. The
	// service stops recording 2 s after the last sign of life.
	Beat = 700 * time.Millisecond
	// coveredFor is how long the bar may stay covered, while it tries to come
	// up again, before it counts as not visible; in that time it is looked at
	// every quickBeat. Under a compositor the first beat is what finds it
	// covered: Beat, coveredFor and quickBeat together stay below 2 s.
	coveredFor = 900 * time.Millisecond
	quickBeat  = 200 * time.Millisecond
	// settle is how long clicks do not count after the buttons have changed, so
	// that a double click does not hit what took a button's place.
	settle = 600 * time.Millisecond
	// settleHand is the same where it matters whose hand deletes: a press counts as
	// one of this computer's only in a bar that has stood for 0.8 s (agent/x11/witness).
	settleHand = time.Second
	// askFor is how long a second question stays before it takes itself back.
	askFor = 8 * time.Second
	// noteFor is how long a message stays.
	noteFor = 6 * time.Second
	// backAfter is how long the bar may stay pushed over an edge.
	backAfter = 30 * time.Second
)
