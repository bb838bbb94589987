package theme_test

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"aval/assets"
	"aval/ui/theme"
)

// TestSpeak: each language can be drawn once it is spoken, and the ones before it
// cost nothing: their fonts are the program's own again.
func TestSpeak(t *testing.T) {
	own := theme.TextFont(fyne.TextStyle{})
	for _, lang := range append(assets.Langs(), "en") {
		cat := assets.For(lang)
		if err := theme.Speak(cat); err != nil {
			t.Fatalf("%s: there must be a font in tests (packages fonts-vlgothic, fonts-wqy-microhei): %v", lang, err)
		}
		text := cat.Runes("")
		for _, style := range []fyne.TextStyle{{}, {Bold: true}} {
			if missing := theme.Missing(text, style); len(missing) > 0 {
				t.Errorf("%s, bold %v: %q cannot be drawn", lang, style.Bold, missing)
			}
		}
		foreign := lang == "ja" || lang == "zh-Hans"
		if got := theme.TextFont(fyne.TextStyle{}); (got == own) == foreign {
			t.Errorf("%s is drawn with %s", lang, got.Name())
		}
	}
}

// TestLearn: a name in another script is drawn in one font with the words around
// it. To plant the bug, let Learn append no font.
func TestLearn(t *testing.T) {
	en := assets.For("en")
	if err := theme.Speak(en); err != nil {
		t.Fatal(err)
	}
	line := en.T("consent.who", assets.Args{"supporter": "田中", "company": "Example Support"})
	theme.Learn("田中", en, "consent")
	for _, style := range []fyne.TextStyle{{}, {Bold: true}} {
		if missing := theme.Missing(line, style); len(missing) > 0 {
			t.Errorf("%q cannot be drawn", missing)
		}
		if f := theme.FontFor(line, style); strings.HasPrefix(f.Name(), "Noto") {
			t.Errorf("drawn with %s", f.Name())
		}
	}
	if got := theme.FontFor("Example", fyne.TextStyle{}); got != theme.TextFont(fyne.TextStyle{}) {
		t.Errorf("another line is drawn with %s", got.Name())
	}
}
