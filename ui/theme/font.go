package theme

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"golang.org/x/image/font/sfnt"

	"aval/assets"
	"aval/ui/font"
)

// face is a font that text can be drawn with, and what it has.
type face struct {
	fyne.Resource
	sfnt *sfnt.Font // nil: cannot be read
	mu   sync.Mutex // guards seen
	seen map[rune]bool
}

func (f *face) has(r rune) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	has, known := f.seen[r]
	if !known {
		has = f.sfnt != nil && font.Has(f.sfnt, r)
		f.seen[r] = has
	}
	return has
}

func (f *face) missing(text string) []rune {
	var list []rune
	seen := map[rune]bool{'\n': true} // ends a line; it is not drawn
	for _, r := range text {
		if !seen[r] && !f.has(r) {
			list = append(list, r)
		}
		seen[r] = true
	}
	return list
}

// weight is one of the two that texts are drawn in.
type weight struct {
	own    *face   // that the program carries
	spoken *face   // of the language's script; nil: own has it
	names  []*face // of other scripts, for what comes from outside
}

var fonts struct {
	sync.Mutex
	regular, bold weight
}

// the returns the weight of a style. fonts must be locked.
func the(style fyne.TextStyle) *weight {
	w := &fonts.regular
	if style.Bold {
		w = &fonts.bold
	}
	if w.own == nil {
		res := fynetheme.DefaultTheme().Font(fyne.TextStyle{Bold: style.Bold})
		parsed, _ := sfnt.ParseReaderAt(bytes.NewReader(res.Content()))
		w.own = &face{Resource: res, sfnt: parsed, seen: map[rune]bool{}}
	}
	return w
}

var both = []fyne.TextStyle{{}, {Bold: true}}

// Speak makes ready for windows in the language of cat: where the program's own
// fonts lack its characters, one of the system is taken, which costs nobody else
// anything. The error is that of font.Find, and nothing has changed then.
func Speak(cat *assets.Catalog) error {
	fonts.Lock()
	defer fonts.Unlock()
	text := cat.Runes("")
	var spoken [2]*face
	for i, style := range both {
		w := the(style)
		if len(w.own.missing(text)) == 0 {
			continue
		}
		f, err := found(text, cat.Lang, style.Bold)
		if err != nil && style.Bold && spoken[0] != nil {
			f, err = spoken[0], nil // there is none in bold that has all
		}
		if err != nil {
			return err
		}
		spoken[i] = f
	}
	fonts.regular.spoken, fonts.bold.spoken = spoken[0], spoken[1]
	return nil
}

// Learn makes ready for a text from outside that is shown among those of cat, if
// a font of the system has its characters and those of the catalogue's area: one
// line is drawn in one font.
func Learn(text string, cat *assets.Catalog, area string) {
	fonts.Lock()
	defer fonts.Unlock()
	text += cat.Runes(area)
	for _, style := range both {
		if w := the(style); w.pick(text) == nil {
			if f, err := found(text, "", style.Bold); err == nil {
				w.names = append(w.names, f)
			}
		}
	}
}

var files = map[string]*face{} // opened, by path and number; guarded by fonts

func found(text, lang string, bold bool) (*face, error) {
	f, err := font.Find(text, lang, bold)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s#%d", f.Path, f.Index)
	if known := files[name]; known != nil { // the toolkit reads each resource anew
		return known, nil
	}
	raw, err := f.Bytes()
	if err != nil {
		return nil, err
	}
	files[name] = &face{Resource: fyne.NewStaticResource(name, raw), sfnt: f.SFNT(), seen: map[rune]bool{}}
	return files[name], nil
}

// pick is the first font that has all of the text; nil: none.
func (w *weight) pick(text string) *face {
	for _, f := range append([]*face{w.spoken, w.own}, w.names...) {
		if f != nil && len(f.missing(text)) == 0 {
			return f
		}
	}
	return nil
}

// TextFont is the font of a style for the words of the language that is spoken.
// Its like for one text is FontFor.
func TextFont(style fyne.TextStyle) fyne.Resource {
	if style.Monospace || style.Italic || style.Symbol {
		return fynetheme.DefaultTheme().Font(style)
	}
	fonts.Lock()
	defer fonts.Unlock()
	w := the(style)
	if w.spoken != nil {
		return w.spoken.Resource
	}
	return w.own.Resource
}

// FontFor is the font of a style that has all the characters of a text, or else
// TextFont. A text that names it as its source is drawn with it alone: without a
// source, the toolkit first reads every font of the system, which takes seconds
// where it was never done (fyne 2.8.1, internal/painter/font.go).
func FontFor(text string, style fyne.TextStyle) fyne.Resource {
	fonts.Lock()
	f := the(style).pick(text)
	fonts.Unlock()
	if f == nil {
		return TextFont(style)
	}
	return f.Resource
}

// Measure returns the size of a line of text in its FontFor.
func Measure(text string, size float32, style fyne.TextStyle) fyne.Size {
	return MeasureIn(FontFor(text, style), text, size, style)
}

// MeasureIn is Measure in a given font.
func MeasureIn(source fyne.Resource, text string, size float32, style fyne.TextStyle) fyne.Size {
	s, _ := fyne.CurrentApp().Driver().RenderedTextSize(text, size, style, source)
	return s
}

// LineHeight is the height of a line in the program's own font.
func LineHeight(size float32, style fyne.TextStyle) float32 {
	fonts.Lock()
	own := the(style).own.Resource
	fonts.Unlock()
	return MeasureIn(own, "Ág", size, style).Height
}

// Missing lists the characters that cannot be drawn of a text, each once: for
// each line, those that the best font for it lacks.
func Missing(text string, style fyne.TextStyle) []rune {
	fonts.Lock()
	defer fonts.Unlock()
	w := the(style)
	var missing []rune
	for line := range strings.SplitSeq(text, "\n") {
		if w.pick(line) != nil {
			continue
		}
		best := w.own
		if w.spoken != nil {
			best = w.spoken
		}
		missing = append(missing, best.missing(line)...)
	}
	return missing
}
