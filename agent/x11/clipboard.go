package x11

import (
	"errors"
	"fmt"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// fromExtension is an event of an extension as it came. The numbers of such
// events, 64 to 127 (X protocol, "Event Format"), are given anew by each server.
type fromExtension struct{ raw []byte }

// Bytes implements xgb.Event.
func (e fromExtension) Bytes() []byte { return e.raw }

// String implements xgb.Event.
func (e fromExtension) String() string { return fmt.Sprintf("event %d of an extension", e.raw[0]&127) }

// xgb knows events by a table that is global and without a lock, and an
// extension's own Init writes to it while the readers of other connections look
// things up there. So every number of an extension is entered once, here.
func init() {
	for n := 64; n < 128; n++ {
		xgb.NewEventFuncs[n] = func(b []byte) xgb.Event { return fromExtension{b} }
	}
}

// Clipboard tells of each change of the clipboard's owner (X Fixes 1.0, "Cursor
// and Selection Monitoring"). It never asks for what was copied, nor in which forms.
type Clipboard struct {
	event     byte // number of the server's selection event
	selection xproto.Atom
}

// WatchClipboard has the server send the changes of CLIPBOARD as events of c. What
// is only selected (PRIMARY) is not copied and is not asked for.
func (c *Conn) WatchClipboard() (*Clipboard, error) {
	const name = "XFIXES"
	r, err := xproto.QueryExtension(c.X, uint16(len(name)), name).Reply()
	if err != nil {
		return nil, fmt.Errorf("watch clipboard: %w", err)
	}
	if !r.Present {
		return nil, errors.New("watch clipboard: the X server does not tell of its changes (no XFIXES)")
	}
	c.X.ExtLock.Lock()
	c.X.Extensions[name] = r.MajorOpcode
	c.X.ExtLock.Unlock()
	if _, err := xfixes.QueryVersion(c.X, 1, 0).Reply(); err != nil { // before any other request
		return nil, fmt.Errorf("watch clipboard: %w", err)
	}
	selection, err := c.Atom("CLIPBOARD")
	if err != nil {
		return nil, fmt.Errorf("watch clipboard: %w", err)
	}
	if err := xfixes.SelectSelectionInputChecked(c.X, c.Root, selection, xfixes.SelectionEventMaskSetSelectionOwner).Check(); err != nil {
		return nil, fmt.Errorf("watch clipboard: %w", err)
	}
	return &Clipboard{event: r.FirstEvent + xfixes.SelectionNotify, selection: selection}, nil
}

// Owner is the window of the program that took the clipboard by ev; ok is false
// for every other event. A clipboard that was only emptied has no owner.
func (b *Clipboard) Owner(ev xgb.Event) (w xproto.Window, ok bool) {
	e, is := ev.(fromExtension)
	if b == nil || !is || e.raw[0]&127 != b.event || e.raw[0]&128 != 0 { // 128: by SendEvent, so by anybody
		return 0, false
	}
	n := xfixes.SelectionNotifyEventNew(e.raw).(xfixes.SelectionNotifyEvent)
	ok = n.Subtype == xfixes.SelectionEventSetSelectionOwner && n.Selection == b.selection && n.Owner != xproto.WindowNone
	return n.Owner, ok
}
