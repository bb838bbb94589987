package rig

import (
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Window is a mapped window that has a name or a class.
type Window struct {
	ID    xproto.Window
	Title string
	Class string // WM_CLASS, both parts, "instance class"
	PID   int    // _NET_WM_PID; 0: not told
	Rect  image.Rectangle
}

// Windows lists what is mapped on the display, at most three levels deep: a
// window manager puts each client into a frame or two.
func (d *Display) Windows() []Window {
	var found []Window
	name, utf8, pid := d.atom("_NET_WM_NAME"), d.atom("UTF8_STRING"), d.atom("_NET_WM_PID")
	var walk func(w xproto.Window, level int)
	walk = func(w xproto.Window, level int) {
		tree, err := xproto.QueryTree(d.conn, w).Reply()
		if err != nil {
			return // gone meanwhile
		}
		for _, c := range tree.Children {
			attr, err := xproto.GetWindowAttributes(d.conn, c).Reply()
			if err != nil || attr.MapState != xproto.MapStateViewable || attr.Class != xproto.WindowClassInputOutput {
				continue
			}
			win := Window{ID: c, Title: d.text(c, name, utf8)}
			if win.Title == "" {
				win.Title = d.text(c, xproto.AtomWmName, xproto.GetPropertyTypeAny)
			}
			win.Class = strings.ReplaceAll(strings.TrimRight(d.text(c, xproto.AtomWmClass, xproto.AtomString), "\x00"), "\x00", " ")
			if p, err := xproto.GetProperty(d.conn, false, c, pid, xproto.AtomCardinal, 0, 1).Reply(); err == nil && len(p.Value) == 4 {
				win.PID = int(uint32(p.Value[0]) | uint32(p.Value[1])<<8 | uint32(p.Value[2])<<16 | uint32(p.Value[3])<<24)
			}
			if win.Title != "" || win.Class != "" {
				if rect, err := d.rect(c); err == nil {
					win.Rect = rect
					found = append(found, win)
				}
			}
			if level < 3 {
				walk(c, level+1)
			}
		}
	}
	walk(d.root, 1)
	return found
}

func (d *Display) text(w xproto.Window, prop, typ xproto.Atom) string {
	rep, err := xproto.GetProperty(d.conn, false, w, prop, typ, 0, 256).Reply()
	if err != nil {
		return ""
	}
	return string(rep.Value)
}

// rect is where w is, in the coordinates of the root window.
func (d *Display) rect(w xproto.Window) (image.Rectangle, error) {
	geo, err := xproto.GetGeometry(d.conn, xproto.Drawable(w)).Reply()
	if err != nil {
		return image.Rectangle{}, err
	}
	pos, err := xproto.TranslateCoordinates(d.conn, w, d.root, 0, 0).Reply()
	if err != nil {
		return image.Rectangle{}, err
	}
	x, y := int(pos.DstX), int(pos.DstY)
	return image.Rect(x, y, x+int(geo.Width), y+int(geo.Height)), nil
}

// Find returns the windows that match.
func (d *Display) Find(match func(Window) bool) []Window {
	var out []Window
	for _, w := range d.Windows() {
		if match(w) {
			out = append(out, w)
		}
	}
	return out
}

// WaitWindow waits until a window matches and has stopped moving.
func (d *Display) WaitWindow(what string, limit time.Duration, match func(Window) bool) (Window, error) {
	var win Window
	err := d.r.Wait(what, limit, func() (bool, error) {
		found := d.Find(match)
		if len(found) == 0 {
			return false, nil
		}
		still := found[0].Rect == win.Rect
		win = found[0]
		return still, nil
	})
	if err != nil {
		var there []string
		for _, w := range d.Windows() {
			there = append(there, fmt.Sprintf("%q (%s)", w.Title, w.Class))
		}
		err = fmt.Errorf("%w; windows on %s: %s", err, d.Name, strings.Join(there, ", "))
	}
	return win, err
}

// Places follows where top-level windows stand that come after it: what it
// returns lists the places in order, from when each was put on the screen.
func (d *Display) Places() (func() []image.Rectangle, error) {
	x, err := xgb.NewConnDisplay(d.Name)
	if err != nil {
		return nil, err
	}
	err = xproto.ChangeWindowAttributesChecked(x, d.root, xproto.CwEventMask, []uint32{xproto.EventMaskSubstructureNotify}).Check()
	if err != nil {
		x.Close()
		return nil, err
	}
	var places []image.Rectangle
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		mapped, at := map[xproto.Window]bool{}, map[xproto.Window]image.Rectangle{}
		for {
			e, err := x.WaitForEvent()
			if e == nil && err == nil {
				return
			}
			switch e := e.(type) {
			case xproto.ConfigureNotifyEvent:
				r := image.Rect(int(e.X), int(e.Y), int(e.X)+int(e.Width), int(e.Y)+int(e.Height))
				if at[e.Window] = r; mapped[e.Window] {
					places = append(places, r)
				}
			case xproto.CreateNotifyEvent:
				at[e.Window] = image.Rect(int(e.X), int(e.Y), int(e.X)+int(e.Width), int(e.Y)+int(e.Height))
			case xproto.MapNotifyEvent:
				if e.Event == d.root && at[e.Window].Dx() > 100 { // not the helper windows of toolkits
					mapped[e.Window] = true
					places = append(places, at[e.Window])
				}
			case xproto.UnmapNotifyEvent:
				delete(mapped, e.Window)
			}
		}
	}()
	return func() []image.Rectangle {
		x.Close()
		<-ended
		return places
	}, nil
}

// WaitNoWindow waits until no window matches.
func (d *Display) WaitNoWindow(what string, limit time.Duration, match func(Window) bool) error {
	return d.r.Wait("the end of "+what, limit, func() (bool, error) { return len(d.Find(match)) == 0, nil })
}

// KeepUnmapped takes every top-level window that matches off the screen, again and
// again, until it is called with nil.
func (d *Display) KeepUnmapped(match func(Window) bool) error {
	if d.unmapping != nil {
		close(d.unmapping)
		<-d.unmapped
		d.unmapping = nil
	}
	if match == nil {
		return nil
	}
	x, err := xgb.NewConnDisplay(d.Name)
	if err != nil {
		return err
	}
	var windows []xproto.Window
	for _, w := range d.Find(match) {
		windows = append(windows, w.ID)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	d.unmapping, d.unmapped = stop, stopped
	go func() {
		defer close(stopped)
		defer x.Close()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, w := range windows {
				_ = xproto.UnmapWindowChecked(x, w).Check()
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return nil
}

// Titled matches a part of the title.
func Titled(part string) func(Window) bool {
	return func(w Window) bool { return strings.Contains(w.Title, part) }
}

// Classed matches a part of WM_CLASS, whatever its case.
func Classed(part string) func(Window) bool {
	return func(w Window) bool { return strings.Contains(strings.ToLower(w.Class), strings.ToLower(part)) }
}

// OfPID matches the windows of one process.
func OfPID(pid int) func(Window) bool { return func(w Window) bool { return w.PID == pid } }

// Focus gives the keyboard to w: on a display without a window manager nobody
// else does, and toolkits ignore keys without it.
func (d *Display) Focus(w Window) error {
	return xproto.SetInputFocusChecked(d.conn, xproto.InputFocusPointerRoot, w.ID, xproto.TimeCurrentTime).Check()
}

// CloseByHand clicks the button that StartWM's theme draws at the right end of a
// window's title bar.
func (d *Display) CloseByHand(w Window) error {
	return d.HandClick(image.Pt(w.Rect.Max.X-8, w.Rect.Min.Y-8))
}

// Composited tells whether a compositing manager runs (EWMH, _NET_WM_CM_Sn).
func (d *Display) Composited() bool {
	rep, err := xproto.GetSelectionOwner(d.conn, d.atom("_NET_WM_CM_S0")).Reply()
	return err == nil && rep.Owner != xproto.WindowNone
}
