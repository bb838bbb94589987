package witness

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/shape"
	"github.com/jezek/xgb/xproto"

	"aval/agent/consent"
	"aval/agent/x11/xtest"
)

// world is a display inside another one, a witness of it, and a program on it: a
// click on outer comes from a device, one on inner from a program.
type world struct {
	t            *testing.T
	outer, inner *xtest.Server
	w            *Witness
	x            *xgb.Conn
	root         xproto.Window
	win          xproto.Window
}

var place = image.Rect(100, 100, 400, 300) // of the window

func newWorld(t *testing.T) *world {
	t.Helper()
	xtest.Need(t, "Xephyr", "sh")
	outer := xtest.Start(t, xtest.Options{Screen: "800x600"})
	file := filepath.Join(t.TempDir(), "display")
	outer.Spawn(t, "sh", "-c", `exec Xephyr -screen 800x600 -no-host-grab -noreset -nolisten tcp -displayfd 3 3>"$0"`, file)
	inner := &xtest.Server{}
	xtest.Wait(t, "Xephyr", func() bool {
		raw, _ := os.ReadFile(file)
		inner.Display = ":" + strings.TrimSpace(string(raw))
		return strings.HasSuffix(string(raw), "\n")
	})
	w, err := Open(t.Context(), inner.Display, []string{"Xephyr virtual mouse", "Xephyr virtual keyboard"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	x, err := xgb.NewConnDisplay(inner.Display)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	if err := shape.Init(x); err != nil {
		t.Fatal(err)
	}
	s := &world{t: t, outer: outer, inner: inner, w: w, x: x, root: xproto.Setup(x).DefaultScreen(x).Root}
	s.win = s.window(s.root, place)
	return s
}

// window shows a window of this process.
func (s *world) window(parent xproto.Window, at image.Rectangle) xproto.Window {
	s.t.Helper()
	id, err := xproto.NewWindowId(s.x)
	if err == nil {
		err = xproto.CreateWindowChecked(s.x, xproto.WindowClassCopyFromParent, id, parent, int16(at.Min.X), int16(at.Min.Y),
			uint16(at.Dx()), uint16(at.Dy()), 0, xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent,
			xproto.CwBackPixel|xproto.CwOverrideRedirect, []uint32{0x808080, 1}).Check()
	}
	if err == nil {
		err = xproto.MapWindowChecked(s.x, id).Check()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// settled watches the window until its answers count.
func (s *world) settled() {
	s.t.Helper()
	s.w.Watch(os.Getpid(), uint32(s.win))
	s.inSight()
}

// inSight waits until the window that is watched has been in sight long enough.
func (s *world) inSight() {
	s.t.Helper()
	xtest.Wait(s.t, "the window to have been in sight", func() bool {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		known := s.w.windows[s.win]
		return known != nil && !known.clear.IsZero() && time.Since(known.clear) > settle
	})
}

// point moves the pointer of the inner display with a tool on by.
func (s *world) point(by *xtest.Server, at image.Point) {
	s.t.Helper()
	by.Run(s.t, "xdotool", "mousemove", fmt.Sprint(at.X), fmt.Sprint(at.Y))
	xtest.Wait(s.t, "the pointer", func() bool {
		out, _ := s.inner.Try("xdotool", "getmouselocation")
		return strings.HasPrefix(out, fmt.Sprintf("x:%d y:%d ", at.X, at.Y))
	})
	s.w.ears.Take(0, image.Rectangle{}, true) // it has been heard
}

// press clicks the middle of the window.
func (s *world) press(by *xtest.Server) {
	s.t.Helper()
	s.point(by, place.Min.Add(image.Pt(150, 100)))
	by.Run(s.t, "xdotool", "click", "1")
	s.arrived("getmouselocation")
}

// arrived lets the inner display take in what the outer one passed on: Xephyr
// hands it over before it serves a later request of a new client.
func (s *world) arrived(probe string) {
	s.t.Helper()
	s.inner.Run(s.t, "xdotool", probe)
}

func (s *world) claim() Claim {
	return Claim{PID: os.Getpid(), Window: uint32(s.win), At: image.Rect(100, 60, 200, 140)}
}

func (s *world) hears(from consent.Origin, doubt string, c Claim) {
	s.t.Helper()
	var got Heard
	xtest.Wait(s.t, fmt.Sprintf("%s, %q (last %+v)", from, doubt, got), func() bool {
		got = s.w.Hear(c)
		return got.From != consent.FromNothing || from == consent.FromNothing
	})
	if got.From != from || got.Doubt != doubt {
		s.t.Errorf("heard %+v, not %s %q", got, from, doubt)
	}
}

// TestClick: whose press it was, and what may be wrong with the window. Each line
// fails without what it names of doubt, covered, look or take.
func TestClick(t *testing.T) {
	const (
		front = "something is in front of the window"
		early = "the window has not been in sight for long enough"
	)
	for name, c := range map[string]struct {
		do    func(s *world) Claim
		from  consent.Origin
		doubt string
	}{
		"by hand":      {func(s *world) Claim { s.press(s.outer); return s.claim() }, consent.FromTest, ""},
		"by a program": {func(s *world) Claim { s.press(s.inner); return s.claim() }, consent.FromInjected, ""},
		"by nobody":    {func(s *world) Claim { return s.claim() }, consent.FromNothing, ""},
		"twice": {func(s *world) Claim {
			s.press(s.outer)
			s.hears(consent.FromTest, "", s.claim())
			return s.claim()
		}, consent.FromNothing, ""},
		"beside the button": {func(s *world) Claim {
			s.press(s.outer)
			c := s.claim()
			c.At = image.Rect(0, 0, 40, 40)
			return c
		}, consent.FromNothing, ""},
		"in another's window": {func(s *world) Claim { // s.pid, Owner
			s.press(s.outer)
			c := s.claim()
			c.PID++
			return c
		}, consent.FromTest, "the window belongs to another program"},
		"in a window that was never shown to it": {func(s *world) Claim { // s == nil
			c := s.claim()
			c.Window = uint32(s.window(s.root, place))
			s.press(s.outer)
			return c
		}, consent.FromTest, "the window was not watched"},
		"something in front": {func(s *world) Claim { // covered
			s.veil(s.root, image.Rect(380, 280, 500, 400))
			s.press(s.outer)
			return s.claim()
		}, consent.FromTest, front},
		"something in it": {func(s *world) Claim { // the children in covered
			s.veil(s.win, image.Rect(0, 0, 20, 20))
			s.press(s.outer)
			return s.claim()
		}, consent.FromTest, front},
		"something was in front": {func(s *world) Claim { // covered, at the events before the answer
			id := s.veil(s.root, place)
			s.press(s.outer)
			xproto.DestroyWindowChecked(s.x, id).Check()
			return s.claim()
		}, consent.FromTest, early},
		"something flashed by": {func(s *world) Claim { // VisibilityNotify and, where a compositor keeps that back, flashed: plant both
			s.press(s.outer)
			s.x.Sync()
			xproto.UnmapWindow(s.x, s.veil(s.root, place))
			s.x.Sync()
			return s.claim()
		}, consent.FromTest, early},
		"moved": {func(s *world) Claim { // place != s.place in look
			s.press(s.outer)
			xproto.ConfigureWindowChecked(s.x, s.win, xproto.ConfigWindowX, []uint32{uint32(place.Min.X + 3)}).Check()
			return s.claim()
		}, consent.FromTest, early},
		"gone": {func(s *world) Claim {
			s.press(s.outer)
			xproto.DestroyWindowChecked(s.x, s.win).Check()
			return s.claim()
		}, consent.FromNothing, "the window is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t)
			s.settled()
			s.hears(c.from, c.doubt, c.do(s))
		})
	}
}

// veil shows a window that lets every click through.
func (s *world) veil(parent xproto.Window, at image.Rectangle) xproto.Window {
	s.t.Helper()
	id := s.window(parent, at)
	const union, input = 0, 2 // ShapeSet, ShapeInput: X Nonrectangular Window Shape Extension
	if err := shape.RectanglesChecked(s.x, union, input, 0, id, 0, 0, nil).Check(); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// TestKey: a key counts after a Tab by hand, in the window that has the keyboard.
// Let doubt do without focused, or without Led, and a line fails.
func TestKey(t *testing.T) {
	for name, c := range map[string]struct {
		focus bool
		keys  []string
		by    func(*world) *xtest.Server
		from  consent.Origin
		doubt string
	}{
		"led there":    {true, []string{"Tab", "space"}, func(s *world) *xtest.Server { return s.outer }, consent.FromTest, ""},
		"not led":      {true, []string{"space"}, func(s *world) *xtest.Server { return s.outer }, consent.FromTest, "the keyboard was not led to the answer by hand"},
		"no keyboard":  {false, []string{"Tab", "space"}, func(s *world) *xtest.Server { return s.outer }, consent.FromTest, "the window does not have the keyboard"},
		"by a program": {true, []string{"Tab", "space"}, func(s *world) *xtest.Server { return s.inner }, consent.FromInjected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t)
			s.point(s.outer, image.Pt(20, 20))
			focus := s.window(s.root, image.Rect(500, 400, 600, 500))
			if c.focus {
				focus = s.win
			}
			if err := xproto.SetInputFocusChecked(s.x, xproto.InputFocusParent, focus, xproto.TimeCurrentTime).Check(); err != nil {
				t.Fatal(err)
			}
			s.settled()
			c.by(s).Run(t, "xdotool", append([]string{"key"}, c.keys...)...)
			claim := s.claim()
			claim.Key = true
			s.hears(c.from, c.doubt, claim)
		})
	}
}

// TestGrabbed: while another program has grabbed the keyboard, what the person types
// goes to it, whatever has the focus: no Tab and no Space of then is an answer here.
// Let look or FocusIn forget taken, and the first three are a yes; let Watch not ask,
// and the third is.
func TestGrabbed(t *testing.T) {
	const notLed = "the keyboard was not led to the answer by hand"
	for name, c := range map[string]struct {
		before, own, over bool // before it is watched; on the question's own window; let go again
		doubt             string
	}{
		"on the root window": {doubt: notLed},
		"on the question":    {own: true, doubt: notLed},
		"before the watch":   {before: true, doubt: notLed},
		"let go":             {over: true},
		"let go after all":   {before: true, over: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t)
			s.point(s.outer, image.Pt(20, 20))
			if err := xproto.SetInputFocusChecked(s.x, xproto.InputFocusParent, s.win, xproto.TimeCurrentTime).Check(); err != nil {
				t.Fatal(err)
			}
			if !c.before {
				s.settled()
			}
			on := s.root
			if c.own {
				on = s.win
			}
			r, err := xproto.GrabKeyboard(s.x, true, on, xproto.TimeCurrentTime, xproto.GrabModeAsync, xproto.GrabModeAsync).Reply()
			if err != nil || r.Status != xproto.GrabStatusSuccess {
				t.Fatal(r, err)
			}
			if c.before {
				s.settled()
			}
			if c.over {
				if err := xproto.UngrabKeyboardChecked(s.x, xproto.TimeCurrentTime).Check(); err != nil {
					t.Fatal(err)
				}
			}
			if !s.w.catchUp() {
				t.Fatal("the server does not tell")
			}
			s.inSight()
			s.outer.Run(t, "xdotool", "key", "Tab", "space")
			claim := s.claim()
			claim.Key = true
			s.hears(consent.FromTest, c.doubt, claim)
		})
	}
}
