package consentview

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"
)

// Probe tells whether a window can be shown at all: whether there is an X
// server that offers GLX, without which the toolkit cannot draw; and where on
// its first monitor a window can be.
func Probe() (Screen, error) {
	if os.Getenv("DISPLAY") == "" {
		return Screen{}, fmt.Errorf("%w: DISPLAY is not set", ErrCannotShow)
	}
	x, err := connect()
	if err != nil {
		return Screen{}, err
	}
	defer x.Close()
	glx, err := xproto.QueryExtension(x, 3, "GLX").Reply()
	if err != nil {
		return Screen{}, fmt.Errorf("%w: ask the X server for GLX: %w", ErrCannotShow, err)
	}
	if !glx.Present {
		return Screen{}, fmt.Errorf("%w: the X server has no GLX", ErrCannotShow)
	}
	s := screen(x)
	s.Bar = barDown(x, s)
	return s, nil
}

// Errors are returned; xgb would also print them.
func init() { xgb.Logger.SetOutput(io.Discard) }

func connect() (*xgb.Conn, error) {
	x, err := xgb.NewConn()
	if err != nil {
		return nil, fmt.Errorf("%w: connect to the X server: %w", ErrCannotShow, err)
	}
	return x, nil
}

// screen is the primary monitor, or else the first, or else the whole screen.
func screen(x *xgb.Conn) Screen {
	s := xproto.Setup(x).DefaultScreen(x)
	all := Screen{Width: int(s.WidthInPixels), Height: int(s.HeightInPixels), Millimetres: int(s.WidthInMillimeters)}
	if randr.Init(x) != nil {
		return all
	}
	// Monitors came with RandR 1.5; an older server refuses, and the whole screen is taken.
	if _, err := randr.QueryVersion(x, 1, 5).Reply(); err != nil {
		return all
	}
	m, err := randr.GetMonitors(x, s.Root, true).Reply()
	if err != nil || len(m.Monitors) == 0 {
		return all
	}
	best := m.Monitors[0]
	for _, info := range m.Monitors {
		if info.Primary {
			best = info
		}
	}
	return Screen{X: int(best.X), Y: int(best.Y), Width: int(best.Width), Height: int(best.Height), Millimetres: int(best.WidthInMillimeters)}
}

// barClass is the first part of WM_CLASS of the bar that shows what is recorded.
const barClass = "aval-indicator\x00"

// barDown is how far down the bar reaches at the top of the screen now: it has a row
// for each session. A window that calls itself the bar gets a third at most.
func barDown(x *xgb.Conn, s Screen) int {
	tree, err := xproto.QueryTree(x, xproto.Setup(x).DefaultScreen(x).Root).Reply()
	if err != nil {
		return 0
	}
	down := 0
	for _, w := range tree.Children { // no window manager puts the bar into a frame
		class, err := xproto.GetProperty(x, false, w, xproto.AtomWmClass, xproto.AtomString, 0, 64).Reply()
		if err != nil || !strings.HasPrefix(string(class.Value), barClass) {
			continue
		}
		attr, err := xproto.GetWindowAttributes(x, w).Reply()
		if err != nil || attr.MapState != xproto.MapStateViewable {
			continue
		}
		g, err := xproto.GetGeometry(x, xproto.Drawable(w)).Reply()
		if err != nil || int(g.X) >= s.X+s.Width || int(g.X)+int(g.Width) <= s.X || int(g.Y) < s.Y {
			continue
		}
		if bottom := int(g.Y) + int(g.Height) - s.Y; bottom <= s.Height/3 {
			down = max(down, bottom)
		}
	}
	return down
}

// x11Sight reads the window's events on a connection of its own: the toolkit
// tells neither when a window is covered nor when its first frame is there.
type x11Sight struct {
	x      *xgb.Conn
	root   xproto.Window
	window xproto.Window
	out    chan change
	once   sync.Once

	// The fields below belong to follow.
	visibility byte // as the X server last said
	mapped     bool
	x0, y0     int16 // place on the root window
	w, h       uint16
}

// firstFrame is how often the window is looked at until its first frame is there.
const firstFrame = 20 * time.Millisecond

func watch(handle uintptr) (sight, error) {
	x, err := connect()
	if err != nil {
		return nil, err
	}
	s := &x11Sight{x: x, root: xproto.Setup(x).DefaultScreen(x).Root, window: xproto.Window(handle), out: make(chan change, 64)}
	const mask = xproto.EventMaskStructureNotify | xproto.EventMaskVisibilityChange | xproto.EventMaskFocusChange
	err = xproto.ChangeWindowAttributesChecked(x, s.window, xproto.CwEventMask, []uint32{mask}).Check()
	if err != nil {
		x.Close()
		return nil, fmt.Errorf("%w: watch the window: %w", ErrCannotShow, err)
	}
	attr, err := xproto.GetWindowAttributes(x, s.window).Reply()
	if err != nil {
		x.Close()
		return nil, fmt.Errorf("%w: look at the window: %w", ErrCannotShow, err)
	}
	s.mapped = attr.MapState == xproto.MapStateViewable
	s.place()
	// The window may have been told its visibility before its events were
	// selected. Under a compositor it is told nothing: there is always the whole of it.
	s.visibility = xproto.VisibilityUnobscured
	if !composited(x) && s.beneath() {
		s.visibility = xproto.VisibilityPartiallyObscured
	}
	go s.follow()
	return s, nil
}

func (s *x11Sight) changes() <-chan change { return s.out }

func (s *x11Sight) close() { s.once.Do(s.x.Close) }

// follow owns the state; it ends with the connection.
func (s *x11Sight) follow() {
	defer close(s.out)
	events := make(chan xgb.Event)
	go func() {
		defer close(events)
		for {
			e, err := s.x.WaitForEvent()
			if e == nil && err == nil {
				return // the connection has ended
			}
			if e != nil {
				events <- e
			}
		}
	}()
	look := time.NewTicker(firstFrame)
	defer look.Stop()
	painted, inSight := false, false
	tell := func() {
		now := painted && s.mapped && s.visibility == xproto.VisibilityUnobscured
		if now != inSight {
			inSight = now
			if now {
				s.out <- seen
			} else {
				s.out <- covered
			}
		}
	}
	for {
		select {
		case e, ok := <-events:
			if !ok {
				s.out <- gone
				return
			}
			if s.take(e) {
				s.out <- disturbed
			}
			tell()
		case <-look.C:
			if painted = s.painted(); painted {
				look.Stop()
				tell()
			}
		}
	}
}

// take brings the state up to date and tells whether the window was disturbed.
func (s *x11Sight) take(e xgb.Event) bool {
	switch e := e.(type) {
	case xproto.VisibilityNotifyEvent:
		s.visibility = e.State
	case xproto.MapNotifyEvent:
		s.mapped = true
	case xproto.UnmapNotifyEvent:
		s.mapped = false
	case xproto.ConfigureNotifyEvent, xproto.ReparentNotifyEvent:
		return s.place()
	case xproto.FocusOutEvent:
		// To a child, or the pointer's focus only: the window keeps the keyboard.
		return e.Detail != xproto.NotifyDetailInferior && e.Detail != xproto.NotifyDetailPointer
	}
	return false
}

// place reads where the window is, and tells whether that is somewhere else.
func (s *x11Sight) place() bool {
	at, err := xproto.TranslateCoordinates(s.x, s.window, s.root, 0, 0).Reply()
	if err != nil {
		return false
	}
	size, err := xproto.GetGeometry(s.x, xproto.Drawable(s.window)).Reply()
	if err != nil {
		return false
	}
	moved := at.DstX != s.x0 || at.DstY != s.y0 || size.Width != s.w || size.Height != s.h
	s.x0, s.y0, s.w, s.h = at.DstX, at.DstY, size.Width, size.Height
	return moved
}

// composited tells whether a compositing manager runs (EWMH, _NET_WM_CM_Sn).
func composited(x *xgb.Conn) bool {
	name := fmt.Sprintf("_NET_WM_CM_S%d", x.DefaultScreen)
	atom, err := xproto.InternAtom(x, false, uint16(len(name)), name).Reply()
	if err != nil {
		return false
	}
	owner, err := xproto.GetSelectionOwner(x, atom.Atom).Reply()
	return err == nil && owner.Owner != xproto.WindowNone
}

// beneath tells whether a window above overlaps this one. Doubt says yes: then
// nothing counts until the X server says that the window is free.
func (s *x11Sight) beneath() bool {
	top := s.window
	for {
		t, err := xproto.QueryTree(s.x, top).Reply()
		if err != nil {
			return true
		}
		if t.Parent == s.root || t.Parent == xproto.WindowNone {
			break
		}
		top = t.Parent
	}
	tree, err := xproto.QueryTree(s.x, s.root).Reply()
	if err != nil {
		return true
	}
	i := slices.Index(tree.Children, top) // bottom to top
	if i < 0 {
		return true
	}
	for _, above := range tree.Children[i+1:] {
		attr, err := xproto.GetWindowAttributes(s.x, above).Reply()
		if err != nil || attr.MapState != xproto.MapStateViewable || attr.Class != xproto.WindowClassInputOutput {
			continue // gone meanwhile, or nothing to be seen
		}
		g, err := xproto.GetGeometry(s.x, xproto.Drawable(above)).Reply()
		if err != nil {
			continue
		}
		border := 2 * int(g.BorderWidth)
		if int(g.X) < int(s.x0)+int(s.w) && int(s.x0) < int(g.X)+int(g.Width)+border &&
			int(g.Y) < int(s.y0)+int(s.h) && int(s.y0) < int(g.Y)+int(g.Height)+border {
			return true
		}
	}
	return false
}

// painted tells whether the window's content can be read back and is not of one
// colour. Before the first frame it is: black, or the server's background.
func (s *x11Sight) painted() bool {
	if !s.mapped || s.w == 0 || s.h == 0 {
		return false
	}
	// What lies outside the screen cannot be read (BadMatch).
	setup := xproto.Setup(s.x).DefaultScreen(s.x)
	left, top := max(0, -int(s.x0)), max(0, -int(s.y0))
	right := min(int(s.w), int(setup.WidthInPixels)-int(s.x0))
	bottom := min(int(s.h), int(setup.HeightInPixels)-int(s.y0), top+160)
	if right <= left || bottom <= top {
		return false
	}
	img, err := xproto.GetImage(s.x, xproto.ImageFormatZPixmap, xproto.Drawable(s.window),
		int16(left), int16(top), uint16(right-left), uint16(bottom-top), 0xFFFFFFFF).Reply()
	if err != nil || len(img.Data) < 4 {
		return false
	}
	colours := map[[3]byte]bool{}
	for i := 0; i+3 < len(img.Data); i += 4 {
		colours[[3]byte(img.Data[i:i+3])] = true
		if len(colours) > 8 {
			return true
		}
	}
	return false
}
