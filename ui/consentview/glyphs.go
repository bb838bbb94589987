package consentview

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/font"
	avaltheme "aval/ui/theme"
	"aval/ui/viewmodel"
)

// undrawn lists the characters of a text that the window cannot draw.
func undrawn(text string) []rune {
	return append(avaltheme.Missing(text, fyne.TextStyle{}), avaltheme.Missing(text, fyne.TextStyle{Bold: true})...)
}

func draws(r rune) bool { return len(undrawn(string(r))) == 0 }

// compositions are the texts that the window can show: in the person's language
// first, then in every other one whose characters it can draw. Where it cannot
// draw the person's own, but other programs can, the native dialog is the way
// to ask in it; where nothing can, English is. last: there is no native dialog.
func compositions(q ipc.Question, locale string, now time.Time, last bool) ([]viewmodel.Ask, error) {
	first := viewmodel.Catalog(q, locale)
	shown := viewmodel.Marked(q, draws)
	var asks []viewmodel.Ask
	if missing := cannotDraw(q, first, now); len(missing) > 0 {
		_, err := font.Find(string(missing), first.Lang, false)
		if !last && !errors.Is(err, font.ErrNone) {
			return nil, fmt.Errorf("%w: the fonts lack %U", ErrCannotShow, missing[0])
		}
		first = assets.For("en")
	}
	asks = append(asks, viewmodel.New(shown, first, now))
	for _, lang := range assets.Langs() {
		if cat := assets.For(lang); lang != first.Lang && len(cannotDraw(q, cat, now)) == 0 {
			asks = append(asks, viewmodel.New(shown, cat, now))
		}
	}
	for _, a := range asks { // whatever was forgotten above
		if missing := undrawn(a.Window() + a.Language); len(missing) > 0 {
			return nil, fmt.Errorf("%w: the fonts lack %U", ErrCannotShow, missing[0])
		}
	}
	return asks, nil
}

// cannotDraw lists what the window cannot draw of a catalogue's own words.
func cannotDraw(q ipc.Question, cat *assets.Catalog, now time.Time) []rune {
	a := viewmodel.New(viewmodel.Nameless(q), cat, now)
	return undrawn(strings.Join([]string{a.Window(), a.Language}, "\n"))
}
