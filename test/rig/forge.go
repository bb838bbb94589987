package rig

import (
	"fmt"
	"image"

	"github.com/jezek/xgb/shape"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// What a program of the person's own account, or somebody who works the screen
// from afar, can do to a display: none of it is a hand.

// KeyShift is held with HoldKey.
const KeyShift = keyShiftL

// Hand is the display around a nested one: what is done there arrives in the
// nested one from devices, as a hand's doing. Nil: there is none.
func (d *Display) Hand() *Display { return d.outer }

// HoldKey presses a key or lets it go.
func (d *Display) HoldKey(r rune, down bool) error {
	if d.keys == nil {
		if err := d.readKeys(); err != nil {
			return err
		}
	}
	k, ok := d.keys[r]
	if !ok {
		return fmt.Errorf("hold %q: no such key on display %s", r, d.Name)
	}
	kind := byte(xproto.KeyRelease)
	if down {
		kind = xproto.KeyPress
	}
	return xtest.FakeInputChecked(d.conn, kind, byte(k.code), 0, d.root, 0, 0, 0).Check()
}

// Strike presses a key and lets it go, with no pause in between.
func (d *Display) Strike(r rune) error {
	if err := d.HoldKey(r, true); err != nil {
		return err
	}
	return d.HoldKey(r, false)
}

// Warp moves the pointer as a program may, without any device (WarpPointer).
func (d *Display) Warp(p image.Point) error {
	return xproto.WarpPointerChecked(d.conn, 0, d.root, 0, 0, 0, 0, int16(p.X), int16(p.Y)).Check()
}

// Cover is how a window is laid over another one.
type Cover int

// The covers. All of them let clicks through to what lies below.
const (
	// CoverWhole hides all of it.
	CoverWhole Cover = iota
	// CoverHole hides all of it but the place that is to be clicked.
	CoverHole
	// CoverPlace hides only the place that is to be clicked.
	CoverPlace
)

// Lay puts a window over r that no window manager manages, with place as the part
// that the cover is about; remove takes it away.
func (d *Display) Lay(c Cover, r, place image.Rectangle) (remove func() error, err error) {
	if err := shape.Init(d.conn); err != nil {
		return nil, err
	}
	win, err := xproto.NewWindowId(d.conn)
	if err != nil {
		return nil, err
	}
	if c == CoverPlace {
		r = place
	}
	s := xproto.Setup(d.conn).DefaultScreen(d.conn)
	err = xproto.CreateWindowChecked(d.conn, s.RootDepth, win, d.root, int16(r.Min.X), int16(r.Min.Y), uint16(r.Dx()), uint16(r.Dy()), 0,
		xproto.WindowClassInputOutput, s.RootVisual, xproto.CwBackPixel|xproto.CwOverrideRedirect, []uint32{0x2e8b57, 1}).Check()
	if err != nil {
		return nil, err
	}
	// An empty input region: clicks go to what is below (SHAPE 1.1).
	if err := shape.RectanglesChecked(d.conn, shape.SoSet, shape.SkInput, 0, win, 0, 0, nil).Check(); err != nil {
		return nil, err
	}
	if c == CoverHole {
		hole := place.Sub(r.Min)
		w, h := r.Dx(), r.Dy()
		rect := func(x0, y0, x1, y1 int) xproto.Rectangle {
			return xproto.Rectangle{X: int16(x0), Y: int16(y0), Width: uint16(x1 - x0), Height: uint16(y1 - y0)}
		}
		around := []xproto.Rectangle{
			rect(0, 0, w, hole.Min.Y), rect(0, hole.Min.Y, hole.Min.X, hole.Max.Y),
			rect(hole.Max.X, hole.Min.Y, w, hole.Max.Y), rect(0, hole.Max.Y, w, h),
		}
		if err := shape.RectanglesChecked(d.conn, shape.SoSet, shape.SkBounding, 0, win, 0, 0, around).Check(); err != nil {
			return nil, err
		}
	}
	if err := xproto.MapWindowChecked(d.conn, win).Check(); err != nil {
		return nil, err
	}
	return func() error { return xproto.DestroyWindowChecked(d.conn, win).Check() }, nil
}
