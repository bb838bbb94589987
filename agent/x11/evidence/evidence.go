// Package evidence tells whether a hand at this computer pressed: it hears the
// raw presses of an X server's devices (XInput 2.2) and gives each of them out
// once, with the device that it came from.
//
// The one rule that must not be broken: no press, no evidence. What the server
// did not report as a raw press of a device that is known to be hardware, at
// the very place and just now, does not count; and any doubt ends all evidence
// until a new Listener is opened.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	"aval/agent/x11"
)

// Trust says what is known of the device that a press came from.
type Trust uint8

// The zero value is Unknown, which never counts.
const (
	Unknown  Trust = iota
	Injected       // made by a program through XTEST
	Remote         // the device of a remote desktop that is itself this X server
	Test           // a device that Options.TestDevices names
	Hardware       // an input device of the kernel that is not virtual
)

func (t Trust) String() string {
	switch t {
	case Injected:
		return "injected"
	case Remote:
		return "remote"
	case Test:
		return "test"
	case Hardware:
		return "hardware"
	}
	return "unknown"
}

// Counts tells whether a press with this trust is evidence of a hand.
func (t Trust) Counts() bool { return t == Hardware || t == Test }

// Press is one press of a button or a key.
type Press struct {
	At     time.Time // when it was read from the server
	Server uint32    // the server's own clock, in milliseconds
	Device string    // the name of the device
	Source uint16    // the id of the device
	Node   string    // its device node, as the server names it; may be empty
	Button uint32    // the physical button, 1 to 3; 0 for a key
	Key    uint32    // the keycode; 0 for a button
	// Pointer is where the pointer was right after the press and Before where
	// it was known to be before it, in pixels of the root window. They differ
	// when a program moves the pointer after a press somewhere else.
	Pointer, Before image.Point
	Trust           Trust
	// Led is, for a key, when a hand last moved the keyboard's focus with Tab;
	// zero when something else was pressed since: another key, for then
	// somebody is typing, or anything by a device that does not count, for then
	// a program may have put the focus where the key finds it.
	Led time.Time
	// Late is set, and nothing else, where a press may have been heard too late: the
	// server did not answer in time, or the press there is too old. It is never evidence.
	Late bool
}

// Options of Listen.
type Options struct {
	// TestDevices are names of devices that are accepted as Test. Only a
	// policy file that root owns may name them.
	TestDevices []string
	// Keys are the keycodes that press a button of a window; presses of all
	// other keys are forgotten at once. Empty: Return, Space and Enter of the
	// keypad, as the evdev keymap of Xorg numbers them.
	Keys []uint32
	// Wait is how long Take waits for the server to answer; 0: 250 ms.
	Wait time.Duration
}

// Tab moves the focus from widget to widget, with Shift backwards (evdev keymap).
const (
	tab        = 23
	shiftLeft  = 50
	shiftRight = 62
)

// evdevKeys are Return, Space and Enter of the keypad (xkeyboard-config, keycodes/evdev).
var evdevKeys = []uint32{36, 65, 104}

const (
	defaultWait = 250 * time.Millisecond
	openLimit   = 5 * time.Second // for the whole conversation at the start
)

// Listener hears one X server. Its methods may be called from any goroutine.
type Listener struct {
	m      *machine
	server int
	wait   time.Duration
	cut    func() error
	ended  chan struct{} // closed when nothing of it runs any more
}

// ErrClosed is what Err gives after Close.
var ErrClosed = errors.New("the listener was closed")

// Listen connects to the local X server that display names and returns when
// its devices are known. The Listener ends with ctx.
func Listen(ctx context.Context, display string, o Options) (*Listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("listen for presses: %w", err)
	}
	conn, screen, err := x11.Socket(display)
	if err != nil {
		return nil, fmt.Errorf("listen for presses: %w", err)
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	m := newMachine(conn, screen, o, "/")
	l := &Listener{m: m, server: x11.ServerPID(conn), wait: o.Wait, cut: conn.Close, ended: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() {
		m.fail(context.Cause(ctx))
		conn.Close()
	})
	go func() {
		defer close(l.ended)
		m.run(conn)
		conn.Close()
		stop()
	}()
	limit := time.NewTimer(openLimit)
	defer limit.Stop()
	select {
	case <-m.ready:
		return l, nil
	case <-m.done:
		err = m.failure()
	case <-limit.C:
		err = errors.New("the X server does not answer")
	}
	l.Close()
	return nil, fmt.Errorf("listen for presses on display %q: %w", display, err)
}

// Server is the process id of the X server, by the kernel; 0: unknown here.
func (l *Listener) Server() int { return l.server }

// Close ends the Listener. It may be called more than once.
func (l *Listener) Close() {
	l.m.fail(ErrClosed)
	l.cut()
	<-l.ended
}

// Done is closed when there will be no evidence any more.
func (l *Listener) Done() <-chan struct{} { return l.m.done }

// Err says why there will be no evidence any more, or nil.
func (l *Listener) Err() error { return l.m.failure() }

// Take gives out the newest press that is at most within old: of a button, with
// the pointer inside at, in pixels of the root window; or, when button is false,
// of one of the keys. A key goes wherever the focus is, so at is not looked at:
// the caller must know that its own window has the focus.
//
// ok is true when the press is evidence: its Trust counts, and its pointer was
// inside at before it as well. When it is not, the Press tells where the input
// came from; its zero value means that no device pressed there, or that all
// evidence has ended. A press is
// given out once, and all older ones of its kind are then forgotten.
//
// Take first waits until the server has told all that happened before the call,
// at most Options.Wait; a server that does not answer gives no evidence.
func (l *Listener) Take(within time.Duration, at image.Rectangle, button bool) (p Press, ok bool) {
	limit := time.NewTimer(l.wait)
	defer limit.Stop()
	// After the first answer every press before the call has been read, and
	// after the second the place of each of them is known.
	for range 2 {
		answered, err := l.m.sync()
		if err != nil {
			return Press{}, false
		}
		select {
		case <-answered:
		case <-l.m.done:
			return Press{}, false
		case <-limit.C:
			return Press{Late: true}, false
		}
	}
	return l.m.take(time.Now().Add(-within), at, button)
}

// take is Take once everything has been heard.
func (m *machine) take(since time.Time, at image.Rectangle, button bool) (Press, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return Press{}, false
	}
	for i, p := range slices.Backward(m.presses) {
		if p.button() != button || button && !p.Pointer.In(at) {
			continue
		}
		n := 0
		m.presses = slices.DeleteFunc(m.presses, func(old Press) bool {
			n++
			return n-1 <= i && old.button() == button
		})
		if p.At.Before(since) {
			return Press{Late: true}, false
		}
		return p, p.Trust.Counts() && (!button || p.Before.In(at))
	}
	return Press{}, false
}

func (p Press) button() bool { return p.Button != 0 }
