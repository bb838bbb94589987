package indicator

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"aval/assets"
)

// Measures at 100 %, in pixels.
const (
	rowHeight    = 46
	buttonHeight = 36
	buttonPad    = 14
	buttonGap    = 6
	edge         = 5  // around the buttons
	leftPad      = 16 // before the mark
	markSize     = 12
	markGap      = 11
	textGap      = 20 // between text and buttons
	textSize     = 14.5
	corner       = 9
	widest       = 760
)

// The bar is dark on every desktop, so that it stands out on light ones and
// does not glare on dark ones; its edge sets it off from a dark one. All text on
// it has a contrast of 7:1 and more.
var (
	palette   = assets.Dark
	recording = color.NRGBA{R: 0xFF, G: 0x5C, B: 0x52, A: 0xFF}
	paused    = color.NRGBA{R: 0xFF, G: 0xC8, B: 0x57, A: 0xFF}
	dangerous = color.NRGBA{R: 0x9B, G: 0x22, B: 0x1C, A: 0xFF}
	dangerHot = color.NRGBA{R: 0xB0, G: 0x2C, B: 0x25, A: 0xFF}
	white     = color.NRGBA{R: 0xFF, G: 0xFF, B: 0xFF, A: 0xFF}
)

// pen draws at one scale.
type pen struct {
	scale float64
	face  *faces
}

// newPen makes a pen for texts in a language (BCP 47).
func newPen(scale float64, lang string) (*pen, error) {
	face, err := newFaces(scale, lang)
	if err != nil {
		return nil, err
	}
	return &pen{scale: scale, face: face}, nil
}

// px is n pixels of 100 % at this scale.
func (p *pen) px(n float64) int { return int(n*p.scale + 0.5) }

// drawable replaces what no font has a glyph for, so that a name in another
// script is seen as such and not as nothing.
func (p *pen) drawable(s string) string {
	s = strings.Map(substitute, s)
	p.face.learn(s)
	return strings.Map(func(r rune) rune {
		if r >= ' ' && p.face.of(r) == nil {
			return '□'
		}
		return r
	}, s)
}

// steady measures with every digit as wide as a zero, so that a running clock
// does not change the width of the bar.
func (p *pen) steady(s string) int {
	s = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, s)
	return font.MeasureString(p.face, s).Ceil()
}

// hit is a button's place in the frame.
type hit struct {
	rect   image.Rectangle
	button button
}

// line is a row with its place and its final text.
type line struct {
	row  row
	y    int
	text string
	hits []hit
}

// frame is the bar, measured: what to draw and where to press.
type frame struct {
	size  image.Point
	lines []line
}

// measure lays the rows out so that the bar is no wider than limit: a long name
// of a supporter is cut first.
func (p *pen) measure(rows []row, cat *assets.Catalog, limit int) frame {
	limit = min(limit, p.px(widest))
	lead := p.px(leftPad + markSize + markGap)
	var f frame
	tails := make([]int, len(rows)) // the widths of the rows' buttons
	for i, r := range rows {
		for _, b := range r.buttons {
			tails[i] += p.buttonWidth(b) + p.px(buttonGap)
		}
		tails[i] += p.px(edge) - p.px(buttonGap)
		if r.under {
			f.size.X = max(f.size.X, tails[i]+p.px(edge))
			f.lines = append(f.lines, line{row: r})
			continue
		}
		if len(r.buttons) == 0 {
			tails[i] = p.px(leftPad) - p.px(textGap)
		}
		text := p.fit(r, cat, limit-lead-p.px(textGap)-tails[i])
		f.size.X = max(f.size.X, lead+p.steady(text)+p.px(textGap)+tails[i])
		f.lines = append(f.lines, line{row: r, text: text})
	}
	for i := range f.lines {
		l := &f.lines[i]
		l.y = f.size.Y
		height := p.px(rowHeight)
		if l.row.under {
			height = p.px(buttonHeight + edge)
		}
		x := f.size.X - tails[i]
		top := l.y + (p.px(rowHeight)-p.px(buttonHeight))/2
		if l.row.under {
			top = l.y
		}
		for _, b := range l.row.buttons {
			w := p.buttonWidth(b)
			l.hits = append(l.hits, hit{rect: image.Rect(x, top, x+w, top+p.px(buttonHeight)), button: b})
			x += w + p.px(buttonGap)
		}
		f.size.Y += height
	}
	return f
}

func (p *pen) buttonWidth(b button) int {
	if b.label == "" {
		return p.px(buttonHeight + 2)
	}
	return p.steady(b.label) + 2*p.px(buttonPad)
}

// fit returns the row's text at no more than width, the name shortened where
// that helps, else the text itself.
func (p *pen) fit(r row, cat *assets.Catalog, width int) string {
	who := []rune(p.drawable(r.who))
	text := p.drawable(r.text(cat, string(who)))
	for n := len(who) - 1; n >= 4 && p.steady(text) > width; n-- {
		text = p.drawable(r.text(cat, strings.TrimRight(string(who[:n]), " ")+"…"))
	}
	for runes := []rune(text); len(runes) > 1 && p.steady(text) > width; {
		runes = runes[:len(runes)-1]
		text = strings.TrimRight(string(runes), " ") + "…"
	}
	return text
}

// draw paints f. hot is the button under the pointer, down whether it is held
// pressed; both as indexes of f.hits, -1: none.
func (p *pen) draw(dst *image.RGBA, f frame, hot int, down bool) {
	whole := image.Rectangle{Max: f.size}
	fill(dst, whole, palette.Edge)
	p.round(dst, whole.Inset(1), palette.Surface, corner-1)
	n := 0
	for i, l := range f.lines {
		if i > 0 && !l.row.under {
			fill(dst, image.Rect(p.px(leftPad), l.y, f.size.X-p.px(leftPad), l.y+max(1, p.px(1))), palette.Line)
		}
		if !l.row.under {
			mid := l.y + p.px(rowHeight)/2
			p.mark(dst, l.row.mark, image.Pt(p.px(leftPad), mid-p.px(markSize)/2))
			p.text(dst, image.Pt(p.px(leftPad+markSize+markGap), mid), l.text, palette.Text)
		}
		for _, h := range l.hits {
			p.button(dst, h, n == hot, down)
			n++
		}
	}
}

// hits lists the buttons in the order in which draw counts them.
func (f frame) hits() []hit {
	var out []hit
	for _, l := range f.lines {
		out = append(out, l.hits...)
	}
	return out
}

func (p *pen) button(dst *image.RGBA, h hit, hot, down bool) {
	back, edgeColor, ink := palette.Control, palette.Edge, palette.Text
	switch {
	case h.button.idle:
		back, ink = palette.Idle, palette.Muted
	case h.button.danger && hot:
		back, edgeColor, ink = dangerHot, white, white
	case h.button.danger:
		back, ink = dangerous, white
	case hot && down:
		back, edgeColor = palette.Pressed, palette.Text
	case hot:
		back, edgeColor = palette.Hover, palette.Text
	}
	p.round(dst, h.rect, edgeColor, 6)
	p.round(dst, h.rect.Inset(max(1, p.px(1))), back, 5)
	if h.button.label == "" {
		mid := h.rect.Min.Add(h.rect.Size().Div(2))
		for _, dx := range []float64{-6, 0, 6} {
			p.disc(dst, mid.Add(image.Pt(p.px(dx+100)-p.px(100), 0)), 1.7, ink)
		}
		return
	}
	w := font.MeasureString(p.face, h.button.label).Ceil()
	p.text(dst, image.Pt(h.rect.Min.X+(h.rect.Dx()-w)/2, h.rect.Min.Y+h.rect.Dy()/2), h.button.label, ink)
}

func (p *pen) mark(dst *image.RGBA, m mark, at image.Point) {
	switch m {
	case markRecording:
		p.disc(dst, at.Add(image.Pt(p.px(markSize)/2, p.px(markSize)/2)), markSize/2, recording)
	case markPaused:
		for _, x := range []float64{1, 7.5} {
			fill(dst, image.Rect(at.X+p.px(x), at.Y, at.X+p.px(x+3.5), at.Y+p.px(markSize)), paused)
		}
	case markDone:
		fill(dst, image.Rect(at.X+p.px(1), at.Y+p.px(1), at.X+p.px(markSize-1), at.Y+p.px(markSize-1)), palette.Muted)
	}
}

// text writes s with its middle at the height of at.
func (p *pen) text(dst *image.RGBA, at image.Point, s string, c color.NRGBA) {
	m := p.face.Metrics()
	base := at.Y + (m.CapHeight.Round()+1)/2
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(at.X, base)}
	d.DrawString(s)
}

func fill(dst *image.RGBA, r image.Rectangle, c color.NRGBA) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// round fills a rectangle with round corners of a radius at 100 %.
func (p *pen) round(dst *image.RGBA, r image.Rectangle, c color.NRGBA, radius float64) {
	w, h, q := float32(r.Dx()), float32(r.Dy()), float32(radius*p.scale)
	v := vector.NewRasterizer(r.Dx(), r.Dy())
	const k = 0.5523 // of the radius: the handles of a quarter circle
	v.MoveTo(q, 0)
	v.LineTo(w-q, 0)
	v.CubeTo(w-q+k*q, 0, w, q-k*q, w, q)
	v.LineTo(w, h-q)
	v.CubeTo(w, h-q+k*q, w-q+k*q, h, w-q, h)
	v.LineTo(q, h)
	v.CubeTo(q-k*q, h, 0, h-q+k*q, 0, h-q)
	v.LineTo(0, q)
	v.CubeTo(0, q-k*q, q-k*q, 0, q, 0)
	v.ClosePath()
	v.Draw(dst, r, image.NewUniform(c), image.Point{})
}

// disc fills a circle of a radius at 100 %.
func (p *pen) disc(dst *image.RGBA, mid image.Point, radius float64, c color.NRGBA) {
	r := radius * p.scale
	box := image.Rect(mid.X-int(r+1), mid.Y-int(r+1), mid.X+int(r+2), mid.Y+int(r+2))
	v := vector.NewRasterizer(box.Dx(), box.Dy())
	x, y, q := float32(mid.X-box.Min.X)+0.5, float32(mid.Y-box.Min.Y)+0.5, float32(r)
	const k = 0.5523
	v.MoveTo(x+q, y)
	v.CubeTo(x+q, y+k*q, x+k*q, y+q, x, y+q)
	v.CubeTo(x-k*q, y+q, x-q, y+k*q, x-q, y)
	v.CubeTo(x-q, y-k*q, x-k*q, y-q, x, y-q)
	v.CubeTo(x+k*q, y-q, x+q, y-k*q, x+q, y)
	v.ClosePath()
	v.Draw(dst, box, image.NewUniform(c), image.Point{})
}

// outline lists rectangles that make up a bar with round corners, for the
// window's shape.
func (p *pen) outline(size image.Point) []image.Rectangle {
	q := corner * p.scale
	var out []image.Rectangle
	for y := range int(q) {
		dy := q - float64(y) - 0.5
		in := int(q - math.Sqrt(q*q-dy*dy) + 0.5)
		out = append(out, image.Rect(in, y, size.X-in, y+1), image.Rect(in, size.Y-1-y, size.X-in, size.Y-y))
	}
	return append(out, image.Rect(0, int(q), size.X, size.Y-int(q)))
}
