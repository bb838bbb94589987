package theme_test

import (
	"testing"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"aval/assets"
	"aval/ui/theme"
)

func TestColours(t *testing.T) {
	for _, c := range []struct {
		variant fyne.ThemeVariant
		want    assets.Palette
	}{{fynetheme.VariantLight, assets.Light}, {fynetheme.VariantDark, assets.Dark}, {fyne.ThemeVariant(9), assets.Light}} {
		for name, want := range map[fyne.ThemeColorName]any{
			fynetheme.ColorNameBackground: c.want.Ground,
			fynetheme.ColorNameForeground: c.want.Text,
			fynetheme.ColorNameFocus:      c.want.Focus,
		} {
			if got := (theme.Aval{}).Color(name, c.variant); got != want {
				t.Errorf("variant %d: %s is %v, want %v", c.variant, name, got, want)
			}
		}
	}
}

func TestNoSmallText(t *testing.T) {
	for _, name := range []fyne.ThemeSizeName{fynetheme.SizeNameText, fynetheme.SizeNameCaptionText,
		fynetheme.SizeNameSubHeadingText, fynetheme.SizeNameHeadingText} {
		if s := (theme.Aval{}).Size(name); s < 14 {
			t.Errorf("%s is %.0f", name, s)
		}
	}
}

func TestMissing(t *testing.T) {
	for text, want := range map[string]int{
		"Permitir? “Não” — é º ª … ¹ ü ß Ж Ω": 0,
		"a\nb":                 0,
		"\U00013080\U00013081": 2,
		"\U00013080\U00013080": 1,
		"\U0010FFFD":           1,
	} {
		for _, style := range []fyne.TextStyle{{}, {Bold: true}} {
			if got := theme.Missing(text, style); len(got) != want {
				t.Errorf("Missing(%q, %v) is %q, want %d", text, style, got, want)
			}
		}
	}
}
