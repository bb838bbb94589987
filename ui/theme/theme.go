// Package theme gives Aval's windows their colours, sizes and fonts.
//
// The one rule that must not be broken: no text is smaller than 14, and every
// colour comes from the palette in assets, whose contrasts are tested.
package theme

import (
	"bytes"
	"image/color"
	"sync"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"golang.org/x/image/font/sfnt"

	"aval/assets"
)

// Sizes of text, in units that are one pixel at a scale of 1.
const (
	Text  float32 = 14
	Title float32 = 18
)

// Aval is the theme; install it with app.Settings().SetTheme.
type Aval struct{}

var _ fyne.Theme = Aval{}

// Palette returns the colours of a variant.
func Palette(variant fyne.ThemeVariant) *assets.Palette {
	if variant == fynetheme.VariantDark {
		return &assets.Dark
	}
	return &assets.Light
}

// Current returns the colours of the running application's variant.
func Current() *assets.Palette {
	return Palette(fyne.CurrentApp().Settings().ThemeVariant())
}

// Color implements fyne.Theme.
func (Aval) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	p := Palette(variant)
	switch name {
	case fynetheme.ColorNameBackground:
		return p.Ground
	case fynetheme.ColorNameForeground:
		return p.Text
	case fynetheme.ColorNameDisabled, fynetheme.ColorNamePlaceHolder:
		return p.Muted
	case fynetheme.ColorNameSelection: // of a row in a list
		return p.Control
	case fynetheme.ColorNameButton:
		return p.Control
	case fynetheme.ColorNameDisabledButton:
		return p.Idle
	case fynetheme.ColorNameHover:
		return p.Hover
	case fynetheme.ColorNamePressed:
		return p.Pressed
	case fynetheme.ColorNameFocus:
		return p.Focus
	case fynetheme.ColorNamePrimary, fynetheme.ColorNameHyperlink:
		return p.Accent
	case fynetheme.ColorNameForegroundOnPrimary:
		return p.OnTick
	case fynetheme.ColorNameInputBackground, fynetheme.ColorNameHeaderBackground,
		fynetheme.ColorNameMenuBackground, fynetheme.ColorNameOverlayBackground:
		return p.Surface
	case fynetheme.ColorNameInputBorder, fynetheme.ColorNameScrollBar:
		return p.Edge
	case fynetheme.ColorNameSeparator, fynetheme.ColorNameScrollBarBackground:
		return p.Line
	case fynetheme.ColorNameSuccess:
		return p.Good
	case fynetheme.ColorNameWarning:
		return p.Warn
	}
	return fynetheme.DefaultTheme().Color(name, variant)
}

// Size implements fyne.Theme.
func (Aval) Size(name fyne.ThemeSizeName) float32 {
	switch name {
	case fynetheme.SizeNameText, fynetheme.SizeNameCaptionText:
		return Text
	case fynetheme.SizeNameSubHeadingText:
		return 16
	case fynetheme.SizeNameHeadingText:
		return Title
	case fynetheme.SizeNameScrollBar:
		return 12
	case fynetheme.SizeNameScrollBarSmall:
		return 6
	}
	return fynetheme.DefaultTheme().Size(name)
}

// Font implements fyne.Theme.
func (Aval) Font(style fyne.TextStyle) fyne.Resource { return fynetheme.DefaultTheme().Font(style) }

// Icon implements fyne.Theme.
func (Aval) Icon(name fyne.ThemeIconName) fyne.Resource { return fynetheme.DefaultTheme().Icon(name) }

var glyphs struct {
	sync.Mutex
	fonts map[string]*sfnt.Font // by the resource's name; nil: cannot be read
}

// TextFont is the font of a style that the program carries. A text that names it
// as its source is drawn with it alone: without a source, the toolkit first
// reads every font of the system, which takes seconds where it was never done
// (fyne 2.8.1, internal/painter/font.go).
func TextFont(style fyne.TextStyle) fyne.Resource { return Aval{}.Font(style) }

// Measure returns the size of a line of text in its TextFont.
func Measure(text string, size float32, style fyne.TextStyle) fyne.Size {
	s, _ := fyne.CurrentApp().Driver().RenderedTextSize(text, size, style, TextFont(style))
	return s
}

// Missing lists the characters of text for which the TextFont of the style has
// no glyph, each once.
func Missing(text string, style fyne.TextStyle) []rune {
	font := TextFont(style)
	var missing []rune
	seen := map[rune]bool{'\n': true} // ends a line; it is not drawn
	for _, r := range text {
		if !seen[r] && !has(font, r) {
			missing = append(missing, r)
		}
		seen[r] = true
	}
	return missing
}

func has(res fyne.Resource, r rune) bool {
	glyphs.Lock()
	defer glyphs.Unlock()
	f, known := glyphs.fonts[res.Name()]
	if !known {
		f, _ = sfnt.ParseReaderAt(bytes.NewReader(res.Content()))
		if glyphs.fonts == nil {
			glyphs.fonts = map[string]*sfnt.Font{}
		}
		glyphs.fonts[res.Name()] = f
	}
	if f == nil {
		return false
	}
	i, err := f.GlyphIndex(nil, r)
	return err == nil && i != 0
}
