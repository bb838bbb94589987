package consentview

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/theme"
)

// ink picks a colour of the palette in force when something is drawn.
type ink func(*assets.Palette) color.NRGBA

func inkText(p *assets.Palette) color.NRGBA  { return p.Text }
func inkMuted(p *assets.Palette) color.NRGBA { return p.Muted }
func inkGood(p *assets.Palette) color.NRGBA  { return p.Good }
func inkWarn(p *assets.Palette) color.NRGBA  { return p.Warn }

// block is text wrapped to a width that is known when it is made, so that its
// height is known before it is shown: the window's size never changes. A word
// longer than the line is broken; nothing is ever cut off.
type block struct {
	widget.BaseWidget
	text  string
	size  float32
	style fyne.TextStyle
	ink   ink
	align fyne.TextAlign
	width float32
	lines int // height in lines at least
}

var _ fyne.Accessible = (*block)(nil)

func newBlock(text string, width float32, ink ink) *block {
	b := &block{text: text, size: theme.Text, ink: ink, width: width}
	b.ExtendBaseWidget(b)
	return b
}

func (b *block) bold() *block { b.style.Bold = true; return b }

func (b *block) sized(size float32) *block { b.size = size; return b }

// reserve keeps room for each of the texts, so that nothing moves when one of
// them is set.
func (b *block) reserve(texts ...string) {
	for _, text := range texts {
		b.lines = max(b.lines, len(b.wrapped(text)))
	}
}

func (b *block) wrapped(text string) []string {
	source := theme.FontFor(text, b.style)
	return assets.Lines(text, float64(b.width), func(s string) float64 {
		return float64(theme.MeasureIn(source, s, b.size, b.style).Width)
	})
}

// set changes the text and the colour; the height of the widget follows it.
func (b *block) set(text string, ink ink) {
	b.text, b.ink = text, ink
	b.Refresh()
}

// AccessibilityLabel implements fyne.Accessible.
func (b *block) AccessibilityLabel() string { return b.text }

// AccessibilityRole implements fyne.Accessible.
func (b *block) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

func (b *block) CreateRenderer() fyne.WidgetRenderer {
	r := &blockRenderer{block: b}
	r.Refresh()
	return r
}

type blockRenderer struct {
	block *block
	lines []*canvas.Text
}

func (r *blockRenderer) lineHeight() float32 {
	b := r.block
	// Fonts of other scripts may be set solid: lines are never closer than in our own.
	return max(theme.MeasureIn(theme.FontFor(b.text, b.style), "Ág", b.size, b.style).Height, theme.LineHeight(b.size, b.style))
}

func (r *blockRenderer) MinSize() fyne.Size {
	return fyne.NewSize(r.block.width, r.lineHeight()*float32(max(1, r.block.lines, len(r.lines))))
}

func (r *blockRenderer) Layout(size fyne.Size) {
	h := r.lineHeight()
	for i, line := range r.lines {
		line.Move(fyne.NewPos(0, float32(i)*h))
		line.Resize(fyne.NewSize(size.Width, h))
	}
}

func (r *blockRenderer) Refresh() {
	b := r.block
	texts := b.wrapped(b.text)
	r.lines = r.lines[:min(len(r.lines), len(texts))]
	for len(r.lines) < len(texts) {
		r.lines = append(r.lines, canvas.NewText("", color.Transparent))
	}
	source := theme.FontFor(b.text, b.style)
	for i, text := range texts {
		line := r.lines[i]
		line.Text, line.TextSize, line.TextStyle = text, b.size, b.style
		line.FontSource = source
		line.Alignment, line.Color = b.align, b.ink(theme.Current())
		line.Refresh()
	}
	r.Layout(b.Size())
}

func (r *blockRenderer) Objects() []fyne.CanvasObject {
	objects := make([]fyne.CanvasObject, len(r.lines))
	for i, line := range r.lines {
		objects[i] = line
	}
	return objects
}

func (r *blockRenderer) Destroy() {}
