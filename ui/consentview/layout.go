package consentview

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
)

// column puts objects beneath each other, each as wide as the column, with a
// gap of its own above it. Hidden objects take no room.
type column struct {
	width float32
	gaps  map[fyne.CanvasObject]float32
}

func newColumn(width float32) (*fyne.Container, *column) {
	c := &column{width: width, gaps: map[fyne.CanvasObject]float32{}}
	return &fyne.Container{Layout: c}, c
}

func (c *column) add(to *fyne.Container, gap float32, o fyne.CanvasObject) {
	c.gaps[o] = gap
	to.Objects = append(to.Objects, o)
}

// MinSize implements fyne.Layout.
func (c *column) MinSize(objects []fyne.CanvasObject) fyne.Size {
	h := float32(0)
	for _, o := range objects {
		if o.Visible() {
			h += c.gaps[o] + o.MinSize().Height
		}
	}
	return fyne.NewSize(c.width, h)
}

// Layout implements fyne.Layout.
func (c *column) Layout(objects []fyne.CanvasObject, _ fyne.Size) {
	y := float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		y += c.gaps[o]
		h := o.MinSize().Height
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(c.width, h))
		y += h
	}
}

// ends puts one object at the left end and one at the right end of a row, in
// its middle, each as large as it needs to be.
type ends struct {
	width float32
	top   bool // both at the top instead of in the middle
	// over is how far the one at the right stands out, for what it draws ends
	// that much before its own edge.
	over float32
}

// MinSize implements fyne.Layout.
func (e ends) MinSize(objects []fyne.CanvasObject) fyne.Size {
	h := float32(0)
	for _, o := range objects {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(e.width, h)
}

// Layout implements fyne.Layout.
func (e ends) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for i, o := range objects {
		s := o.MinSize()
		x := float32(0)
		if i > 0 {
			x = e.width - s.Width + e.over
		}
		y := (size.Height - s.Height) / 2
		if e.top {
			y = 0
		}
		o.Move(fyne.NewPos(x, y))
		o.Resize(s)
	}
}

// plain is a rectangle in a colour of the palette that follows the variant.
type plain struct {
	widget.BaseWidget
	ink  ink
	size fyne.Size
}

func newPlain(ink ink, width, height float32) *plain {
	p := &plain{ink: ink, size: fyne.NewSize(width, height)}
	p.ExtendBaseWidget(p)
	return p
}

func inkLine(p *assets.Palette) color.NRGBA   { return p.Line }
func inkGround(p *assets.Palette) color.NRGBA { return p.Ground }

func (p *plain) CreateRenderer() fyne.WidgetRenderer {
	rect := canvas.NewRectangle(p.ink(theme.Current()))
	return &control.Drawing{
		Parts: []fyne.CanvasObject{rect},
		Min:   func() fyne.Size { return p.size },
		Place: func(size fyne.Size) { rect.Resize(size) },
		Paint: func() { rect.FillColor = p.ink(theme.Current()) },
	}
}

// bar shows how much of the time is left.
type bar struct {
	widget.BaseWidget
	left  float32 // 0 to 1
	width float32
}

func newBar(width float32) *bar {
	b := &bar{left: 1, width: width}
	b.ExtendBaseWidget(b)
	return b
}

func (b *bar) set(left float32) {
	left = min(1, max(0, left))
	if left == b.left {
		return
	}
	b.left = left
	b.Refresh()
}

func (b *bar) CreateRenderer() fyne.WidgetRenderer {
	ground, rest := canvas.NewRectangle(nil), canvas.NewRectangle(nil)
	ground.CornerRadius, rest.CornerRadius = 3, 3
	d := &control.Drawing{Parts: []fyne.CanvasObject{ground, rest}}
	d.Min = func() fyne.Size { return fyne.NewSize(b.width, 6) }
	d.Place = func(size fyne.Size) {
		ground.Resize(size)
		rest.Resize(fyne.NewSize(size.Width*b.left, size.Height))
	}
	d.Paint = func() {
		pal := theme.Current()
		ground.FillColor, rest.FillColor = pal.Line, pal.Accent
		d.Place(b.Size())
	}
	d.Paint()
	return d
}

// row puts objects side by side at their least width, at the top or in the middle.
type row struct {
	gap    float32
	middle bool
}

// MinSize implements fyne.Layout.
func (r row) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.NewSize(0, 0)
	for i, o := range objects {
		s := o.MinSize()
		if i > 0 {
			size.Width += r.gap
		}
		size.Width += s.Width
		size.Height = max(size.Height, s.Height)
	}
	return size
}

// Layout implements fyne.Layout.
func (r row) Layout(objects []fyne.CanvasObject, _ fyne.Size) {
	x := float32(0)
	height := r.MinSize(objects).Height
	for _, o := range objects {
		s := o.MinSize()
		y := float32(0)
		if r.middle {
			y = (height - s.Height) / 2
		}
		o.Move(fyne.NewPos(x, y))
		o.Resize(s)
		x += s.Width + r.gap
	}
}

// inset puts its one object at a distance from the left, at its own width.
type inset struct{ left float32 }

// MinSize implements fyne.Layout.
func (i inset) MinSize(objects []fyne.CanvasObject) fyne.Size {
	s := objects[0].MinSize()
	return fyne.NewSize(s.Width+i.left, s.Height)
}

// Layout implements fyne.Layout.
func (i inset) Layout(objects []fyne.CanvasObject, _ fyne.Size) {
	objects[0].Move(fyne.NewPos(i.left, 0))
	objects[0].Resize(objects[0].MinSize())
}

// bleed lets its one object stand out by that much at the left and at the right.
type bleed struct{ by float32 }

// MinSize implements fyne.Layout.
func (b bleed) MinSize(objects []fyne.CanvasObject) fyne.Size {
	s := objects[0].MinSize()
	return fyne.NewSize(s.Width-2*b.by, s.Height)
}

// Layout implements fyne.Layout.
func (b bleed) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Move(fyne.NewPos(-b.by, 0))
	objects[0].Resize(fyne.NewSize(size.Width+2*b.by, size.Height))
}

// frame is the window: head above, foot below, what is between takes the rest.
// A fourth object lies over the text, at the right beneath the head.
// Head and foot keep their width in the middle of a window that was made wider.
type frame struct{}

// MinSize implements fyne.Layout.
func (frame) MinSize(objects []fyne.CanvasObject) fyne.Size {
	h := float32(0)
	for _, o := range objects[:3] {
		h += o.MinSize().Height
	}
	return fyne.NewSize(Width, h)
}

// Layout implements fyne.Layout.
func (frame) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	head, middle, foot := objects[0], objects[1], objects[2]
	left := max(0, (size.Width-Width)/2)
	headHigh, footHigh := head.MinSize().Height, foot.MinSize().Height
	head.Move(fyne.NewPos(left+margin, 0))
	head.Resize(fyne.NewSize(inner, headHigh))
	middle.Move(fyne.NewPos(left, headHigh))
	middle.Resize(fyne.NewSize(Width, max(0, size.Height-headHigh-footHigh)))
	foot.Move(fyne.NewPos(left+margin, max(headHigh, size.Height-footHigh)))
	foot.Resize(fyne.NewSize(inner, footHigh))
	if len(objects) > 3 {
		over := objects[3]
		y := max(headHigh, control.MinTarget)
		s := over.MinSize()
		over.Move(fyne.NewPos(left+margin+inner-s.Width, y))
		over.Resize(fyne.NewSize(s.Width, min(s.Height, size.Height-y-8)))
	}
}
