package consentview

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"aval/ui/control"
	"aval/ui/theme"
)

// sign is a small drawing beside a text, out of lines: it says the same as the
// text, for somebody who does not see the colour.
type sign struct {
	widget.BaseWidget
	size  float32
	ink   ink
	round bool
	// strokes are x1, y1, x2, y2 in the unit square.
	strokes [][4]float32
}

// signWide is the room for a sign and the gap to its text.
const signWide float32 = 23

// newShield is a ring with a tick for a name that is vouched for, and with an
// exclamation mark for one that is not.
func newShield(verified bool) *sign {
	s := &sign{size: 16, ink: inkWarn, round: true, strokes: [][4]float32{{.5, .24, .5, .56}, {.5, .7, .5, .76}}}
	if verified {
		s.ink = inkGood
		s.strokes = [][4]float32{{.28, .52, .44, .68}, {.44, .68, .73, .34}}
	}
	s.ExtendBaseWidget(s)
	return s
}

// newCross stands before what is not recorded.
func newCross() *sign {
	s := &sign{size: 11, ink: inkMuted, strokes: [][4]float32{{.1, .1, .9, .9}, {.9, .1, .1, .9}}}
	s.ExtendBaseWidget(s)
	return s
}

func (s *sign) CreateRenderer() fyne.WidgetRenderer {
	d := &control.Drawing{}
	ring := canvas.NewCircle(color.Transparent)
	if s.round {
		ring.StrokeWidth = 1.5
		d.Parts = append(d.Parts, ring)
	}
	var lines []*canvas.Line
	for range s.strokes {
		line := canvas.NewLine(nil)
		line.StrokeWidth = 1.8
		lines = append(lines, line)
		d.Parts = append(d.Parts, line)
	}
	// As high as a line of text, and in its middle.
	high := theme.Measure("Ág", theme.Text, fyne.TextStyle{}).Height
	d.Min = func() fyne.Size { return fyne.NewSize(signWide, high) }
	d.Place = func(fyne.Size) {
		top := (high - s.size) / 2
		ring.Move(fyne.NewPos(0, top))
		ring.Resize(fyne.NewSize(s.size, s.size))
		for i, at := range s.strokes {
			lines[i].Position1 = fyne.NewPos(at[0]*s.size, top+at[1]*s.size)
			lines[i].Position2 = fyne.NewPos(at[2]*s.size, top+at[3]*s.size)
		}
	}
	d.Paint = func() {
		c := s.ink(theme.Current())
		ring.StrokeColor = c
		for _, line := range lines {
			line.StrokeColor = c
		}
	}
	d.Paint()
	return d
}
