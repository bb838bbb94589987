// Package winput says on Windows where an answer came from: it hears presses by
// the low-level hooks of mouse and keyboard, which tell what a program made, and
// brings each answer together with a press in the window in which it was given.
//
// The one rule that must not be broken: an answer counts only with a fresh press
// that the system does not call injected, at its place, in a window that is the
// right process's, in front, and has stood still long enough to be read. Doubt
// says why not.
package winput

import (
	"image"
	"sync"
	"time"

	"aval/agent/consent"
)

// Claim is an answer as the window tells it.
type Claim struct {
	PID    int             // whose window it is
	Window uint32          // its handle; handles have 32 bits (Microsoft Learn, "Interprocess Communication Between 32-bit and 64-bit Applications")
	At     image.Rectangle // where the answer was pressed, in pixels of the window; not looked at for a key
	Key    bool            // by a key, not a button
}

// Heard is what is known of an answer.
type Heard struct {
	From   consent.Origin
	Device string // always empty: the hooks do not name devices
	// Doubt says why the answer does not count although a device pressed. Empty:
	// it counts as far as From does.
	Doubt string
}

// How long a press may lie back; how long a window must have been in sight
// unmoved before it, and unseen by us meanwhile.
const (
	fresh  = 3 * time.Second
	settle = 800 * time.Millisecond
	unseen = 400 * time.Millisecond
)

// view is one look at a window.
type view struct {
	pid     int
	place   image.Rectangle // of its inside, in pixels of the screen
	clear   bool            // shown, in the foreground, and nothing in front of it
	focused bool            // it has the keyboard
}

// screen is what the system is asked.
type screen struct {
	look   func(window uint32) (view, bool) // false: the window is gone, or nothing is known of it
	remote func() bool                      // the session is seen and used from elsewhere; doubt says yes
}

// watched is what is known of one window. Guarded by Witness.mu.
type watched struct {
	place  image.Rectangle
	seen   time.Time // the last look
	clear  time.Time // since when nothing covers it and it stands still; zero: not so now
	focus  time.Time // since when it has the keyboard; zero: it does not
	handle uint32
}

const maxWindows = 16

// Witness hears one desktop. Its methods may be called from any goroutine.
type Witness struct {
	heard  *presses
	screen screen

	mu      sync.Mutex // guards windows
	windows []*watched

	once sync.Once
	stop func() // ends the hearing; set by Open
	done chan struct{}
}

func newWitness(s screen) *Witness {
	return &Witness{heard: newPresses(), screen: s, done: make(chan struct{}), stop: func() {}}
}

// Done is closed when nothing is heard any more.
func (w *Witness) Done() <-chan struct{} { return w.done }

// Close ends it. It may be called more than once.
func (w *Witness) Close() {
	w.once.Do(func() {
		w.heard.end()
		w.stop()
		close(w.done)
	})
}

// Watch follows a window from now on. Its answers count once it has been in
// sight for a moment. Whose it is, is asked when an answer is given.
func (w *Witness) Watch(_ int, window uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.windows {
		if s.handle == window {
			return
		}
	}
	if len(w.windows) >= maxWindows {
		return
	}
	s := &watched{handle: window}
	if _, ok := w.see(s, time.Now()); ok {
		w.windows = append(w.windows, s)
	}
}

// tick looks at every window and forgets those that are gone.
func (w *Witness) tick(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.windows[:0]
	for _, s := range w.windows {
		if _, ok := w.see(s, now); ok {
			kept = append(kept, s)
		}
	}
	clear(w.windows[len(kept):])
	w.windows = kept
}

// see brings a window up to date with one look. A window that was not looked at
// for too long may have been covered meanwhile.
func (w *Witness) see(s *watched, now time.Time) (view, bool) {
	v, ok := w.screen.look(s.handle)
	if !ok {
		s.clear, s.focus = time.Time{}, time.Time{}
		return view{}, false
	}
	if v.place != s.place || !v.clear || now.Sub(s.seen) > unseen {
		s.clear = time.Time{}
	}
	if !v.focused || now.Sub(s.seen) > unseen {
		s.focus = time.Time{}
	}
	s.place, s.seen = v.place, now
	if v.clear && s.clear.IsZero() {
		s.clear = now
	}
	if v.focused && s.focus.IsZero() {
		s.focus = now
	}
	return v, true
}

// Hear says where an answer came from. It takes the press away, so that no
// other answer can rest on it.
func (w *Witness) Hear(c Claim) Heard { return w.hear(c, time.Now()) }

func (w *Witness) hear(c Claim, now time.Time) Heard {
	if w.heard.ended() {
		return Heard{From: consent.FromAbsent, Doubt: "nothing is heard any more"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var s *watched
	for _, known := range w.windows {
		if known.handle == c.Window {
			s = known
		}
	}
	var v view
	var there bool
	if s != nil {
		v, there = w.see(s, now)
	} else {
		v, there = w.screen.look(c.Window)
	}
	if !there && !c.Key {
		return Heard{From: consent.FromNothing, Doubt: "the window is gone"}
	}
	at := c.At.Add(v.place.Min).Intersect(v.place)
	p, ok := w.heard.take(at, c.Key)
	switch {
	case !ok:
		return Heard{From: consent.FromNothing}
	case p.injected:
		return Heard{From: consent.FromInjected}
	case now.Sub(p.at) > fresh:
		return Heard{From: consent.FromNothing, Doubt: "the press was not heard in time"}
	case w.screen.remote():
		// The system calls what comes through its own remote desktop not injected.
		return Heard{From: consent.FromRemote}
	}
	return Heard{From: consent.FromHardware, Doubt: doubt(c, p, s, v, at)}
}

// doubt says what is wrong with an answer whose press no program made.
func doubt(c Claim, p press, s *watched, v view, at image.Rectangle) string {
	switch {
	case !c.Key && !p.before.In(at):
		return "the pointer was moved there by a program, or its place is not certain"
	case s == nil:
		return "the window was not watched"
	case v.pid != c.PID || c.PID <= 0:
		return "the window belongs to another program"
	case s.clear.IsZero():
		return "something is in front of the window"
	case p.at.Before(s.clear.Add(settle)):
		return "the window has not been in sight for long enough"
	case !c.Key:
		return ""
	case s.focus.IsZero():
		return "the window does not have the keyboard"
	case p.led.Before(s.focus):
		return "the keyboard was not led to the answer by hand"
	}
	return ""
}

// layer is a window that lies in front of another.
type layer struct {
	place        image.Rectangle
	shown, cloak bool // cloaked: on another virtual desktop, or hidden by the system
}

// covered tells whether anything that can be seen lies in front of a place.
func covered(place image.Rectangle, front []layer) bool {
	for _, l := range front {
		if l.shown && !l.cloak && l.place.Overlaps(place) {
			return true
		}
	}
	return false
}

// elsewhere tells whether a session is used from another computer: the two
// words of the system, and whether its number is the one that the system names
// for the local screen (Microsoft Learn, "Detecting the Remote Desktop Services
// environment": a session with a virtual GPU calls itself local).
func elsewhere(remote, controlled bool, session uint32, local uint64, err error) bool {
	return remote || controlled || err != nil || uint64(session) != local
}
