package witness

import (
	"errors"
	"image"
	"slices"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// window is what is known of one watched window. Guarded by Witness.mu.
type window struct {
	pid   int
	place image.Rectangle // on the root window
	clear time.Time       // since when nothing covers it and it stands still; zero: not so now
	focus time.Time       // since when it has the keyboard; zero: it does not
	taken bool            // another program has grabbed the keyboard: the focus says nothing of where keys go
}

var errGone = errors.New("the window is gone")

// take brings the windows up to date with one event.
func (w *Witness) take(e xgb.Event, now time.Time) {
	switch e := e.(type) {
	case xproto.ClientMessageEvent:
		key := [2]uint32{e.Data.Data32[0], e.Data.Data32[1]}
		if passed, ok := w.fences[key]; ok && e.Window == w.self {
			close(passed)
			delete(w.fences, key)
		}
	case xproto.FocusInEvent:
		if s := w.windows[e.Event]; s != nil {
			s.taken = grabbed(e.Mode)
			if s.focus.IsZero() && !s.taken && w.focused(e.Event) {
				s.focus = now
			}
		}
	case xproto.FocusOutEvent:
		// To a child, or the pointer's focus only: the window keeps the keyboard.
		if s := w.windows[e.Event]; s != nil && e.Detail != xproto.NotifyDetailInferior && e.Detail != xproto.NotifyDetailPointer {
			s.focus, s.clear = time.Time{}, time.Time{}
			s.taken = grabbed(e.Mode)
			w.look(e.Event, s, now)
		}
	case xproto.VisibilityNotifyEvent:
		if s := w.windows[e.Window]; s != nil {
			if e.State != xproto.VisibilityUnobscured {
				s.clear = time.Time{}
			}
			w.look(e.Window, s, now)
		}
	case xproto.DestroyNotifyEvent:
		delete(w.windows, e.Window)
		w.lookAll(now)
	case xproto.MapNotifyEvent:
		w.flashed(e.Window)
		w.lookAll(now)
	case xproto.ConfigureNotifyEvent, xproto.ReparentNotifyEvent, xproto.CirculateNotifyEvent, xproto.UnmapNotifyEvent:
		w.lookAll(now)
	}
}

// grabbed tells whether a change of the focus was told of because of a grab of the
// keyboard that begins or goes on (X11 protocol, FocusIn). One that ends is
// Ungrab, and gives the keys back to the window with the focus.
func grabbed(mode byte) bool {
	return mode == xproto.NotifyModeGrab || mode == xproto.NotifyModeWhileGrabbed
}

func (w *Witness) lookAll(now time.Time) {
	for id, s := range w.windows {
		w.look(id, s, now)
	}
}

// flashed: a window that was shown and is gone before it can be looked at counts
// as having been in front.
func (w *Witness) flashed(other xproto.Window) {
	if w.x.Viewable(other) {
		return
	}
	place, err := w.place(other)
	for id, s := range w.windows {
		if other != id && (err != nil || place.Overlaps(s.place)) && !slices.Contains(w.ancestors(id), other) {
			s.clear = time.Time{}
		}
	}
}

// look sees where a window is and whether all of it is in sight.
func (w *Witness) look(id xproto.Window, s *window, now time.Time) {
	place, err := w.place(id)
	if err != nil {
		s.clear = time.Time{}
		return
	}
	if place != s.place {
		s.place, s.clear = place, time.Time{}
	}
	switch {
	case !w.x.Viewable(id) || w.covered(id, place):
		s.clear = time.Time{}
	case s.clear.IsZero():
		s.clear = now
	}
	if s.focus.IsZero() && !s.taken && w.focused(id) {
		s.focus = now
	}
}

// place is where a window is on the root window, without its border.
func (w *Witness) place(id xproto.Window) (image.Rectangle, error) {
	at := xproto.TranslateCoordinates(w.x.X, id, w.x.Root, 0, 0)
	size := xproto.GetGeometry(w.x.X, xproto.Drawable(id))
	p, err := at.Reply()
	if err != nil {
		return image.Rectangle{}, errGone
	}
	g, err := size.Reply()
	if err != nil {
		return image.Rectangle{}, errGone
	}
	x, y := int(p.DstX), int(p.DstY)
	return image.Rect(x, y, x+int(g.Width), y+int(g.Height)), nil
}

// focused tells whether the keyboard is the window's or a child's of it.
func (w *Witness) focused(id xproto.Window) bool {
	f, err := xproto.GetInputFocus(w.x.X).Reply()
	if err != nil {
		return false
	}
	for _, up := range append([]xproto.Window{f.Focus}, w.ancestors(f.Focus)...) {
		if up == id {
			return true
		}
	}
	return false
}

// ancestors of a window, the nearest first, without the root window.
func (w *Witness) ancestors(id xproto.Window) []xproto.Window {
	var out []xproto.Window
	for len(out) < 16 {
		t, err := xproto.QueryTree(w.x.X, id).Reply()
		if err != nil || t.Parent == w.x.Root || t.Parent == xproto.WindowNone {
			break
		}
		id = t.Parent
		out = append(out, id)
	}
	return out
}

// covered tells whether anything that can be seen lies in front of a window: a
// child of it, or a window above it or above one of its frames. Doubt says yes.
func (w *Witness) covered(id xproto.Window, place image.Rectangle) bool {
	tree, err := xproto.QueryTree(w.x.X, id).Reply()
	if err != nil || w.anySeen(tree.Children, place) {
		return true
	}
	for range 16 {
		parent := tree.Parent
		if parent == xproto.WindowNone {
			return false
		}
		siblings, err := xproto.QueryTree(w.x.X, parent).Reply()
		if err != nil {
			return true
		}
		i := slices.Index(siblings.Children, id) // bottom to top
		if i < 0 || w.anySeen(siblings.Children[i+1:], place) {
			return true
		}
		if parent == w.x.Root {
			return false
		}
		id, tree = parent, siblings
	}
	return true
}

// ofServer tells whether the server itself made a window, such as the one on which
// a compositor draws: no client's bits are in its id (X11 protocol, chapter 8:
// resource-id-mask, which is another one with -maxclients).
func (w *Witness) ofServer(id xproto.Window) bool {
	return uint32(id)&^xproto.Setup(w.x.X).ResourceIdMask == 0
}

// anySeen tells whether one of the windows is shown and overlaps place.
func (w *Witness) anySeen(windows []xproto.Window, place image.Rectangle) bool {
	attrs := make([]xproto.GetWindowAttributesCookie, len(windows))
	for i, o := range windows {
		attrs[i] = xproto.GetWindowAttributes(w.x.X, o)
	}
	for i, o := range windows {
		a, err := attrs[i].Reply()
		if err != nil || a.MapState != xproto.MapStateViewable || a.Class != xproto.WindowClassInputOutput || w.ofServer(o) {
			continue // gone meanwhile, or nothing to be seen
		}
		g, err := xproto.GetGeometry(w.x.X, xproto.Drawable(o)).Reply()
		if err != nil {
			continue
		}
		at, err := w.place(o)
		if err != nil {
			continue
		}
		if b := int(g.BorderWidth); at.Inset(-b).Overlaps(place) {
			return true
		}
	}
	return false
}
