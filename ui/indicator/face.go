package indicator

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"aval/assets"
	sysfont "aval/ui/font"
)

// faces draws with the program's own font, and with fonts of the system what
// that one has no glyph for.
type faces struct {
	font.Face // the program's own
	own       *sfnt.Font
	scale     float64
	lang      string // in which more is looked for

	more    []drawn
	without map[rune]bool // no font has these
}

// drawn is a font of the system at the scale of the bar.
type drawn struct {
	font.Face
	font *sysfont.Face
}

func newFaces(scale float64, lang string) (*faces, error) {
	own, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	f := &faces{own: own, scale: scale, lang: lang, without: map[rune]bool{}}
	if f.Face, err = f.open(own); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *faces) open(s *sfnt.Font) (font.Face, error) {
	face, err := opentype.NewFace(s, &opentype.FaceOptions{Size: textSize * f.scale, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	return face, nil
}

// spread are the scripts whose characters are drawn one after the other, from
// left to right, as the bar does; the others would be misread and are not drawn.
var spread = []*unicode.RangeTable{
	unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian,
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo, unicode.Common,
}

// learn looks for fonts for what in the text could not be drawn until now, at
// most once for each character.
func (f *faces) learn(text string) {
	var missing []rune
	for _, r := range text {
		if f.of(r) == nil && r > ' ' && unicode.IsOneOf(spread, r) && !f.without[r] && !slices.Contains(missing, r) {
			missing = append(missing, r)
		}
	}
	for _, script := range spread { // a font for all of one script is likelier than one for all
		part := strings.Map(func(r rune) rune {
			if unicode.Is(script, r) {
				return r
			}
			return -1
		}, string(missing))
		if part == "" {
			continue
		}
		found, err := sysfont.Find(part, f.lang, false)
		if err != nil && f.lang != "" {
			found, err = sysfont.Find(part, "", false)
		}
		if err == nil {
			var face font.Face
			if face, err = f.open(found.SFNT()); err == nil {
				f.more = append(f.more, drawn{face, found})
				continue
			}
		}
		for _, r := range part {
			f.without[r] = true
		}
	}
}

// of is the face that has a glyph for r; nil: none.
func (f *faces) of(r rune) font.Face {
	if sysfont.Has(f.own, r) {
		return f.Face
	}
	for _, m := range f.more {
		if m.font.Has(r) {
			return m.Face
		}
	}
	return nil
}

// has tells whether all of the text can be drawn.
func (f *faces) has(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= ' ' && f.of(r) == nil })
}

func (f *faces) pick(r rune) font.Face {
	if face := f.of(r); face != nil {
		return face
	}
	return f.Face
}

// Glyph implements font.Face.
func (f *faces) Glyph(dot fixed.Point26_6, r rune) (image.Rectangle, image.Image, image.Point, fixed.Int26_6, bool) {
	return f.pick(r).Glyph(dot, r)
}

// GlyphBounds implements font.Face.
func (f *faces) GlyphBounds(r rune) (fixed.Rectangle26_6, fixed.Int26_6, bool) {
	return f.pick(r).GlyphBounds(r)
}

// GlyphAdvance implements font.Face.
func (f *faces) GlyphAdvance(r rune) (fixed.Int26_6, bool) { return f.pick(r).GlyphAdvance(r) }

// Kern implements font.Face.
func (f *faces) Kern(a, b rune) fixed.Int26_6 {
	if face := f.pick(a); face == f.pick(b) {
		return face.Kern(a, b)
	}
	return 0
}

// readable is the catalogue with which the bar can be drawn: the person's own, or
// English where no font has its characters.
func (f *faces) readable(cat *assets.Catalog) *assets.Catalog {
	text := strings.Map(substitute, cat.Runes("indicator"))
	f.learn(text)
	if f.has(text) {
		return cat
	}
	return assets.For("en")
}

// substitute is what stands for a character in the bar. The own font's middle
// dot stands so high that it reads as an apostrophe; the bullet operator is
// where it should be.
func substitute(r rune) rune {
	if r == '·' {
		return '∙'
	}
	return r
}
