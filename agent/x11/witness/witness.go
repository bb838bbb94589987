// Package witness says where an answer came from: it watches the windows in
// which answers are given, and brings each answer together with the press of a
// device that package evidence heard.
//
// The one rule that must not be broken: an answer counts only with a fresh
// press at its place, in a window that is the right process's, that nothing
// covers, and that has stood still long enough to be read. Doubt says why not.
package witness

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jezek/xgb/xproto"

	"aval/agent/consent"
	"aval/agent/x11"
	"aval/agent/x11/evidence"
)

// Claim is an answer as the window tells it.
type Claim struct {
	PID    int             // whose window it is
	Window uint32          // its X id
	At     image.Rectangle // where the answer was pressed, in pixels of the window; not looked at for a key
	Key    bool            // by a key, not a button
}

// Heard is what is known of an answer.
type Heard struct {
	From   consent.Origin
	Device string // the device's name; empty: none
	// Doubt says why the answer does not count although a device pressed: the
	// window was covered, moved, not the process's own. Empty: it counts as far
	// as From does.
	Doubt string
}

// How long a press may lie back, and how long a window must have been in sight
// unmoved before it. The window itself waits a second; the difference is how
// much later its watch may begin here.
const (
	fresh  = 3 * time.Second
	settle = 800 * time.Millisecond
)

// Witness hears one display. Its methods may be called from any goroutine.
type Witness struct {
	ears *evidence.Listener
	x    *x11.Conn

	self xproto.Window // never shown: for fences

	mu      sync.Mutex // guards windows and fences
	windows map[xproto.Window]*window
	fences  map[[2]uint32]chan struct{}
	once    sync.Once
}

// Open hears the display. Devices are those that count in tests, by name. It
// ends with ctx, and with Close.
func Open(ctx context.Context, display string, devices []string) (*Witness, error) {
	ears, err := evidence.Listen(ctx, display, evidence.Options{TestDevices: devices, Wait: time.Second})
	if err != nil {
		return nil, err
	}
	x, err := x11.Dial(display)
	if err != nil {
		ears.Close()
		return nil, fmt.Errorf("watch windows: %w", err)
	}
	// Who owns the socket may have put another one in its place in between.
	if s := x.Server(); s == 0 || s != ears.Server() {
		ears.Close()
		x.Close()
		return nil, errors.New("watch windows: it cannot be told that the X server is the one whose presses are heard")
	}
	w := &Witness{ears: ears, x: x, windows: map[xproto.Window]*window{}, fences: map[[2]uint32]chan struct{}{}}
	if w.self, err = xproto.NewWindowId(x.X); err == nil {
		err = xproto.CreateWindowChecked(x.X, 0, w.self, x.Root, 0, 0, 1, 1, 0, xproto.WindowClassInputOnly, 0, 0, nil).Check()
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch windows: %w", err)
	}
	err = xproto.ChangeWindowAttributesChecked(x.X, x.Root, xproto.CwEventMask, []uint32{xproto.EventMaskSubstructureNotify}).Check()
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch windows: %w", err)
	}
	go w.follow()
	go func() {
		<-ears.Done()
		w.Close()
	}()
	return w, nil
}

// Server is the process id of the X server that is heard, by the kernel; 0: unknown.
func (w *Witness) Server() int { return w.ears.Server() }

// Done is closed when nothing is heard any more.
func (w *Witness) Done() <-chan struct{} { return w.ears.Done() }

// Close ends it. It may be called more than once.
func (w *Witness) Close() {
	w.once.Do(func() {
		w.ears.Close()
		w.x.Close()
	})
}

// Watch follows a window of a process from now on. Its answers count once it has
// been in sight for a moment.
func (w *Witness) Watch(pid int, id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	win := xproto.Window(id)
	if _, known := w.windows[win]; known || len(w.windows) >= maxWindows {
		return
	}
	// Of a grab from before no event tells; and that of a moment reaches no window yet.
	g, err := xproto.GrabKeyboard(w.x.X, true, w.x.Root, xproto.TimeCurrentTime, xproto.GrabModeAsync, xproto.GrabModeAsync).Reply()
	taken := err != nil || g.Status != xproto.GrabStatusSuccess
	if !taken {
		xproto.UngrabKeyboard(w.x.X, xproto.TimeCurrentTime)
	}
	const mask = xproto.EventMaskStructureNotify | xproto.EventMaskVisibilityChange | xproto.EventMaskFocusChange | xproto.EventMaskSubstructureNotify
	if xproto.ChangeWindowAttributesChecked(w.x.X, win, xproto.CwEventMask, []uint32{mask}).Check() != nil {
		return // gone already: nothing of it counts
	}
	s := &window{pid: pid, taken: taken}
	w.windows[win] = s
	w.look(win, s, time.Now())
}

// maxWindows bounds what is followed; a desktop has one question and one
// settings window at a time.
const maxWindows = 16

// Hear says where an answer came from. It takes the press away, so that no
// other answer can rest on it.
func (w *Witness) Hear(c Claim) Heard {
	win := xproto.Window(c.Window)
	var at image.Rectangle
	if !c.Key {
		place, err := w.place(win)
		if err != nil {
			return Heard{From: consent.FromNothing, Doubt: "the window is gone"}
		}
		at = c.At.Add(place.Min).Intersect(place)
	}
	p, ok := w.ears.Take(fresh, at, !c.Key)
	h := Heard{From: from(p), Device: p.Device}
	current := w.catchUp()
	switch {
	case w.ears.Err() != nil:
		return Heard{From: consent.FromAbsent, Doubt: "nothing is heard any more"}
	case p.Late: // no evidence; but nothing says that it was not the person either
		h.Doubt = "the press was not heard in time"
		return h
	case h.From != consent.FromHardware && h.From != consent.FromTest:
		return h
	case !ok:
		h.Doubt = "the pointer was moved there by a program, or its place is not certain"
		return h
	case !current:
		h.Doubt = "the X server does not say what befell the window"
		return h
	}
	h.Doubt = w.doubt(c, p)
	return h
}

// catchUp waits until all that the server had told before the call is taken in:
// a window that was in front during the press may be gone by now. The fence is a
// message to the own window, with a key that no other program can know.
func (w *Witness) catchUp() bool {
	key, passed := [2]uint32{rand.Uint32(), rand.Uint32()}, make(chan struct{})
	w.mu.Lock()
	w.fences[key] = passed
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.fences, key)
		w.mu.Unlock()
	}()
	ev := xproto.ClientMessageEvent{Format: 32, Window: w.self, Type: xproto.AtomInteger,
		Data: xproto.ClientMessageDataUnionData32New([]uint32{key[0], key[1], 0, 0, 0})}
	// Without a mask it goes to whoever made the window (X11 protocol, SendEvent).
	xproto.SendEvent(w.x.X, false, w.self, 0, string(ev.Bytes()))
	limit := time.NewTimer(time.Second)
	defer limit.Stop()
	select {
	case <-passed:
		return true
	case <-w.ears.Done():
	case <-limit.C:
	}
	return false
}

// doubt says what is wrong with the window of an answer whose press is good.
func (w *Witness) doubt(c Claim, p evidence.Press) string {
	win := xproto.Window(c.Window)
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.windows[win]
	if s == nil {
		return "the window was not watched"
	}
	w.look(win, s, time.Now()) // what was not told yet
	switch {
	case s.pid != c.PID || w.x.Owner(win) != c.PID:
		return "the window belongs to another program"
	case s.clear.IsZero():
		return "something is in front of the window"
	case p.At.Before(s.clear.Add(settle)):
		return "the window has not been in sight for long enough"
	case !c.Key:
		return ""
	case !w.focused(win):
		return "the window does not have the keyboard"
	case s.focus.IsZero() || p.Led.Before(s.focus):
		return "the keyboard was not led to the answer by hand"
	}
	return ""
}

func from(p evidence.Press) consent.Origin {
	switch {
	case p.Source == 0:
		return consent.FromNothing
	case p.Trust == evidence.Hardware:
		return consent.FromHardware
	case p.Trust == evidence.Test:
		return consent.FromTest
	case p.Trust == evidence.Remote:
		return consent.FromRemote
	case p.Trust == evidence.Injected:
		return consent.FromInjected
	}
	return consent.FromUnknown
}

// follow takes in what the server tells of the windows.
func (w *Witness) follow() {
	for {
		e, err := w.x.X.WaitForEvent()
		switch {
		case e == nil && err == nil:
			w.Close()
			return // the connection has ended
		case e != nil:
			w.mu.Lock()
			w.take(e, time.Now())
			w.mu.Unlock()
		}
	}
}
