package indicator

import (
	"fmt"
	"image"
	"os"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// barEvents that the bar's window is asked for.
const barEvents = xproto.EventMaskExposure | xproto.EventMaskStructureNotify | xproto.EventMaskVisibilityChange |
	xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease | xproto.EventMaskPointerMotion |
	xproto.EventMaskEnterWindow | xproto.EventMaskLeaveWindow

func (s *screen) open(at, size image.Point, outline []image.Rectangle, title string) error {
	x := s.x
	win, err := xproto.NewWindowId(x)
	if err != nil {
		return err
	}
	// Not redirected: no window manager decides whether and where it is shown.
	err = xproto.CreateWindowChecked(x, xproto.WindowClassCopyFromParent, win, s.info.Root,
		int16(at.X), int16(at.Y), uint16(size.X), uint16(size.Y), 0,
		xproto.WindowClassInputOutput, s.info.RootVisual,
		xproto.CwBackPixel|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{s.info.BlackPixel, 1, barEvents}).Check()
	if err != nil {
		return fmt.Errorf("create window: %w", err)
	}
	s.win = win
	s.describe(title)
	if s.gc, err = xproto.NewGcontextId(x); err != nil {
		return err
	}
	xproto.CreateGC(x, s.gc, xproto.Drawable(win), 0, nil)
	s.resize(size, outline)
	xproto.MapWindow(x, win)
	s.raise()
	return nil
}

// describe says to the desktop and to accessibility tools what the window is.
func (s *screen) describe(title string) {
	text := func(name string, typ xproto.Atom, v string) {
		xproto.ChangeProperty(s.x, xproto.PropModeReplace, s.win, s.atom(name), typ, 8, uint32(len(v)), []byte(v))
	}
	list := func(name string, typ xproto.Atom, values ...uint32) {
		raw := make([]byte, 4*len(values))
		for i, v := range values {
			xgb.Put32(raw[4*i:], v)
		}
		xproto.ChangeProperty(s.x, xproto.PropModeReplace, s.win, s.atom(name), typ, 32, uint32(len(values)), raw)
	}
	text("WM_NAME", xproto.AtomString, "Aval")
	text("_NET_WM_NAME", s.atom("UTF8_STRING"), title)
	text("WM_CLASS", xproto.AtomString, "aval-indicator\x00Aval\x00")
	list("_NET_WM_PID", xproto.AtomCardinal, uint32(os.Getpid()))
	list("_NET_WM_WINDOW_TYPE", xproto.AtomAtom, uint32(s.atom("_NET_WM_WINDOW_TYPE_DOCK")))
	list("_NET_WM_STATE", xproto.AtomAtom, uint32(s.atom("_NET_WM_STATE_ABOVE")), uint32(s.atom("_NET_WM_STATE_STICKY")))
}

func (s *screen) id() uint32 { return uint32(s.win) }

func (s *screen) hide() {
	if s.win != 0 {
		xproto.FreeGC(s.x, s.gc)
		xproto.DestroyWindow(s.x, s.win)
	}
	s.win, s.buf = 0, nil
}

func (s *screen) close() { s.x.Close() }

func (s *screen) resize(size image.Point, outline []image.Rectangle) {
	s.size = size
	xproto.ConfigureWindow(s.x, s.win, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight, []uint32{uint32(size.X), uint32(size.Y)})
	s.setShape(s.win, outline)
}

func (s *screen) move(at image.Point) {
	xproto.ConfigureWindow(s.x, s.win, xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{uint32(int32(at.X)), uint32(int32(at.Y))})
}

func (s *screen) raise() {
	xproto.ConfigureWindow(s.x, s.win, xproto.ConfigWindowStackMode, []uint32{xproto.StackModeAbove})
}

func (s *screen) put(img *image.RGBA) {
	width, lines := s.size.X, max(1, s.chunk/s.format.stride(s.size.X))
	for y := 0; y < s.size.Y; y += lines {
		end := min(y+lines, s.size.Y)
		s.buf = s.format.convert(s.buf, img, width, y, end)
		xproto.PutImage(s.x, xproto.ImageFormatZPixmap, xproto.Drawable(s.win), s.gc,
			uint16(width), uint16(end-y), 0, int16(y), 0, s.format.depth, s.buf)
	}
}

func (s *screen) state() (at image.Rectangle, shown bool, err error) {
	a, err := xproto.GetWindowAttributes(s.x, s.win).Reply()
	if err != nil {
		return image.Rectangle{}, false, err
	}
	if a.MapState != xproto.MapStateViewable {
		return image.Rectangle{}, false, nil
	}
	g, err := xproto.GetGeometry(s.x, xproto.Drawable(s.win)).Reply()
	if err != nil {
		return image.Rectangle{}, false, err
	}
	return image.Rect(int(g.X), int(g.Y), int(g.X)+int(g.Width), int(g.Y)+int(g.Height)), true, nil
}

func (s *screen) again() {
	xproto.MapWindow(s.x, s.win)
	s.raise()
}

// events reads those of the connection, until it ends.
func (s *screen) events() <-chan happening {
	out := make(chan happening, 16)
	go func() {
		defer close(out)
		for {
			ev, err := s.x.WaitForEvent()
			if ev == nil && err == nil {
				return // the connection has ended
			}
			if h, ok := happened(ev); ok { // an error is about a window that is gone: the next look tells
				out <- h
			}
		}
	}()
	return out
}

func happened(ev xgb.Event) (happening, bool) {
	pt := func(x, y int16) image.Point { return image.Pt(int(x), int(y)) }
	switch e := ev.(type) {
	case xproto.ExposeEvent:
		return happening{what: exposed}, e.Count == 0
	case xproto.VisibilityNotifyEvent:
		return happening{what: overlaid}, e.State != xproto.VisibilityUnobscured
	case xproto.UnmapNotifyEvent, xproto.DestroyNotifyEvent:
		return happening{what: gone}, true
	case xproto.MotionNotifyEvent:
		return happening{moved, pt(e.EventX, e.EventY), pt(e.RootX, e.RootY)}, true
	case xproto.EnterNotifyEvent:
		return happening{entered, pt(e.EventX, e.EventY), pt(e.RootX, e.RootY)}, true
	case xproto.LeaveNotifyEvent:
		return happening{what: left}, true
	case xproto.ButtonPressEvent:
		return happening{pressed, pt(e.EventX, e.EventY), pt(e.RootX, e.RootY)}, e.Detail == 1
	case xproto.ButtonReleaseEvent:
		return happening{released, pt(e.EventX, e.EventY), pt(e.RootX, e.RootY)}, e.Detail == 1
	}
	return happening{}, false
}
