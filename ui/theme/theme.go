// Package theme gives Aval's windows their colours, sizes and fonts.
//
// The one rule that must not be broken: no text is smaller than 14, and every
// colour comes from the palette in assets, whose contrasts are tested.
package theme

import (
	"image/color"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

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
func (Aval) Font(style fyne.TextStyle) fyne.Resource { return TextFont(style) }

// Icon implements fyne.Theme.
func (Aval) Icon(name fyne.ThemeIconName) fyne.Resource { return fynetheme.DefaultTheme().Icon(name) }
