package consentview

import (
	"cmp"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"aval/ui/control"
	"aval/ui/theme"
)

// push is one of the two buttons. Both look the same: neither is the right answer.
type push struct {
	target
	label string
	width float32
}

const (
	pushHeight float32 = 44
	pushRing   float32 = 4 // around its face
)

func newPush(label string, width float32, armed func() bool, act func(), other func(*fyne.KeyEvent)) *push {
	p := &push{label: label, width: width}
	p.armed, p.act, p.other = armed, act, other
	p.ExtendBaseWidget(p)
	return p
}

// AccessibilityLabel implements fyne.Accessible.
func (p *push) AccessibilityLabel() string { return p.label }

// AccessibilityRole implements fyne.Accessible.
func (p *push) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

func (p *push) CreateRenderer() fyne.WidgetRenderer {
	face, ring := canvas.NewRectangle(nil), canvas.NewRectangle(nil)
	face.CornerRadius, face.StrokeWidth = 6, 1
	ring.CornerRadius = 9
	label := newBlock(p.label, p.width-24, inkText).bold()
	label.align = fyne.TextAlignCenter
	d := &control.Drawing{Parts: []fyne.CanvasObject{ring, face, label}}
	d.Min = func() fyne.Size {
		return fyne.NewSize(p.width, max(pushHeight, label.MinSize().Height+20))
	}
	d.Place = func(size fyne.Size) {
		ring.Resize(size)
		face.Move(fyne.NewPos(pushRing, pushRing))
		face.Resize(fyne.NewSize(size.Width-2*pushRing, size.Height-2*pushRing))
		h := label.MinSize().Height
		label.Move(fyne.NewPos((size.Width-label.width)/2, (size.Height-h)/2))
		label.Resize(fyne.NewSize(label.width, h))
	}
	d.Paint = func() {
		pal := theme.Current()
		control.PaintRing(ring, p.focused)
		face.FillColor, face.StrokeColor = pal.Control, pal.Edge
		lettering := inkText
		switch {
		case !p.live():
			face.FillColor, face.StrokeColor = pal.Idle, pal.Line
			lettering = inkMuted
		case p.held:
			face.FillColor = pal.Pressed
		case p.hovered:
			face.FillColor = pal.Hover
		}
		label.set(p.label, lettering)
	}
	d.Paint()
	return d
}

// tick is one group that can be unticked.
type tick struct {
	target
	label string
	width float32
	on    bool
}

const tickBox float32 = 20

func newTick(label string, width float32, armed func() bool, change func(), other func(*fyne.KeyEvent)) *tick {
	t := &tick{label: label, width: width, on: true}
	t.armed, t.other = armed, other
	t.act = func() { t.on = !t.on; t.Refresh(); change() }
	t.ExtendBaseWidget(t)
	return t
}

// AccessibilityLabel implements fyne.Accessible.
func (t *tick) AccessibilityLabel() string { return t.label }

// AccessibilityRole implements fyne.Accessible.
func (t *tick) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

func (t *tick) CreateRenderer() fyne.WidgetRenderer {
	ring, box := canvas.NewRectangle(nil), canvas.NewRectangle(nil)
	ring.CornerRadius = 6
	box.CornerRadius, box.StrokeWidth = 4, 2
	short, long := canvas.NewLine(nil), canvas.NewLine(nil)
	short.StrokeWidth, long.StrokeWidth = 2.5, 2.5
	label := newBlock(t.label, t.width-tickBox-10-4, inkText)
	d := &control.Drawing{Parts: []fyne.CanvasObject{ring, box, short, long, label}}
	d.Min = func() fyne.Size {
		return fyne.NewSize(t.width, max(control.MinTarget, label.MinSize().Height+6))
	}
	d.Place = func(size fyne.Size) {
		ring.Move(fyne.NewPos(-4, 0))
		ring.Resize(fyne.NewSize(size.Width+4, size.Height))
		y := (size.Height - tickBox) / 2
		box.Move(fyne.NewPos(0, y))
		box.Resize(fyne.NewSize(tickBox, tickBox))
		short.Position1, short.Position2 = fyne.NewPos(5, y+10.5), fyne.NewPos(8.5, y+14)
		long.Position1, long.Position2 = fyne.NewPos(8.5, y+14), fyne.NewPos(15, y+6.5)
		h := label.MinSize().Height
		label.Move(fyne.NewPos(tickBox+10, (size.Height-h)/2))
		label.Resize(fyne.NewSize(label.width, h))
	}
	d.Paint = func() {
		pal := theme.Current()
		control.PaintRing(ring, t.focused)
		box.FillColor, box.StrokeColor = pal.Ground, pal.Edge
		short.StrokeColor, long.StrokeColor = color.Transparent, color.Transparent
		if t.hovered && t.live() {
			box.FillColor = pal.Hover
		}
		if t.on {
			box.FillColor, box.StrokeColor = pal.Accent, pal.Accent
			short.StrokeColor, long.StrokeColor = pal.OnTick, pal.OnTick
		}
		lettering := inkText
		if !t.on {
			lettering = inkMuted
		}
		label.set(t.label, lettering)
	}
	d.Paint()
	return d
}

// link is text that does something harmless: unfold, change the language.
type link struct {
	target
	label string
	name  string // said in its place to who cannot see it; empty: the label
	arrow int    // 1 points down, -1 up, 0 none
}

// linkSide is between the edge of a link and what it draws.
const linkSide float32 = 6

func newLink(label string, armed func() bool, act func(), other func(*fyne.KeyEvent)) *link {
	l := &link{label: label}
	l.armed, l.act, l.other = armed, act, other
	l.ExtendBaseWidget(l)
	return l
}

// AccessibilityLabel implements fyne.Accessible.
func (l *link) AccessibilityLabel() string { return cmp.Or(l.name, l.label) }

// AccessibilityRole implements fyne.Accessible.
func (l *link) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

func (l *link) CreateRenderer() fyne.WidgetRenderer {
	const side, gap, arrow = linkSide, 6, 9
	ring := canvas.NewRectangle(nil)
	ring.CornerRadius = 6
	text := canvas.NewText(l.label, nil)
	text.TextSize, text.FontSource = theme.Text, theme.FontFor(l.label, fyne.TextStyle{})
	left, right := canvas.NewLine(nil), canvas.NewLine(nil)
	left.StrokeWidth, right.StrokeWidth = 2, 2
	under := canvas.NewRectangle(nil)
	d := &control.Drawing{Parts: []fyne.CanvasObject{ring, text, left, right, under}}
	d.Min = func() fyne.Size {
		w := text.MinSize().Width + 2*side
		if l.arrow != 0 {
			w += gap + arrow
		}
		return fyne.NewSize(w, control.MinTarget)
	}
	d.Place = func(size fyne.Size) {
		ring.Resize(size)
		s := text.MinSize()
		text.Move(fyne.NewPos(side, (size.Height-s.Height)/2))
		text.Resize(s)
		under.Move(fyne.NewPos(side, (size.Height+s.Height)/2-1))
		under.Resize(fyne.NewSize(s.Width, 1))
		x, y := side+s.Width+gap, size.Height/2+1
		tip := float32(l.arrow) * 2.5
		left.Position1, left.Position2 = fyne.NewPos(x, y-tip), fyne.NewPos(x+arrow/2.0, y+tip)
		right.Position1, right.Position2 = fyne.NewPos(x+arrow/2.0, y+tip), fyne.NewPos(x+arrow, y-tip)
	}
	d.Paint = func() {
		pal := theme.Current()
		control.PaintRing(ring, l.focused)
		text.Text, text.Color = l.label, pal.Accent
		under.FillColor = color.Transparent
		if l.hovered && l.live() {
			under.FillColor = pal.Accent
		}
		left.StrokeColor, right.StrokeColor = color.Transparent, color.Transparent
		if l.arrow != 0 {
			left.StrokeColor, right.StrokeColor = pal.Accent, pal.Accent
		}
		d.Place(l.Size())
	}
	d.Paint()
	return d
}
