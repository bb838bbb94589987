package rig

import (
	"fmt"
	"image"
	"time"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// A pause between the parts of a click or key press, as a quick hand leaves it:
// it imitates a hand and waits for nothing.
const handPause = 25 * time.Millisecond

type key struct {
	code  xproto.Keycode
	shift bool
}

// Keys that are typed by name: keysyms of X11/keysymdef.h.
const (
	KeyReturn rune = 0xff0d
	KeyEscape rune = 0xff1b
	KeyTab    rune = 0xff09
	KeyDown   rune = 0xff54
	keyShiftL rune = 0xffe1
)

// Point moves the pointer.
func (d *Display) Point(p image.Point) error {
	return xtest.FakeInputChecked(d.conn, xproto.MotionNotify, 0, 0, d.root, int16(p.X), int16(p.Y), 0).Check()
}

// Click moves the pointer to p and presses the button (1 left, 3 right). On a
// nested display this is injection, as a remote tool does it: see HandClick.
func (d *Display) Click(p image.Point, button byte) error {
	// Two moves: programs that look for a hover want to see the pointer arrive.
	for _, q := range []image.Point{p.Add(image.Pt(-3, -2)), p} {
		if err := d.Point(q); err != nil {
			return err
		}
		time.Sleep(handPause)
	}
	for _, kind := range []byte{xproto.ButtonPress, xproto.ButtonRelease} {
		if err := d.button(kind, button); err != nil {
			return err
		}
		time.Sleep(2 * handPause)
	}
	return nil
}

func (d *Display) button(kind, button byte) error {
	return xtest.FakeInputChecked(d.conn, kind, button, 0, d.root, 0, 0, 0).Check()
}

// HandClick clicks p of a nested display as the person in front of it would:
// on the window that this display is on the outer one.
func (d *Display) HandClick(p image.Point) error {
	origin, err := d.origin()
	if err != nil {
		return err
	}
	return d.outer.Click(p.Add(origin), 1)
}

// HandScroll turns the wheel of a nested display's mouse down, over p.
func (d *Display) HandScroll(p image.Point, notches int) error {
	origin, err := d.origin()
	for range notches {
		if err == nil {
			err = d.outer.Click(p.Add(origin), 5)
		}
	}
	return err
}

// HandPoint moves the pointer of a nested display from the outer one.
func (d *Display) HandPoint(p image.Point) error {
	origin, err := d.origin()
	if err != nil {
		return err
	}
	return d.outer.Point(p.Add(origin))
}

// HandButton presses the left button of a nested display's mouse, or lets it go,
// where the pointer is.
func (d *Display) HandButton(down bool) error {
	if d.outer == nil {
		return fmt.Errorf("display %s is not nested: there is no hand to click with", d.Name)
	}
	kind := byte(xproto.ButtonRelease)
	if down {
		kind = xproto.ButtonPress
	}
	return xtest.FakeInputChecked(d.outer.conn, kind, 1, 0, d.outer.root, 0, 0, 0).Check()
}

// origin is where a nested display's corner is on the outer one.
func (d *Display) origin() (image.Point, error) {
	if d.outer == nil {
		return image.Point{}, fmt.Errorf("display %s is not nested: there is no hand to click with", d.Name)
	}
	found := d.outer.Find(func(w Window) bool {
		return Titled("Aval: ")(w) && w.Rect.Dx() == d.Width && w.Rect.Dy() == d.Height && (w.PID == 0 || w.PID == d.Server.PID)
	})
	for _, w := range found {
		if len(found) == 1 || Titled(xephyrTitle(d.Server.Name))(w) {
			return w.Rect.Min, nil
		}
	}
	return image.Point{}, fmt.Errorf("the window of display %s is not on %s", d.Name, d.outer.Name)
}

// PressWithShift is Press with the shift key held.
func (d *Display) PressWithShift(r rune) error { return d.press(r, true) }

// Press presses and releases one key, given as a character or a Key constant.
func (d *Display) Press(r rune) error { return d.press(r, false) }

func (d *Display) press(r rune, withShift bool) error {
	if d.keys == nil {
		if err := d.readKeys(); err != nil {
			return err
		}
	}
	k, ok := d.keys[r]
	if !ok {
		return fmt.Errorf("type %q: no such key on display %s", r, d.Name)
	}
	send := func(kind byte, code xproto.Keycode) error {
		return xtest.FakeInputChecked(d.conn, kind, byte(code), 0, d.root, 0, 0, 0).Check()
	}
	shift := d.keys[keyShiftL]
	if k.shift = k.shift || withShift; k.shift {
		if err := send(xproto.KeyPress, shift.code); err != nil {
			return err
		}
	}
	if err := send(xproto.KeyPress, k.code); err != nil {
		return err
	}
	time.Sleep(handPause / 2)
	if err := send(xproto.KeyRelease, k.code); err != nil {
		return err
	}
	if k.shift {
		if err := send(xproto.KeyRelease, shift.code); err != nil {
			return err
		}
	}
	time.Sleep(handPause / 2)
	return nil
}

// Type types a text; a line feed is Return.
func (d *Display) Type(text string) error {
	for _, r := range text {
		if r == '\n' {
			r = KeyReturn
		}
		if err := d.Press(r); err != nil {
			return err
		}
	}
	return nil
}

// readKeys reads the keyboard's first two levels. For characters of Latin-1 the
// keysym is the character itself (X11 protocol, appendix A).
func (d *Display) readKeys() error {
	setup := xproto.Setup(d.conn)
	first, n := setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode)+1
	rep, err := xproto.GetKeyboardMapping(d.conn, first, n).Reply()
	if err != nil {
		return err
	}
	d.keys = map[rune]key{}
	per := int(rep.KeysymsPerKeycode)
	for i := range int(n) {
		for level := range min(2, per) {
			sym := rune(rep.Keysyms[i*per+level])
			if _, have := d.keys[sym]; sym != 0 && !have {
				d.keys[sym] = key{code: first + xproto.Keycode(i), shift: level == 1}
			}
		}
	}
	return nil
}

// SetTitle changes a window's title, as its program would: for canaries.
func (d *Display) SetTitle(w xproto.Window, title string) error {
	for _, p := range []struct{ prop, typ xproto.Atom }{
		{d.atom("_NET_WM_NAME"), d.atom("UTF8_STRING")},
		{xproto.AtomWmName, xproto.AtomString},
	} {
		err := xproto.ChangePropertyChecked(d.conn, xproto.PropModeReplace, w, p.prop, p.typ, 8, uint32(len(title)), []byte(title)).Check()
		if err != nil {
			return err
		}
	}
	return nil
}
