// Package assets holds what people see and that is not code: icons, fonts and
// the translation catalogues with their plural-aware lookup. It is a leaf that
// every package may import.
//
// The one rule that must not be broken: a text comes whole from a catalogue;
// nothing joins sentences out of pieces, and nothing from outside is ever a key.
package assets

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed locales
var locales embed.FS

// Catalog is the texts of one language. Those that a person at the computer sees
// exist in every language; the areas of the server (console, summary) in fewer.
// Its files are locales/LANG/AREA.json:
// one object of key → text, or key → {"one": …, "other": …} for plurals (CLDR
// categories); {name} in a text is replaced by the argument of that name.
type Catalog struct {
	Lang string
	// Zone is the reader's time zone; nil: not told.
	Zone  *time.Location
	tag   language.Tag
	texts map[string]message
}

// In is the catalogue of a reader in a time zone.
func (c *Catalog) In(zone *time.Location) *Catalog {
	out := *c
	out.Zone = zone
	return &out
}

type message map[plural.Form]string

// shelf is what there is, by language, without the texts.
type shelf struct {
	langs []string                   // sorted
	areas map[string]map[string]bool // language → areas that have a file
}

var shelves = sync.OnceValue(func() shelf {
	dirs, err := locales.ReadDir("locales")
	if err != nil {
		panic(err) // compiled in
	}
	s := shelf{areas: map[string]map[string]bool{}}
	for _, d := range dirs {
		s.langs = append(s.langs, d.Name())
		s.areas[d.Name()] = map[string]bool{}
		files, err := locales.ReadDir(path.Join("locales", d.Name()))
		if err != nil {
			panic(err)
		}
		for _, f := range files {
			s.areas[d.Name()][strings.TrimSuffix(f.Name(), ".json")] = true
		}
	}
	return s
})

// catalogs are those that were asked for: a process needs one or two languages,
// and one that stays all day must not hold the others.
var catalogs struct {
	sync.Mutex
	read map[string]*Catalog
}

// catalog returns that of a language which has one.
func catalog(lang string) *Catalog {
	catalogs.Lock()
	defer catalogs.Unlock()
	if c := catalogs.read[lang]; c != nil {
		return c
	}
	c, err := read(lang)
	if err != nil {
		panic(err) // compiled in: TestCatalogs sees it first
	}
	if catalogs.read == nil {
		catalogs.read = map[string]*Catalog{}
	}
	catalogs.read[lang] = c
	return c
}

var forms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two,
	"few": plural.Few, "many": plural.Many, "other": plural.Other,
}

func read(lang string) (*Catalog, error) {
	c := &Catalog{Lang: lang, tag: language.Make(lang), texts: map[string]message{}}
	files, err := fs.Glob(locales, path.Join("locales", lang, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		raw, err := locales.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var texts map[string]json.RawMessage
		if err := json.Unmarshal(raw, &texts); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		for key, v := range texts {
			if _, twice := c.texts[key]; twice {
				return nil, fmt.Errorf("%s: %q is defined twice", f, key)
			}
			m := message{}
			if v[0] == '"' {
				var s string
				if err := json.Unmarshal(v, &s); err != nil {
					return nil, fmt.Errorf("%s: %q: %w", f, key, err)
				}
				m[plural.Other] = s
			} else {
				var p map[string]string
				if err := json.Unmarshal(v, &p); err != nil {
					return nil, fmt.Errorf("%s: %q: %w", f, key, err)
				}
				for name, s := range p {
					form, ok := forms[name]
					if !ok {
						return nil, fmt.Errorf("%s: %q: %q is no plural form", f, key, name)
					}
					m[form] = s
				}
			}
			if _, ok := m[plural.Other]; !ok {
				return nil, fmt.Errorf("%s: %q has no form \"other\"", f, key)
			}
			c.texts[key] = m
		}
	}
	return c, nil
}

// Langs lists the languages that have a catalogue, as BCP 47 tags.
func Langs() []string {
	return slices.Clone(shelves().langs)
}

// LangsOf lists those that have the texts of an area.
func LangsOf(area string) []string {
	return slices.DeleteFunc(Langs(), func(l string) bool { return !shelves().areas[l][area] })
}

// For returns the catalogue that fits the first of the locales that any fits:
// BCP 47 tags or POSIX names (pt_BR.UTF-8), also several in one string with
// colons between them, as in LANGUAGE. Nothing fits: English.
//
// What fits is CLDR's choice (golang.org/x/text/language). So who reads
// traditional Chinese gets simplified Chinese, and European Portuguese the
// Brazilian: both are closer than English.
func For(locales ...string) *Catalog {
	return match(Langs(), locales)
}

// ForArea is For among the languages that have the texts of an area.
func ForArea(area string, locales ...string) *Catalog {
	return match(LangsOf(area), locales)
}

func match(langs, locales []string) *Catalog {
	tags := make([]language.Tag, len(langs))
	for i, l := range langs {
		tags[i] = language.Make(l)
	}
	matcher := language.NewMatcher(tags)
	for _, list := range locales {
		for l := range strings.SplitSeq(list, ":") {
			name, _, _ := strings.Cut(l, ".")
			name, _, _ = strings.Cut(name, "@")
			tag, err := language.Parse(strings.ReplaceAll(name, "_", "-"))
			if err != nil || name == "C" || name == "POSIX" {
				continue
			}
			_, i, confidence := matcher.Match(tag)
			if confidence > language.No {
				return catalog(langs[i])
			}
		}
	}
	return catalog("en")
}

// Args are the values for the {names} in a text.
type Args map[string]any

// T returns the text of key. A key that is in no catalogue comes back itself,
// in brackets, so that it is seen.
func (c *Catalog) T(key string, args Args) string { return c.text(key, plural.Other, args) }

// N returns the text of key in the plural form for n; {n} is n.
func (c *Catalog) N(key string, n int, args Args) string {
	all := Args{"n": n}
	for k, v := range args {
		all[k] = v
	}
	return c.text(key, plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0), all)
}

func (c *Catalog) text(key string, form plural.Form, args Args) string {
	m, ok := c.texts[key]
	if !ok {
		if c.Lang != "en" {
			return catalog("en").text(key, form, args)
		}
		return "[" + key + "]"
	}
	s, ok := m[form]
	if !ok {
		s = m[plural.Other]
	}
	if len(args) == 0 {
		return s
	}
	pairs := make([]string, 0, 2*len(args))
	for k, v := range args {
		pairs = append(pairs, "{"+k+"}", fmt.Sprint(v))
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// Runes are all characters of the catalogue's texts in an area, for asking
// whether a font has them. Empty: of those that a person at the computer sees.
func (c *Catalog) Runes(area string) string {
	seen := map[rune]bool{}
	for key, m := range c.texts {
		of := areaOf(key)
		if area != "" && of != area || area == "" && slices.Contains(Server, of) {
			continue
		}
		for _, text := range m {
			for _, r := range text {
				seen[r] = true
			}
		}
	}
	return string(slices.Sorted(maps.Keys(seen)))
}

// Server are the areas whose texts the summarizer shows, and nobody else.
var Server = []string{"console", "engine", "enrolment", "openings", "summary"}

// areaOf is the area that a key begins with. "reason" holds two more.
func areaOf(key string) string {
	area, _, _ := strings.Cut(key, ".")
	if area == "ending" || area == "outcome" {
		return "reason"
	}
	return area
}

// Keys lists the catalogue's own keys, sorted.
func (c *Catalog) Keys() []string {
	keys := make([]string, 0, len(c.texts))
	for k := range c.texts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Forms lists the plural forms that key has in the catalogue: how many texts.
func (c *Catalog) Forms(key string) int { return len(c.texts[key]) }
