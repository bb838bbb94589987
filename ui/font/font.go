// Package font finds a font of the system that has a glyph for each character
// of a text, for texts that the fonts in the programs cannot draw.
//
// The one rule that must not be broken: only fonts that nobody but the system's
// administrator can have put there are used, since who makes the font says what
// the words look like.
package font

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/font/sfnt"
)

// ErrNone means that no font of the system can draw the text, so that no other
// program could either.
var ErrNone = errors.New("no font of the system has all the characters")

// Face is one font in a file of the system. What was found is never closed: a process needs
// at most a few, and the file is read piece by piece.
type Face struct {
	Path  string
	Index int // in a collection

	file *os.File
	size int64
	sfnt *sfnt.Font
	lang string // that it was found for
	bold bool

	once  sync.Once
	whole []byte
	err   error
}

// candidate is where a font may be.
type candidate struct {
	path  string
	index int
}

// limit is how many fonts are looked into for one text.
const limit = 48

var found struct {
	sync.Mutex
	faces []*Face
	none  map[string]error // what was looked for in vain, by query
}

// Find returns a font with a glyph for each character of text, drawn as readers
// of lang (BCP 47; empty: any) expect it. What was found once is found again
// without asking the system. The error is ErrNone where the system's fonts were
// looked through, and another one where that could not be done.
func Find(text, lang string, bold bool) (*Face, error) {
	runes := distinct(text)
	found.Lock()
	defer found.Unlock()
	query := fmt.Sprint(lang, bold, string(runes))
	if err := found.none[query]; err != nil {
		return nil, err
	}
	f, err := find(runes, lang, bold)
	if err != nil {
		if found.none == nil || len(found.none) > 100 { // names from outside: not without end
			found.none = map[string]error{}
		}
		found.none[query] = err
	}
	return f, err
}

func find(runes []rune, lang string, bold bool) (*Face, error) {
	for _, f := range found.faces {
		if (lang == "" || f.lang == lang) && f.bold == bold && f.draws(runes) {
			return f, nil
		}
	}
	list, err := candidates(runes, lang, bold)
	for _, c := range list[:min(len(list), limit)] {
		f, err := open(c)
		if err != nil {
			continue
		}
		if f.draws(runes) {
			f.lang, f.bold = lang, bold
			found.faces = append(found.faces, f)
			return f, nil
		}
		f.file.Close()
	}
	if err == nil {
		err = ErrNone
	}
	return nil, err
}

func open(c candidate) (*Face, error) {
	file, err := os.Open(c.path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = trusted(c.path, info)
	}
	var tables *aligned
	if err == nil {
		tables, err = newAligned(file, c.index)
	}
	var one *sfnt.Font
	if err == nil {
		one, err = sfnt.ParseReaderAt(tables)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open font %s: %w", c.path, err)
	}
	return &Face{Path: c.path, Index: c.index, file: file, size: info.Size(), sfnt: one}, nil
}

// SFNT is the parsed font, which reads from the file what is asked for.
func (f *Face) SFNT() *sfnt.Font { return f.sfnt }

// Has tells whether the font has a glyph for r.
func (f *Face) Has(r rune) bool { return Has(f.sfnt, r) }

// Has tells whether a font has a glyph for r.
func Has(f *sfnt.Font, r rune) bool {
	var buf sfnt.Buffer
	i, err := f.GlyphIndex(&buf, r)
	return err == nil && i != 0
}

// draws tells whether the font has all of the characters, and outlines: of a
// font in pictures, or with outlines of an unknown kind, the first cannot be read.
func (f *Face) draws(runes []rune) bool {
	for _, r := range runes {
		if !f.Has(r) {
			return false
		}
	}
	if len(runes) == 0 {
		return true
	}
	var buf sfnt.Buffer
	i, err := f.sfnt.GlyphIndex(&buf, runes[len(runes)-1])
	if err != nil {
		return false
	}
	_, err = f.sfnt.LoadGlyph(&buf, i, 64, nil)
	return err == nil
}

// distinct lists the visible characters of text, each once, sorted.
func distinct(text string) []rune {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, text))
	slices.Sort(runes)
	return slices.Compact(runes)
}
