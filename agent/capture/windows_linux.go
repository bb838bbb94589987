package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/x11"
)

// maxWindows is how many windows are looked at when recording begins.
const maxWindows = 20000

// beginWithin is how long the X server may take to answer all of that.
const beginWithin = 3 * time.Second

// StartWindows reports the window in front and its title, with each change, as
// event.WindowFocused, and that something was copied, never what, as
// event.ClipboardUsed, until Stop or until the last of grants has ended.
//
// The titles that are there when it returns count as from before the answer;
// they come as TitleBefore for as long as their window keeps them. On Wayland
// it returns ErrUnavailable: no program may see another one's windows there.
func StartWindows(ctx context.Context, w Windows, emit Emit, grants ...record.Verified) (*Running, error) {
	kinds := windowKinds
	if _, err := newGate(emit, grants, kinds, time.Now()); err != nil {
		return nil, err
	}
	if w.Type == "wayland" {
		return nil, fmt.Errorf("watch windows: %w: Wayland shows a program only its own windows", ErrUnavailable)
	}
	conn, err := x11.Dial(w.Display)
	if err != nil {
		return nil, fmt.Errorf("watch windows: %w", err)
	}
	guard := time.AfterFunc(beginWithin, conn.Close)
	x := &xwindows{conn: conn, own: w.Own, old: newBefore(), pace: pace{last: map[uint32]time.Time{}}}
	if err := x.begin(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("watch windows: %w", err)
	}
	if !guard.Stop() {
		return nil, errors.New("watch windows: the X server does not answer")
	}
	return start(ctx, emit, grants, kinds, x.run)
}

// xwindows watches one X display. It is owned by the goroutine of run.
type xwindows struct {
	conn *x11.Conn
	own  func(pid int) bool
	old  *before
	pace pace

	clipboard *x11.Clipboard // nil: this server does not tell of it
	copied    time.Time      // when a copy was told last

	managed bool // a window manager tells which window is active (EWMH)
	front   xproto.Window
	// said is what was reported last, so that nothing is said twice.
	said struct {
		window xproto.Window
		title  string
	}
}

// begin selects the events and takes the titles from before.
func (x *xwindows) begin() error {
	if err := x.listen(); err != nil {
		return err
	}
	var err error
	if x.clipboard, err = x.conn.WatchClipboard(); err != nil {
		slog.Info("the clipboard's use is not told", "err", err)
	}
	windows, whole := x.conn.Tree(maxWindows)
	titles, err := x.conn.TitlesOf(windows)
	if err != nil {
		return err
	}
	x.old.whole = whole
	for i, w := range windows {
		x.old.note(uint32(w), titles[i])
	}
	x.refocus(time.Now())
	// What is in front already has nothing to settle.
	x.pace.due = x.pace.at
	return nil
}

// listen selects events for the way in which the front window is known here.
func (x *xwindows) listen() error {
	x.managed = x.hasManager()
	mask := uint32(xproto.EventMaskPropertyChange)
	if !x.managed {
		mask |= xproto.EventMaskSubstructureNotify
	}
	err := xproto.ChangeWindowAttributesChecked(x.conn.X, x.conn.Root, xproto.CwEventMask, []uint32{mask}).Check()
	if err != nil {
		return err
	}
	if r, err := xproto.QueryTree(x.conn.X, x.conn.Root).Reply(); err == nil {
		for _, w := range r.Children {
			x.attend(w)
		}
	}
	return nil
}

// hasManager tells whether a window manager keeps _NET_ACTIVE_WINDOW (EWMH 1.5,
// "Root Window Properties"): the check window must name itself, since the
// property outlives a manager that crashed.
func (x *xwindows) hasManager() bool {
	w, ok := x.conn.Cardinal(x.conn.Root, "_NET_SUPPORTING_WM_CHECK")
	if !ok {
		return false
	}
	self, ok := x.conn.Cardinal(xproto.Window(w), "_NET_SUPPORTING_WM_CHECK")
	return ok && self == w && x.conn.HasAtom(x.conn.Root, "_NET_SUPPORTED", "_NET_ACTIVE_WINDOW")
}

// attend selects on w what is needed of it: its title while it is in front, and
// without a window manager the changes of focus and, because the keyboard may
// follow the pointer, where the pointer goes.
func (x *xwindows) attend(w xproto.Window) {
	mask := uint32(0)
	if !x.managed {
		mask = xproto.EventMaskFocusChange | xproto.EventMaskEnterWindow
	}
	if w == x.front {
		mask |= xproto.EventMaskPropertyChange
	}
	// Unchecked: the window may be gone already, which is no error here.
	xproto.ChangeWindowAttributes(x.conn.X, w, xproto.CwEventMask, []uint32{mask})
}

// run reports until ctx ends or the X server is gone.
func (x *xwindows) run(ctx context.Context, g *gate) error {
	defer x.old.forget()
	defer x.conn.Close()
	// Whatever is being waited for of the server ends with ctx.
	defer context.AfterFunc(ctx, x.conn.Close)()

	events := make(chan xgb.Event)
	go func() {
		defer close(events)
		for {
			ev, err := x.conn.X.WaitForEvent()
			if ev == nil && err == nil {
				return // the connection has ended
			}
			if ev == nil {
				continue // about a window that is gone
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()

	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		x.pace.arm(due)
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-events:
			if !ok {
				return errors.New("watch windows: the X server is gone")
			}
			if w, ok := x.clipboard.Owner(ev); ok {
				x.tookClipboard(g, w, time.Now())
				continue
			}
			x.handle(ev, time.Now())
		case <-due.C:
			at := x.pace.look(time.Now(), uint32(x.front))
			x.report(g, at)
		}
	}
}

// handle takes one event of the server.
func (x *xwindows) handle(ev xgb.Event, now time.Time) {
	switch e := ev.(type) {
	case xproto.PropertyNotifyEvent:
		name := x.name(e.Atom)
		switch {
		case e.Window == x.conn.Root && name == "_NET_SUPPORTING_WM_CHECK":
			// A window manager came or went.
			if x.listen() == nil {
				x.refocus(now)
			}
		case e.Window == x.conn.Root && name == "_NET_ACTIVE_WINDOW":
			x.refocus(now)
		case e.Window == x.front && (name == "_NET_WM_NAME" || name == "WM_NAME"):
			x.pace.noticed(now, uint32(x.front), true)
		}
	case xproto.CreateNotifyEvent:
		if !x.managed && e.Parent == x.conn.Root {
			x.attend(e.Window)
		}
	case xproto.FocusInEvent, xproto.FocusOutEvent, xproto.EnterNotifyEvent,
		xproto.MapNotifyEvent, xproto.UnmapNotifyEvent, xproto.DestroyNotifyEvent:
		if !x.managed {
			x.refocus(now)
		}
	}
}

// name tells which of the properties that matter an atom is.
func (x *xwindows) name(a xproto.Atom) string {
	for _, n := range []string{"_NET_ACTIVE_WINDOW", "_NET_SUPPORTING_WM_CHECK", "_NET_WM_NAME", "WM_NAME"} {
		if b, err := x.conn.Atom(n); err == nil && a == b {
			return n
		}
	}
	return ""
}

// refocus looks which window is in front now.
func (x *xwindows) refocus(now time.Time) {
	w := x.active()
	if w == x.front || w == xproto.WindowNone {
		return // 0 comes in between when the front changes
	}
	left := x.front
	x.front = w
	if left != xproto.WindowNone {
		x.attend(left)
	}
	x.attend(w)
	x.pace.noticed(now, uint32(w), false)
}

// active asks for the window in front: of the window manager, else of the server.
func (x *xwindows) active() xproto.Window {
	if x.managed {
		w, _ := x.conn.Cardinal(x.conn.Root, "_NET_ACTIVE_WINDOW")
		return xproto.Window(w)
	}
	f, err := xproto.GetInputFocus(x.conn.X).Reply()
	if err != nil {
		return xproto.WindowNone
	}
	w := f.Focus
	if w == xproto.InputFocusPointerRoot || w == x.conn.Root {
		p, err := xproto.QueryPointer(x.conn.X, x.conn.Root).Reply()
		if err != nil {
			return xproto.WindowNone
		}
		return p.Child
	}
	// The focus may be in a part of a window: go up to what has a name.
	for top := w; top != xproto.WindowNone; {
		if x.conn.Class(top) != "" {
			return top
		}
		t, err := xproto.QueryTree(x.conn.X, top).Reply()
		if err != nil || t.Parent == x.conn.Root {
			return top
		}
		top = t.Parent
	}
	return xproto.WindowNone
}

// report says what is in front.
func (x *xwindows) report(g *gate, at time.Time) {
	w := x.front
	if w == xproto.WindowNone {
		return
	}
	pid := x.conn.PID(w)
	program, own := programOf(pid)
	if own || pid > 0 && x.own != nil && x.own(pid) {
		return
	}
	title := x.old.shown(uint32(w), x.conn.Titles(w))
	app := x.conn.Class(w)
	if app == "" && program == "" && title == "" {
		return // gone meanwhile
	}
	if x.said.window == w && x.said.title == title {
		return
	}
	x.said.window, x.said.title = w, title
	g.pass(event.WindowFocused, at, map[string]string{"app": app, "program": program, "title": title})
}

// tookClipboard says that the owner of w has copied something: many at a time, as
// by a program that copies each change or a keeper of clipboards, are one.
func (x *xwindows) tookClipboard(g *gate, w xproto.Window, now time.Time) {
	if now.Sub(x.copied) < copiedEvery {
		return
	}
	pid := x.conn.PID(w)
	program, own := programOf(pid)
	if own || pid > 0 && x.own != nil && x.own(pid) {
		return
	}
	x.copied = now
	// The window that owns a clipboard is often a hidden one without a class.
	g.pass(event.ClipboardUsed, now, map[string]string{"app": cmp.Or(x.conn.Class(w), program)})
}

// programOf returns the base name of the executable of pid, "" when unknown,
// and whether it is one of Aval's own programs: named aval-something, in the
// folder of this one.
func programOf(pid int) (name string, own bool) {
	if pid <= 0 {
		return "", false
	}
	if pid == os.Getpid() {
		return "", true
	}
	proc := "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(proc + "/exe")
	if err != nil {
		// Another user's process: its short name is readable all the same.
		comm, err := os.ReadFile(proc + "/comm")
		if err != nil {
			return "", false
		}
		return strings.TrimSpace(string(comm)), false
	}
	exe = strings.TrimSuffix(exe, " (deleted)")
	name = filepath.Base(exe)
	if self, err := os.Executable(); err == nil && filepath.Dir(self) == filepath.Dir(exe) {
		own = strings.HasPrefix(name, "aval-")
	}
	return name, own
}
