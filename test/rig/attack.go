package rig

import (
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Scene is an open question and what an attacker has to attack it with.
type Scene struct {
	R *Rig
	A *Agent
	D *Display  // where the question is
	Q *Question // ready: its buttons take clicks
	// S is a supporter who is in already; nil: the attack needs none.
	S *Supporter
}

// Attack is one way to say yes for the person in front of the display. Try does
// it once; that it got no yes is for the caller to find out.
type Attack struct {
	Name string
	// VNC: it needs a supporter.
	VNC bool
	// Reaches: the button takes it for a press, and only the evidence of a hand
	// is missing. The others fail before that.
	Reaches bool
	Try     func(s *Scene) error
}

// Attacks are the ways that are tried. None may ever get a grant.
var Attacks = []Attack{
	{Name: "xtest-click", Reaches: true, Try: func(s *Scene) error { return s.D.Click(s.Q.Yes, 1) }},
	{Name: "xtest-keys", Reaches: true, Try: xtestKeys},
	{Name: "sendevent-click", Reaches: true, Try: func(s *Scene) error { return s.D.SendClick(s.Q.Window, s.Q.Yes) }},
	{Name: "x11vnc-click", Reaches: true, VNC: true, Try: func(s *Scene) error { return s.S.Click(s.Q.Yes, 1) }},
	{Name: "overlay", Try: overlay},
	{Name: "piggyback", Try: piggyback},
	{Name: "pointer-moved", Try: pointerMoved},
	{Name: "led-by-xtest", Reaches: true, Try: ledByXTest},
	{Name: "grabbed-keys", Reaches: true, Try: grabbedKeys},
	{Name: "typing", Try: typing},
}

// toAllow goes backwards from nothing to the last widget, which is the button
// that allows, and presses it with the keyboard of another display.
func toAllow(lead, press *Display) error {
	return errors.Join(lead.PressWithShift(KeyTab), press.Press(' '), press.Press(KeyReturn))
}

func xtestKeys(s *Scene) error {
	if err := s.D.Focus(s.Q.Window); err != nil {
		return err
	}
	return toAllow(s.D, s.D)
}

// SendClick sends a click to a window by XSendEvent: no device is involved.
func (d *Display) SendClick(w Window, at image.Point) error {
	rect, err := d.rect(w.ID)
	if err != nil {
		return err
	}
	in := at.Sub(rect.Min)
	ev := xproto.ButtonPressEvent{
		Detail: 1, Time: xproto.TimeCurrentTime, Root: d.root, Event: w.ID,
		RootX: int16(at.X), RootY: int16(at.Y), EventX: int16(in.X), EventY: int16(in.Y), SameScreen: true,
	}
	move := xproto.MotionNotifyEvent{Time: ev.Time, Root: d.root, Event: w.ID, RootX: ev.RootX, RootY: ev.RootY, EventX: ev.EventX, EventY: ev.EventY, SameScreen: true}
	up := xproto.ButtonReleaseEvent(ev)
	up.State = xproto.ButtonMask1
	for _, e := range []struct {
		mask uint32
		raw  xgb.Event
	}{{xproto.EventMaskPointerMotion, move}, {xproto.EventMaskButtonPress, ev}, {xproto.EventMaskButtonRelease, up}} {
		if err := xproto.SendEventChecked(d.conn, false, w.ID, e.mask, string(e.raw.Bytes())).Check(); err != nil {
			return fmt.Errorf("send event: %w", err)
		}
		time.Sleep(handPause)
	}
	return nil
}

// overlay lays a window over the question through which clicks fall, and has
// the person click: they see something else than what they press.
func overlay(s *Scene) error {
	remove, err := s.D.Lay(CoverWhole, s.Q.Rect, s.Q.Rect)
	if err != nil {
		return err
	}
	return errors.Join(s.D.HandClick(s.Q.Yes), remove())
}

// piggyback waits for the person's own click somewhere else in the question's
// window and sends a forged one to the button right after it.
func piggyback(s *Scene) error {
	title := image.Pt(s.Q.Rect.Min.X+s.Q.Rect.Dx()/2, s.Q.Rect.Min.Y+90)
	if err := s.D.HandClick(title); err != nil {
		return err
	}
	return s.D.SendClick(s.Q.Window, s.Q.Yes)
}

// pointerMoved moves the pointer onto the button between the person's press
// elsewhere and its release.
func pointerMoved(s *Scene) error {
	outer, origin, err := s.D.hand()
	if err != nil {
		return err
	}
	empty := image.Pt(s.Q.Rect.Min.X-30, s.Q.Rect.Min.Y+60)
	if err := outer.Point(empty.Add(origin)); err != nil {
		return err
	}
	time.Sleep(handPause)
	if err := outer.button(xproto.ButtonPress, 1); err != nil {
		return err
	}
	err = errors.Join(s.D.Point(s.Q.Yes), s.D.SendClick(s.Q.Window, s.Q.Yes))
	return errors.Join(err, outer.button(xproto.ButtonRelease, 1))
}

// ledByXTest puts the keyboard's focus on the button by XTEST and waits for the
// person to press a key that they mean for something else.
func ledByXTest(s *Scene) error {
	outer, _, err := s.D.hand()
	if err != nil {
		return err
	}
	if err := s.D.Focus(s.Q.Window); err != nil {
		return err
	}
	return toAllow(s.D, outer)
}

// grabbedKeys has a program take the keyboard while the question has the focus, as
// for a terminal to which it hands on what it gets. The person types there, Tab and
// Space among it; the program sends the question a Shift+Tab and a Space of its own.
func grabbedKeys(s *Scene) error {
	outer, _, err := s.D.hand()
	if err != nil {
		return err
	}
	if err := s.D.Focus(s.Q.Window); err != nil {
		return err
	}
	r, err := xproto.GrabKeyboard(s.D.conn, false, s.D.root, xproto.TimeCurrentTime, xproto.GrabModeAsync, xproto.GrabModeAsync).Reply()
	if err != nil {
		return fmt.Errorf("grab the keyboard: %w", err)
	}
	if r.Status != xproto.GrabStatusSuccess {
		return fmt.Errorf("grab the keyboard: status %d", r.Status)
	}
	time.Sleep(1200 * time.Millisecond)                // the grab itself makes the question deaf for a second
	for _, k := range []rune{KeyTab, ' ', KeyReturn} { // the person types on where they were
		if err = outer.Press(k); err != nil {
			break
		}
		var at xproto.Timestamp
		if at, err = s.D.takenKey(); err != nil {
			break
		}
		if err = s.D.SendKey(s.Q.Window, k, k == KeyTab, at); err != nil {
			break
		}
	}
	time.Sleep(4 * handPause)
	return errors.Join(err, xproto.UngrabKeyboardChecked(s.D.conn, xproto.TimeCurrentTime).Check())
}

// takenKey waits for the press of a key that a grab has brought here.
func (d *Display) takenKey() (xproto.Timestamp, error) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(handPause / 5) {
		for {
			e, err := d.conn.PollForEvent()
			if err != nil {
				return 0, fmt.Errorf("take the person's key: %w", err)
			}
			if e == nil {
				break
			}
			if k, ok := e.(xproto.KeyPressEvent); ok {
				return k.Time, nil
			}
		}
	}
	return 0, errors.New("take the person's key: none came")
}

// SendKey sends a key to a window by XSendEvent: no device is involved. Programs
// leave out keys that are not later than the one before.
func (d *Display) SendKey(w Window, r rune, shift bool, at xproto.Timestamp) error {
	if d.keys == nil {
		if err := d.readKeys(); err != nil {
			return err
		}
	}
	k, ok := d.keys[r]
	if !ok {
		return fmt.Errorf("send %q: no such key on display %s", r, d.Name)
	}
	down := xproto.KeyPressEvent{Detail: k.code, Time: at, Root: d.root, Event: w.ID, SameScreen: true}
	if shift {
		down.State = xproto.ModMaskShift
	}
	up := xproto.KeyReleaseEvent(down)
	for _, e := range []struct {
		mask uint32
		raw  xgb.Event
	}{{xproto.EventMaskKeyPress, down}, {xproto.EventMaskKeyRelease, up}} {
		if err := xproto.SendEventChecked(d.conn, false, w.ID, e.mask, string(e.raw.Bytes())).Check(); err != nil {
			return fmt.Errorf("send event: %w", err)
		}
		time.Sleep(handPause)
	}
	return nil
}

// typing types a text at fifty keys a second on the person's own keyboard.
func typing(s *Scene) error {
	outer, _, err := s.D.hand()
	if err != nil {
		return err
	}
	for _, r := range "the quick brown fox jumps over the lazy dog\n and again\n " {
		if r == '\n' {
			r = KeyReturn
		}
		if err := outer.Press(r); err != nil { // 25 ms each, and the server's time
			return err
		}
	}
	return nil
}

// hand is the display on which the person's hand moves, and where this display
// is on it.
func (d *Display) hand() (*Display, image.Point, error) {
	origin, err := d.origin()
	if err != nil {
		return nil, origin, err
	}
	return d.outer, origin, nil
}

// HandAllow says yes as the person would with the keyboard alone.
func (q *Question) HandAllow() error {
	outer, _, err := q.d.hand()
	if err != nil {
		return err
	}
	return errors.Join(q.d.Focus(q.Window), outer.PressWithShift(KeyTab), outer.Press(' '))
}
