package control

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/theme"
)

// Paragraph is the toolkit's label, wrapped at its width. Text in Chinese and
// Japanese is broken where those languages allow it; the toolkit's own wrapping
// knows only spaces and else breaks anywhere (fyne 2.8.1, widget/richtext.go).
type Paragraph struct {
	widget.Label
	text string
}

// NewParagraph makes a paragraph.
func NewParagraph(text string) *Paragraph {
	p := &Paragraph{text: text}
	p.Text = text
	p.Wrapping = fyne.TextWrapWord
	p.ExtendBaseWidget(p)
	return p
}

// NewHead makes the line above a part of a window.
func NewHead(text string) *Paragraph {
	p := NewParagraph(text)
	p.TextStyle.Bold = true
	p.SizeName = fynetheme.SizeNameSubHeadingText
	return p
}

// Tight is paragraphs that belong together: as far from each other as lines with
// half a line between them.
func Tight(parts ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(-fynetheme.InnerPadding()), parts...)
}

// Said is the text as it was set.
func (p *Paragraph) Said() string { return p.text }

// SetText changes the text; nothing is drawn anew if it is the same.
func (p *Paragraph) SetText(text string) {
	if text != p.text {
		p.text = text
		p.lay(p.Size().Width)
	}
}

// Resize implements fyne.CanvasObject.
func (p *Paragraph) Resize(size fyne.Size) {
	p.lay(size.Width)
	p.Label.Resize(size)
}

// AccessibilityLabel implements fyne.Accessible.
func (p *Paragraph) AccessibilityLabel() string { return p.text }

func (p *Paragraph) lay(width float32) {
	if text := broken(p.text, width, p.SizeName, p.TextStyle); text != p.Text {
		p.Label.SetText(text)
	}
}

// broken is a text with the ends of its lines in a label of that width; a text
// with spaces between its words is left to the toolkit.
func broken(text string, width float32, name fyne.ThemeSizeName, style fyne.TextStyle) string {
	if width -= 2 * fynetheme.InnerPadding(); width <= 0 || !assets.Unspaced(text) {
		return text
	}
	if name == "" {
		name = fynetheme.SizeNameText
	}
	size, font := fynetheme.Size(name), theme.TextFont(style)
	parts := strings.Split(text, "\n")
	for i, part := range parts {
		parts[i] = strings.Join(assets.Lines(part, float64(width), func(s string) float64 {
			return float64(theme.MeasureIn(font, s, size, style).Width)
		}), "\n")
	}
	return strings.Join(parts, "\n")
}
