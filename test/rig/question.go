package rig

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Question is the window that asks.
type Question struct {
	Window
	No, Yes image.Point // the middle of each button, on the display

	d     *Display
	r     *Rig
	inert color.RGBA  // of the buttons when they were first seen
	spot  image.Point // a place on a button beside its label
}

// ofProgram matches the windows of a program by its file name, whatever the
// window's title is in the person's language.
func ofProgram(name string) func(Window) bool {
	return func(w Window) bool {
		exe, err := os.Readlink("/proc/" + strconv.Itoa(w.PID) + "/exe")
		return w.PID != 0 && err == nil && filepath.Base(exe) == name
	}
}

// OfUI matches Aval's own windows, OfNative those of the native dialog,
// OfDesktop the indicator.
var (
	OfUI      = ofProgram("aval-ui")
	OfNative  = ofProgram("zenity")
	OfDesktop = ofProgram("aval-desktop")
)

// WaitQuestion waits for the window that asks on d, painted, with its buttons.
func (r *Rig) WaitQuestion(d *Display, limit time.Duration) (*Question, error) {
	win, err := d.WaitWindow("the question", limit, OfUI)
	if err != nil {
		return nil, err
	}
	q := &Question{Window: win, d: d, r: r}
	var still time.Time // since when it has stood where it stands
	err = r.Wait("the buttons of the question", 30*time.Second, func() (bool, error) {
		// It may still be moved or resized, by itself or by the window manager.
		rect, err := d.rect(win.ID)
		if err != nil {
			return false, err
		}
		if rect != q.Rect {
			q.Rect, still = rect, time.Now()
		}
		img, err := d.Part(rect)
		if err != nil {
			return false, err
		}
		no, yes, ok := buttons(img)
		q.No, q.Yes = middle(no), middle(yes)
		q.spot = no.Min.Add(image.Pt(12, no.Dy()/2))
		if ok {
			q.inert = img.RGBAAt(q.spot.X, q.spot.Y)
		}
		return ok && time.Since(still) > 300*time.Millisecond, nil
	})
	return q, err
}

func middle(r image.Rectangle) image.Point { return r.Min.Add(r.Max).Div(2) }

// buttons finds two wide bars of equal size and one colour side by side in the
// lower half of a window: the buttons, wherever the layout puts them and
// whatever language is written on them. The lowest such pair wins.
func buttons(img *image.RGBA) (left, right image.Rectangle, ok bool) {
	b := img.Bounds()
	for y := b.Max.Y - 1; y > b.Min.Y+b.Dy()/3; y-- {
		l, r, found := pair(img, y)
		if !found {
			continue
		}
		fill := img.RGBAAt(middle(l).X, y)
		top := y // up to the other edge: along the bars' left ends, beside the text
		for top > b.Min.Y && near(img.RGBAAt(l.Min.X+8, top-1), fill) && near(img.RGBAAt(r.Min.X+8, top-1), fill) {
			top--
		}
		if h := y - top; h >= 20 && h <= 120 {
			l.Min.Y, l.Max.Y, r.Min.Y, r.Max.Y = top, y, top, y
			return l, r, true
		}
	}
	return left, right, false
}

// pair finds, in one row, two runs of one colour that is not the row's ground,
// each between 15 and 48 % of the width, equally wide.
func pair(img *image.RGBA, y int) (l, r image.Rectangle, ok bool) {
	b := img.Bounds()
	ground := img.RGBAAt(b.Min.X+2, y)
	var runs []image.Rectangle
	for x := b.Min.X; x < b.Max.X; {
		c, end := img.RGBAAt(x, y), x+1
		for end < b.Max.X && near(img.RGBAAt(end, y), c) {
			end++
		}
		if w := end - x; !near(c, ground) && w*100 >= b.Dx()*15 && w*100 <= b.Dx()*48 {
			runs = append(runs, image.Rect(x, y, end, y+1))
		}
		x = end
	}
	if len(runs) != 2 || !near(img.RGBAAt(runs[0].Min.X+1, y), img.RGBAAt(runs[1].Min.X+1, y)) {
		return l, r, false
	}
	if d := runs[0].Dx() - runs[1].Dx(); d < -6 || d > 6 {
		return l, r, false
	}
	return runs[0], runs[1], true
}

func near(a, b color.RGBA) bool {
	d := func(x, y uint8) int { return max(int(x), int(y)) - min(int(x), int(y)) }
	return d(a.R, b.R)+d(a.G, b.G)+d(a.B, b.B) <= 6
}

// WaitReady waits until the buttons look as if they took clicks: they change
// their colour after the first moment, in which a stray click must not count.
func (q *Question) WaitReady() error {
	return q.r.Wait("the question to be ready", 5*time.Second, func() (bool, error) {
		img, err := q.d.Part(image.Rectangle{Min: q.spot, Max: q.spot.Add(image.Pt(1, 1))})
		return err == nil && img.RGBAAt(q.spot.X, q.spot.Y) != q.inert, err
	})
}

// Answer clicks Allow or Don't allow by hand until the window has gone: a click
// that comes too early is ignored, and a person would click again.
func (q *Question) Answer(allow bool) error {
	for range 8 {
		// Look again before each click, as a person does: a window that was moved
		// meanwhile has its other button there.
		rect, err := q.d.rect(q.ID)
		if err != nil { // it has just gone, or the display has
			return q.d.WaitNoWindow("the question", 800*time.Millisecond, func(w Window) bool { return w.ID == q.ID })
		}
		moved := rect.Min.Sub(q.Rect.Min)
		q.Rect, q.No, q.Yes, q.spot = rect, q.No.Add(moved), q.Yes.Add(moved), q.spot.Add(moved)
		at := q.No
		if allow {
			at = q.Yes
		}
		if err := q.d.HandClick(at); err != nil {
			return err
		}
		err = q.d.WaitNoWindow("the question", 800*time.Millisecond, func(w Window) bool { return w.ID == q.ID })
		if err == nil {
			return nil
		}
	}
	return errors.New("the question is still there after eight clicks")
}

// String names the window in messages.
func (q *Question) String() string { return fmt.Sprintf("%q at %v", q.Title, q.Rect) }

// Gone tells whether the window is no longer on the screen.
func (q *Question) Gone() bool {
	return len(q.d.Find(func(w Window) bool { return w.ID == q.ID })) == 0
}
