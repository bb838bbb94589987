package evidence

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/x11"
	"aval/agent/x11/xtest"

	"github.com/jezek/xgb/xproto"
)

// times is how often each kind of press is tried.
const times = 50

const xephyrMouse, xephyrKeys = "Xephyr virtual mouse", "Xephyr virtual keyboard"

// world is a display inside another one: a click on outer reaches inner from a
// device of its own, one on inner comes through XTEST.
type world struct{ outer, inner *xtest.Server }

func newWorld(t *testing.T) world {
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
	return world{outer, inner}
}

func listen(t *testing.T, s *xtest.Server, o Options) *Listener {
	t.Helper()
	if o.Wait == 0 {
		o.Wait = 20 * time.Second // a slow machine is not what is tested
	}
	l, err := Listen(t.Context(), s.Display, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func around(at image.Point) image.Rectangle {
	return image.Rectangle{at, at.Add(image.Pt(1, 1))}.Inset(-20)
}

// hold moves the pointer of inner with a tool on s, and waits until it is there
// and l has heard of it.
func (w world) hold(t *testing.T, s *xtest.Server, l *Listener, at image.Point) {
	t.Helper()
	s.Run(t, "xdotool", "mousemove", fmt.Sprint(at.X), fmt.Sprint(at.Y))
	want := fmt.Sprintf("x:%d y:%d ", at.X, at.Y)
	xtest.Wait(t, "the pointer", func() bool {
		out, _ := w.inner.Try("xdotool", "getmouselocation")
		return strings.HasPrefix(out, want)
	})
	l.Take(0, image.Rectangle{}, true)
}

// next waits for the next press.
func next(t *testing.T, l *Listener, at image.Rectangle, button bool) (p Press, ok bool) {
	t.Helper()
	xtest.Wait(t, "the press", func() bool {
		p, ok = l.Take(time.Minute, at, button)
		return p.Source != 0
	})
	return p, ok
}

// TestDevices: a press of a device counts when the options name the device, and
// one through XTEST never. Let judge look at the names before the property, or
// let Counts return true, and it fails.
func TestDevices(t *testing.T) {
	w := newWorld(t)
	named := listen(t, w.inner, Options{TestDevices: []string{xephyrMouse, xephyrKeys, "Virtual core XTEST pointer", "Virtual core XTEST keyboard"}})
	bare := listen(t, w.inner, Options{})
	for i := range times {
		at := image.Pt(100+5*i, 50+7*i)
		for _, c := range []struct {
			hand   *xtest.Server
			do     []string
			button bool
			device string
			trust  Trust // with the names
			plain  Trust // without
		}{
			{w.outer, []string{"click", "1"}, true, xephyrMouse, Test, Unknown},
			{w.outer, []string{"key", "space"}, false, xephyrKeys, Test, Unknown},
			{w.inner, []string{"click", "1"}, true, "Virtual core XTEST pointer", Injected, Injected},
			{w.inner, []string{"key", "Return"}, false, "Virtual core XTEST keyboard", Injected, Injected},
		} {
			w.hold(t, c.hand, named, at)
			w.hold(t, c.hand, bare, at)
			c.hand.Run(t, "xdotool", c.do...)
			for l, want := range map[*Listener]Trust{named: c.trust, bare: c.plain} {
				p, ok := next(t, l, around(at), c.button)
				if p.Device != c.device || p.Trust != want || ok != (want == Test) || p.button() != c.button || p.Pointer != at || p.Server == 0 {
					t.Fatalf("%d: %v by %q: %+v %v", i, c.do, c.hand.Display, p, ok)
				}
				if p, ok := l.Take(time.Minute, around(at), c.button); ok || p.Source != 0 {
					t.Fatalf("%d: a press counted twice: %+v", i, p)
				}
			}
		}
	}
}

// TestSent: a click that a program sends to a window reaches the window, and is
// no press of any device; also not with a real press at another place just
// before it, or a pointer that is moved there after it.
func TestSent(t *testing.T) {
	w := newWorld(t)
	l := listen(t, w.inner, Options{TestDevices: []string{xephyrMouse}})
	x, err := x11.Dial(w.inner.Display)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	win, err := xproto.NewWindowId(x.X)
	if err != nil {
		t.Fatal(err)
	}
	here := image.Rect(400, 300, 500, 340)
	if err := xproto.CreateWindowChecked(x.X, 0, win, x.Root, int16(here.Min.X), int16(here.Min.Y), uint16(here.Dx()), uint16(here.Dy()), 0,
		xproto.WindowClassInputOutput, 0, xproto.CwOverrideRedirect|xproto.CwEventMask, []uint32{1, xproto.EventMaskButtonPress}).Check(); err != nil {
		t.Fatal(err)
	}
	if err := xproto.MapWindowChecked(x.X, win).Check(); err != nil {
		t.Fatal(err)
	}
	arrived := func() {
		t.Helper()
		for {
			e, err := x.X.WaitForEvent()
			if e == nil && err == nil {
				t.Fatal("the connection is lost")
			}
			if b, ok := e.(xproto.ButtonPressEvent); ok && b.Detail == 1 {
				return
			}
		}
	}
	forge := func() { w.inner.Run(t, "xdotool", "click", "--window", fmt.Sprint(win), "1") }
	inside := here.Min.Add(image.Pt(50, 20))
	for i := range times {
		// With the pointer on the button.
		w.hold(t, w.outer, l, inside)
		forge()
		arrived()
		if p, ok := l.Take(time.Minute, here, true); ok || p.Source != 0 {
			t.Fatalf("%d: a sent click is a press: %+v", i, p)
		}
		// Piggyback: a real click elsewhere, then the forged one here.
		away := image.Pt(50+i, 60)
		w.hold(t, w.outer, l, away)
		w.outer.Run(t, "xdotool", "click", "1")
		if i%2 == 0 {
			w.hold(t, w.inner, l, inside)
		}
		forge()
		arrived()
		if p, ok := l.Take(time.Minute, here, true); ok {
			t.Fatalf("%d: a click elsewhere counts here: %+v", i, p)
		}
		if p, ok := next(t, l, around(away), true); i%2 != 0 && (!ok || p.Device != xephyrMouse) {
			t.Fatalf("%d: the real click is lost: %+v", i, p)
		}
	}
	// And the same window with a hand: one call is enough, as soon as the
	// window has the click.
	w.hold(t, w.outer, l, inside)
	for i := range times {
		w.outer.Run(t, "xdotool", "click", "1")
		arrived()
		if p, ok := l.Take(time.Minute, here, true); !ok || p.Trust != Test {
			t.Fatalf("%d: %+v", i, p)
		}
	}
}

// TestOld: a press is not kept for later, and another key is forgotten at once.
func TestOld(t *testing.T) {
	w := newWorld(t)
	l := listen(t, w.inner, Options{TestDevices: []string{xephyrMouse, xephyrKeys}})
	at := image.Pt(300, 200)
	w.hold(t, w.outer, l, at)
	w.outer.Run(t, "xdotool", "key", "a")
	w.outer.Run(t, "xdotool", "click", "1")
	xtest.Wait(t, "the press", func() bool { return l.m.count() > 0 })
	if p, ok := l.Take(time.Nanosecond, around(at), true); ok {
		t.Errorf("an old press counts: %+v", p)
	}
	if p, ok := l.Take(time.Minute, around(at), true); ok {
		t.Errorf("an old press counts later: %+v", p)
	}
	if p, ok := l.Take(time.Minute, around(at), false); ok {
		t.Errorf("another key counts: %+v", p)
	}
}

// TestHierarchy: a pair of pointers that a program makes changes nothing: the
// hand's press counts again, and the press through XTEST does not.
func TestHierarchy(t *testing.T) {
	w := newWorld(t)
	l := listen(t, w.inner, Options{TestDevices: []string{xephyrMouse}})
	at := image.Pt(300, 200)
	for i := range 5 {
		addMaster(t, w.inner.Display, fmt.Sprintf("more%d", i))
		w.hold(t, w.outer, l, at)
		xtest.Wait(t, "a press that counts", func() bool {
			w.outer.Run(t, "xdotool", "click", "1")
			_, ok := next(t, l, around(at), true)
			return ok
		})
		w.inner.Run(t, "xdotool", "click", "1")
		xtest.Wait(t, "the injected press", func() bool {
			p, ok := l.Take(time.Minute, around(at), true)
			if ok && p.Trust != Test {
				t.Fatalf("%+v", p)
			}
			return p.Trust == Injected
		})
	}
	if l.Err() != nil {
		t.Error(l.Err())
	}
}

// TestKilled: with the server goes all evidence, also what was heard before.
func TestKilled(t *testing.T) {
	for name, end := range map[string]func(*xtest.Server, *Listener, func()){
		"killed":    func(s *xtest.Server, _ *Listener, _ func()) { s.Kill() },
		"closed":    func(_ *xtest.Server, l *Listener, _ func()) { l.Close(); l.Close() },
		"cancelled": func(_ *xtest.Server, _ *Listener, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			s := xtest.Start(t, xtest.Options{Screen: "800x600"})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l, err := Listen(ctx, s.Display, Options{Wait: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s.Run(t, "xdotool", "mousemove", "100", "100", "click", "1", "click", "1")
			at := around(image.Pt(100, 100))
			if p, _ := next(t, l, at, true); p.Trust != Injected {
				t.Fatalf("%+v", p)
			}
			s.Run(t, "xdotool", "click", "1")
			end(s, l, cancel)
			select {
			case <-l.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the end was not noticed")
			}
			if p, ok := l.Take(time.Minute, at, true); ok || p != (Press{}) || l.Err() == nil {
				t.Errorf("%+v %v %v", p, ok, l.Err())
			}
		})
	}
}

// TestFrozen: a server that does not answer gives no evidence, in time.
func TestFrozen(t *testing.T) {
	s := xtest.Start(t, xtest.Options{Screen: "800x600"})
	l := listen(t, s, Options{Wait: 50 * time.Millisecond})
	s.Run(t, "xdotool", "mousemove", "100", "100", "click", "1")
	s.Freeze()
	start := time.Now()
	p, ok := l.Take(time.Minute, around(image.Pt(100, 100)), true)
	if took := time.Since(start); ok || p != (Press{Late: true}) || took > 5*time.Second {
		t.Errorf("%+v %v after %v", p, ok, took)
	}
	s.Thaw()
}

func TestListenRefused(t *testing.T) {
	for _, display := range []string{"", "example.com:0", ":65000"} {
		if l, err := Listen(t.Context(), display, Options{}); err == nil {
			l.Close()
			t.Errorf("%q: no error", display)
		}
	}
}
