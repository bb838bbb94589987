package activityview

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// look is how a tone is drawn: colour, ring or square, and strokes as x1, y1,
// x2, y2 in the unit square. No two tones have the same strokes.
type look struct {
	ink     func(*assets.Palette) color.NRGBA
	square  bool
	strokes [][4]float32
}

func good(p *assets.Palette) color.NRGBA   { return p.Good }
func warn(p *assets.Palette) color.NRGBA   { return p.Warn }
func accent(p *assets.Palette) color.NRGBA { return p.Accent }
func muted(p *assets.Palette) color.NRGBA  { return p.Muted }

var looks = map[viewmodel.Tone]look{
	viewmodel.ToneUnknown:  {muted, false, nil},
	viewmodel.ToneAsking:   {accent, false, [][4]float32{{.26, .5, .3, .5}, {.48, .5, .52, .5}, {.7, .5, .74, .5}}},
	viewmodel.ToneAllowed:  {good, false, [][4]float32{{.28, .52, .44, .68}, {.44, .68, .73, .34}}},
	viewmodel.ToneDenied:   {muted, false, [][4]float32{{.31, .31, .69, .69}, {.69, .31, .31, .69}}},
	viewmodel.ToneSilent:   {warn, false, [][4]float32{{.5, .22, .5, .52}, {.5, .52, .7, .62}}},
	viewmodel.ToneFailed:   {warn, false, [][4]float32{{.5, .24, .5, .56}, {.5, .7, .5, .76}}},
	viewmodel.TonePolicy:   {accent, true, [][4]float32{{.25, .32, .75, .32}, {.25, .52, .75, .52}, {.25, .72, .55, .72}}},
	viewmodel.ToneObjected: {warn, true, [][4]float32{{.3, .2, .3, .8}, {.3, .24, .74, .38}, {.74, .38, .3, .52}}},
	viewmodel.ToneStopped:  {muted, false, [][4]float32{{.34, .34, .66, .34}, {.66, .34, .66, .66}, {.66, .66, .34, .66}, {.34, .66, .34, .34}}},
	viewmodel.ToneExpired:  {muted, true, [][4]float32{{.3, .25, .7, .25}, {.7, .25, .3, .75}, {.3, .75, .7, .75}, {.7, .75, .3, .25}}},
	viewmodel.ToneErased:   {muted, true, [][4]float32{{.25, .5, .75, .5}}},
}

const (
	signSide  float32 = 16
	lineSide  float32 = 8 // at the left of a line of the details
	maxStroke         = 4
)

// sign is the drawing of a tone; hidden, it draws nothing.
type sign struct {
	ring, box *canvas.Rectangle
	lines     [maxStroke]*canvas.Line
}

func newSign() *sign {
	s := &sign{ring: canvas.NewRectangle(color.Transparent), box: canvas.NewRectangle(color.Transparent)}
	s.ring.CornerRadius, s.box.CornerRadius = signSide/2, 3
	s.ring.StrokeWidth, s.box.StrokeWidth = 1.5, 1.5
	for i := range s.lines {
		s.lines[i] = canvas.NewLine(color.Transparent)
		s.lines[i].StrokeWidth = 1.8
	}
	return s
}

func (s *sign) objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{s.ring, s.box}
	for _, l := range s.lines {
		out = append(out, l)
	}
	return out
}

func (s *sign) draw(tone viewmodel.Tone, at fyne.Position, visible bool) color.Color {
	l := looks[tone]
	ink := l.ink(theme.Current())
	for _, r := range []*canvas.Rectangle{s.ring, s.box} {
		r.Move(at)
		r.Resize(fyne.NewSquareSize(signSide))
		r.StrokeColor = color.Transparent
	}
	if visible && l.square {
		s.box.StrokeColor = ink
	} else if visible {
		s.ring.StrokeColor = ink
	}
	for i, line := range s.lines {
		line.StrokeColor = color.Transparent
		if !visible || i >= len(l.strokes) {
			continue
		}
		line.StrokeColor = ink
		p := l.strokes[i]
		line.Position1 = at.AddXY(p[0]*signSide, p[1]*signSide)
		line.Position2 = at.AddXY(p[2]*signSide, p[3]*signSide)
	}
	return ink
}

func measure(text string, style fyne.TextStyle) float32 {
	return fyne.MeasureText(text, theme.Text, style).Width
}

// fit cuts text so that it is no wider than width; what is cut ends in "…".
func fit(text string, width float32, style fyne.TextStyle) string {
	if measure(text, style) <= width {
		return text
	}
	runes := []rune(text)
	for n := len(runes) - 1; n > 0; n-- {
		if cut := string(runes[:n]) + "…"; measure(cut, style) <= width {
			return cut
		}
	}
	return "…"
}

var (
	plain = fyne.TextStyle{}
	bold  = fyne.TextStyle{Bold: true}
	mono  = fyne.TextStyle{Monospace: true}
)

func newText(style fyne.TextStyle) *canvas.Text {
	t := canvas.NewText("", color.Transparent)
	t.TextSize, t.TextStyle = theme.Text, style
	return t
}

func textHeight() float32 { return fyne.MeasureText("Ág", theme.Text, plain).Height }

// entry is a row of the history: a day, or a session in two lines.
type entry struct {
	widget.BaseWidget
	row row
}

// row is what an entry shows: day alone, or a session and how many items were found.
type row struct {
	day     string
	session *viewmodel.Activity
	found   string
}

func newEntry() *entry {
	e := &entry{}
	e.ExtendBaseWidget(e)
	return e
}

func (e *entry) set(r row) {
	e.row = r
	e.Refresh()
}

func (e *entry) CreateRenderer() fyne.WidgetRenderer {
	mark := newSign()
	day, who, at, what := newText(bold), newText(bold), newText(plain), newText(plain)
	word := newText(plain)
	d := &control.Drawing{Parts: append(mark.objects(), day, who, at, word, what)}
	high := textHeight()
	const gap, side, bar = 2, 6, 8 // bar: the scroll bar lies over the rows' right end
	d.Min = func() fyne.Size { return fyne.NewSize(120, 2*high+gap+8) }
	d.Place = func(size fyne.Size) {
		pal := theme.Current()
		for _, t := range []*canvas.Text{day, who, at, word, what} {
			t.Text, t.Color = "", pal.Text
		}
		s := e.row.session
		if s == nil {
			day.Text, day.Color = e.row.day, pal.Muted
			day.Move(fyne.NewPos(side, size.Height-high-4))
			mark.draw(viewmodel.ToneUnknown, fyne.NewPos(0, 0), false)
			return
		}
		at.Text, at.Color = s.Time, pal.Muted
		size.Width -= bar
		wide := measure(at.Text, plain)
		at.Move(fyne.NewPos(size.Width-side-wide, 4))
		left := float32(side) + signSide + 8
		who.Text = fit(s.Who, size.Width-left-wide-2*side, bold)
		who.Move(fyne.NewPos(left, 4))
		below := 4 + high + gap
		word.Color = mark.draw(s.Tone, fyne.NewPos(side, below+(high-signSide)/2), true)
		word.Text = fit(s.Word, size.Width-left-side, plain)
		word.Move(fyne.NewPos(left, below))
		x := left + measure(word.Text, plain)
		more := " · " + s.Tool
		if e.row.found != "" {
			more = " · " + e.row.found
		}
		if room := size.Width - x - side; room > 40 {
			what.Text, what.Color = fit(more, room, plain), pal.Muted
			what.Move(fyne.NewPos(x, below))
		}
	}
	d.Paint = func() { d.Place(e.Size()) }
	d.Paint()
	return d
}

// lineKind is what a line of the details is.
type lineKind int

const (
	lineEmpty lineKind = iota
	lineTitle
	lineWord // with the sign of its tone
	lineFact
	lineHead  // of an item
	lineField // of an item, in letters of the same width
)

// line is one line of the details, already broken to the width.
type line struct {
	kind  lineKind
	text  string
	state string // of an item that has not left
	tone  viewmodel.Tone
	hit   bool // a bar at the left: the item contains what is searched
}

// detail is a row of the details.
type detail struct {
	widget.BaseWidget
	line line
}

func newDetail() *detail {
	d := &detail{}
	d.ExtendBaseWidget(d)
	return d
}

func (v *detail) set(l line) {
	v.line = l
	v.Refresh()
}

// maxPieces is how many parts of one line are drawn apart; a line of the
// narrowest letters holds fewer marks than that in any window.
const maxPieces = 48

func (v *detail) CreateRenderer() fyne.WidgetRenderer {
	d := &control.Drawing{}
	mark := newSign()
	bar := canvas.NewRectangle(color.Transparent)
	state := newText(plain)
	high := textHeight()
	d.Parts = append(mark.objects(), bar, state)
	var grounds []*canvas.Rectangle
	var texts []*canvas.Text
	d.Min = func() fyne.Size { return fyne.NewSize(60, high) }
	d.Place = func(size fyne.Size) {
		pal := theme.Current()
		l := v.line
		bar.FillColor = color.Transparent
		if l.hit {
			bar.FillColor = pal.Accent
		}
		bar.Move(fyne.NewPos(0, -4)) // over the gap to the line above
		bar.Resize(fyne.NewSize(4, size.Height+4))
		state.Text = ""
		x := lineSide
		style, ink := plain, color.Color(pal.Text)
		switch l.kind {
		case lineTitle, lineHead:
			style = bold
		case lineField:
			style = mono
			x += 16
		}
		word := mark.draw(l.tone, fyne.NewPos(x, (size.Height-signSide)/2), l.kind == lineWord)
		if l.kind == lineWord {
			x, ink, style = x+signSide+8, word, bold
		}
		pieces := []viewmodel.Piece{{Text: l.text}}
		if l.kind == lineField {
			pieces = viewmodel.Pieces(l.text)
		}
		for len(texts) < min(len(pieces), maxPieces) {
			g, t := canvas.NewRectangle(color.Transparent), newText(plain)
			g.CornerRadius, g.StrokeWidth = 3, 1
			grounds, texts = append(grounds, g), append(texts, t)
			d.Parts = append(d.Parts, g, t)
		}
		for i, t := range texts {
			grounds[i].FillColor, grounds[i].StrokeColor, t.Text = color.Transparent, color.Transparent, ""
			if i >= len(pieces) {
				continue
			}
			t.Text, t.TextStyle, t.Color = pieces[i].Text, style, ink
			wide := measure(t.Text, style)
			t.Move(fyne.NewPos(x, (size.Height-high)/2))
			if pieces[i].Mark {
				t.Color = pal.Warn
				grounds[i].FillColor, grounds[i].StrokeColor = pal.Surface, pal.Warn
				grounds[i].Move(fyne.NewPos(x-1, 0))
				grounds[i].Resize(fyne.NewSize(wide+2, size.Height))
			}
			x += wide
		}
		if l.state != "" {
			state.Text, state.Color = fit(" · ○ "+l.state, size.Width-x, plain), pal.Warn
			state.Move(fyne.NewPos(x, (size.Height-high)/2))
		}
	}
	d.Paint = func() { d.Place(v.Size()) }
	d.Paint()
	return d
}
