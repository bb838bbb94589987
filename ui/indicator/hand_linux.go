package indicator

import (
	"image"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"aval/agent/ipc"
)

// handle takes one event; it returns what the person chose.
func (b *xbar) handle(ev xgb.Event, now time.Time) (ipc.RecordingControl, bool) {
	none := ipc.RecordingControl{}
	if b.win == 0 {
		return none, false
	}
	switch e := ev.(type) {
	case xproto.ExposeEvent:
		if e.Count == 0 {
			b.paint()
		}
	case xproto.VisibilityNotifyEvent:
		if e.State != xproto.VisibilityUnobscured && now.Sub(b.lastLook) > 100*time.Millisecond {
			b.look(now, false)
		}
	case xproto.UnmapNotifyEvent, xproto.DestroyNotifyEvent:
		b.look(now, false)
	case xproto.MotionNotifyEvent:
		b.motion(e)
	case xproto.EnterNotifyEvent:
		b.hover(image.Pt(int(e.EventX), int(e.EventY)))
	case xproto.LeaveNotifyEvent:
		if b.drag == nil {
			b.hover(image.Pt(-1, -1))
		}
	case xproto.ButtonPressEvent:
		if e.Detail != 1 {
			break
		}
		at := image.Pt(int(e.EventX), int(e.EventY))
		b.pointer = at
		if b.pressed = b.under(at); b.pressed < 0 {
			from := image.Pt(int(e.RootX), int(e.RootY)).Sub(b.at)
			b.drag = &from
		} else if now.Before(b.countFrom) {
			b.pressed = -1
		}
		b.paint()
	case xproto.ButtonReleaseEvent:
		if e.Detail != 1 {
			break
		}
		held := b.pressed
		b.pressed, b.drag = -1, nil
		b.pointer = image.Pt(int(e.EventX), int(e.EventY))
		if held < 0 || b.under(b.pointer) != held {
			b.paint()
			break
		}
		hit := b.f.hits()[held]
		control, chosen := b.press(hit.button, now)
		if at := hit.rect; chosen {
			control.Press = &ipc.Press{Window: uint32(b.win), X: at.Min.X, Y: at.Min.Y, Width: at.Dx(), Height: at.Dy()}
		}
		b.redraw(now)
		return control, chosen
	}
	return none, false
}

func (b *xbar) motion(e xproto.MotionNotifyEvent) {
	if b.drag == nil {
		b.hover(image.Pt(int(e.EventX), int(e.EventY)))
		return
	}
	at := image.Pt(int(e.RootX), int(e.RootY))
	monitors, _ := b.s.monitors()
	monitor := monitorAt(monitors, image.Rectangle{Min: at, Max: at.Add(image.Pt(1, 1))})
	b.move(dragged(monitor, b.f.size, at.Sub(*b.drag)))
}

// hover redraws when the pointer comes to another button.
func (b *xbar) hover(at image.Point) {
	before := b.under(b.pointer)
	b.pointer = at
	if b.under(at) != before {
		b.paint()
	}
}
