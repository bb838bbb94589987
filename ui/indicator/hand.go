package indicator

import (
	"image"
	"time"

	"aval/agent/ipc"
)

// handle takes one event; it returns what the person chose.
func (b *board) handle(e happening, now time.Time) (ipc.RecordingControl, bool) {
	none := ipc.RecordingControl{}
	if !b.there() {
		return none, false
	}
	switch e.what {
	case exposed:
		b.paint()
	case overlaid:
		if now.Sub(b.lastLook) > 100*time.Millisecond {
			b.look(now, false)
		}
	case gone:
		b.look(now, false)
	case moved:
		b.motion(e)
	case entered:
		b.hover(e.at)
	case left:
		if b.drag == nil {
			b.hover(image.Pt(-1, -1))
		}
	case pressed:
		b.pointer = e.at
		if b.pressed = b.under(e.at); b.pressed < 0 {
			from := e.on.Sub(b.at)
			b.drag = &from
		} else if now.Before(b.countFrom) {
			b.pressed = -1
		}
		b.paint()
	case released:
		held := b.pressed
		b.pressed, b.drag = -1, nil
		b.pointer = e.at
		if held < 0 || b.under(b.pointer) != held {
			b.paint()
			break
		}
		hit := b.f.hits()[held]
		control, chosen := b.press(hit.button, now)
		if at := hit.rect; chosen {
			control.Press = &ipc.Press{Window: b.s.id(), X: at.Min.X, Y: at.Min.Y, Width: at.Dx(), Height: at.Dy()}
		}
		b.redraw(now)
		return control, chosen
	}
	return none, false
}

func (b *board) motion(e happening) {
	if b.drag == nil {
		b.hover(e.at)
		return
	}
	at := e.on
	monitors, _ := b.s.monitors()
	monitor := monitorAt(monitors, image.Rectangle{Min: at, Max: at.Add(image.Pt(1, 1))})
	b.move(dragged(monitor, b.f.size, at.Sub(*b.drag)))
}

// hover redraws when the pointer comes to another button.
func (b *board) hover(at image.Point) {
	before := b.under(b.pointer)
	b.pointer = at
	if b.under(at) != before {
		b.paint()
	}
}
