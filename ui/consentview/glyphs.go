package consentview

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/font"
	avaltheme "aval/ui/theme"
	"aval/ui/viewmodel"
)

// undrawn lists the characters of a text that the window cannot draw, line by
// line, each line in one font.
func undrawn(text string) []rune {
	return append(avaltheme.Missing(text, fyne.TextStyle{}), avaltheme.Missing(text, fyne.TextStyle{Bold: true})...)
}

func draws(r rune) bool { return len(undrawn(string(r))) == 0 }

// speak picks the catalogue that the question is first shown in: the person's
// own. Where the window cannot draw its characters, but other programs can, the
// native dialog is the way to ask in it; where nothing can, English is. last:
// there is no native dialog.
func speak(q ipc.Question, locale string, last bool) (*assets.Catalog, error) {
	cat := viewmodel.Catalog(q, locale)
	err := avaltheme.Speak(cat)
	if err == nil {
		return cat, nil
	}
	if !last && !errors.Is(err, font.ErrNone) {
		return nil, fmt.Errorf("%w: no font for %s: %w", ErrCannotShow, cat.Lang, err)
	}
	cat = assets.For("en")
	if err := avaltheme.Speak(cat); err != nil {
		return nil, fmt.Errorf("%w: no font for %s: %w", ErrCannotShow, cat.Lang, err)
	}
	return cat, nil
}

// composition is the text of the question in a language that is spoken, with
// marks for what no font can draw of the names. Every character of it is drawn.
func composition(q ipc.Question, cat *assets.Catalog, now time.Time) (viewmodel.Ask, error) {
	avaltheme.Learn(viewmodel.Outside(q), cat, "consent")
	a := viewmodel.New(viewmodel.Marked(q, draws), cat, now)
	if len(undrawn(a.Window())) > 0 { // names of two scripts on one line
		a = viewmodel.New(viewmodel.Marked(q, func(r rune) bool { return len(undrawn(cat.Runes("consent")+string(r))) == 0 }), cat, now)
	}
	if missing := undrawn(a.Window()); len(missing) > 0 {
		return a, fmt.Errorf("%w: the fonts lack %U", ErrCannotShow, missing[0])
	}
	return a, nil
}

// offered are the languages of the menu: what the policy names, then the others
// by their own names. What cannot be drawn is not offered.
func offered(q ipc.Question, current *assets.Catalog) []*assets.Catalog {
	var list, rest []*assets.Catalog
	add := func(to *[]*assets.Catalog, cat *assets.Catalog) {
		same := func(c *assets.Catalog) bool { return c.Lang == cat.Lang }
		if cat.Lang != current.Lang && !slices.ContainsFunc(list, same) && avaltheme.Speak(cat) == nil {
			*to = append(*to, cat)
		}
	}
	for _, lang := range q.Languages {
		if cat := assets.For(lang); strings.HasPrefix(lang, cat.Lang[:2]) {
			add(&list, cat)
		}
	}
	for _, lang := range assets.Langs() {
		add(&rest, assets.For(lang))
	}
	slices.SortFunc(rest, func(a, b *assets.Catalog) int {
		return strings.Compare(languageName(a), languageName(b))
	})
	for _, cat := range append(list, rest...) { // to draw their names among the others
		avaltheme.Learn(languageName(cat), current, "consent")
	}
	_ = avaltheme.Speak(current) // which it did before
	return append(list, rest...)
}

func languageName(cat *assets.Catalog) string { return cat.T("consent.language.name", nil) }
