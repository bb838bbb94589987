package house

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"aval/assets"
)

// catalogue is the texts of one language: key → plural form → text. A text
// without plural forms has the form "".
type catalogue map[string]map[string]string

// forms names the plural forms of a language for whole numbers: those that the
// lookup can ask for.
func forms(lang string) []string {
	names := map[plural.Form]string{plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}
	tag := language.MustParse(lang)
	found := map[string]bool{"other": true}
	for n := range 2000 {
		found[names[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]] = true
	}
	found[names[plural.Cardinal.MatchPlural(tag, 1000000, 0, 0, 0, 0)]] = true
	return slices.Sorted(maps.Keys(found))
}

// newer are languages that have the form "many" for millions since CLDR 38,
// which the lookup's tables (golang.org/x/text) are older than: it may be there.
var newer = []string{"pt", "es", "fr", "it", "ca"}

// fits tells whether got are the forms that lang needs.
func fits(lang string, got []string) bool {
	base, _ := language.MustParse(lang).Base()
	if slices.Contains(newer, base.String()) {
		got = slices.DeleteFunc(got, func(f string) bool { return f == "many" })
	}
	return slices.Equal(got, forms(lang))
}

// complete are the languages in which no text may be missing; in the others none
// but those that only the summarizer shows.
var complete = []string{"en", "pt-BR"}

// onServer tells whether only the summarizer shows a text.
func onServer(key string) bool {
	area, _, _ := strings.Cut(key, ".")
	return slices.Contains(assets.Server, area)
}

var braces = regexp.MustCompile(`\{[^{}]*\}`)

func names(text string) []string {
	all := braces.FindAllString(text, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// texts returns what is wrong between the catalogues of all languages.
func texts(cats map[string]catalogue) []string {
	var out []string
	keys := map[string]bool{}
	for _, c := range cats {
		for k := range c {
			keys[k] = true
		}
	}
	for key := range keys {
		var plurals, plain []string
		want := map[string][]string{} // language → names in its texts
		for lang, c := range cats {
			m, ok := c[key]
			if !ok && onServer(key) && !slices.Contains(complete, lang) {
				continue
			}
			if !ok {
				out = append(out, fmt.Sprintf("%s: missing in %s", key, lang))
				continue
			}
			if _, ok := m[""]; ok {
				plain = append(plain, lang)
				want[lang] = names(m[""])
			} else {
				plurals = append(plurals, lang)
				if got := slices.Sorted(maps.Keys(m)); !fits(lang, slices.Clone(got)) {
					out = append(out, fmt.Sprintf("%s: %s has the forms %q, the language has %q", key, lang, got, forms(lang)))
				}
				want[lang] = names(m["other"])
				for form, text := range m {
					// "one file" needs no {n}, but nothing may be added.
					for _, n := range names(text) {
						if !slices.Contains(want[lang], n) {
							out = append(out, fmt.Sprintf("%s: %s has %s in form %s only", key, lang, n, form))
						}
					}
					for _, n := range want[lang] {
						if n != "{n}" && !slices.Contains(names(text), n) {
							out = append(out, fmt.Sprintf("%s: %s has no %s in form %s", key, lang, n, form))
						}
					}
				}
			}
			for form, text := range m {
				if strings.TrimSpace(text) == "" {
					out = append(out, fmt.Sprintf("%s: %s is empty %s", key, lang, form))
				}
			}
		}
		if len(plurals) > 0 && len(plain) > 0 {
			out = append(out, fmt.Sprintf("%s: has plural forms in %v and none in %v", key, plurals, plain))
		}
		for lang := range want {
			if en, ok := want["en"]; ok && !slices.Equal(en, want[lang]) {
				out = append(out, fmt.Sprintf("%s: {names} are %v in en and %v in %s", key, en, want[lang], lang))
			}
		}
	}
	slices.Sort(out)
	return out
}

func readCatalogues(t *testing.T) map[string]catalogue {
	t.Helper()
	dir := filepath.Join(root(t), "assets", "locales")
	langs, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	cats := map[string]catalogue{}
	for _, lang := range langs {
		c := catalogue{}
		files, _ := filepath.Glob(filepath.Join(dir, lang.Name(), "*.json"))
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var texts map[string]json.RawMessage
			if err := json.Unmarshal(raw, &texts); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			for key, v := range texts {
				var one string
				m := map[string]string{}
				if json.Unmarshal(v, &one) == nil {
					m[""] = one
				} else if err := json.Unmarshal(v, &m); err != nil {
					t.Fatalf("%s: %q: %v", f, key, err)
				}
				c[key] = m
			}
		}
		cats[lang.Name()] = c
	}
	return cats
}

func TestTexts(t *testing.T) {
	cats := readCatalogues(t)
	if len(cats["en"]) == 0 || len(cats["pt-BR"]) == 0 {
		t.Fatal("a language has no texts")
	}
	for _, b := range texts(cats) {
		t.Error(b)
	}
}

// lookup finds a key that is written out where a text is looked up.
var lookup = regexp.MustCompile(`\.(T|N)\("([^"]+)"`)

// TestTextsExist: every key that code names is in a catalogue; of one that is
// put together, at least one that begins like it.
func TestTextsExist(t *testing.T) {
	en := readCatalogues(t)["en"]
	found := 0
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		for _, m := range lookup.FindAllSubmatch(f.raw, -1) {
			found++
			key := string(m[2])
			_, ok := en[key]
			if strings.HasSuffix(key, ".") {
				for k := range en {
					ok = ok || strings.HasPrefix(k, key)
				}
			}
			if !ok {
				t.Errorf("%s: there is no text %q", f.name, key)
			}
		}
	}
	if found == 0 {
		t.Error("no code looks a text up: the search is wrong")
	}
}

func TestTextsFindsBreaches(t *testing.T) {
	one := func(s string) map[string]string { return map[string]string{"": s} }
	many := func(one, other string) map[string]string { return map[string]string{"one": one, "other": other} }
	for name, c := range map[string]struct {
		en, pt map[string]string
		want   string
	}{
		"fine":                    {one("a {x}"), one("b {x}"), ""},
		"fine, plural":            {many("one thing", "{n} things"), many("uma coisa", "{n} coisas"), ""},
		"missing":                 {one("a"), nil, "missing in pt-BR"},
		"missing in en":           {nil, one("a"), "missing in en"},
		"other names":             {one("a {x}"), one("a {y}"), "{names}"},
		"name left out":           {one("a {x}"), one("a"), "{names}"},
		"form missing":            {many("1", "{n}"), map[string]string{"other": "{n}"}, "has the forms"},
		"form too many":           {many("1", "{n}"), map[string]string{"one": "1", "few": "3", "other": "{n}"}, "has the forms"},
		"form to come":            {many("1", "{n}"), map[string]string{"one": "1", "many": "{n}", "other": "{n}"}, ""},
		"plural or not":           {many("1", "{n}"), one("{n}"), "none in"},
		"name in a form":          {many("{x}", "{n}"), many("1", "{n}"), "in form one only"},
		"name left out of a form": {many("1", "{n} {x}"), many("1 {x}", "{n} {x}"), "has no {x} in form one"},
		"empty":                   {one(" "), one("a"), "is empty"},
	} {
		cats := map[string]catalogue{"en": {}, "pt-BR": {}}
		if c.en != nil {
			cats["en"]["a.b"] = c.en
		}
		if c.pt != nil {
			cats["pt-BR"]["a.b"] = c.pt
		}
		got := strings.Join(texts(cats), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for key, want := range map[string]bool{"consent.title": true, "console.title": false} {
		three := map[string]catalogue{"en": {key: one("a")}, "pt-BR": {key: one("b")}, "de": {}}
		if got := texts(three); (len(got) == 1 && strings.Contains(got[0], "missing in de")) != want {
			t.Errorf("%s is missing in a third language: %q", key, got)
		}
	}
	if got := forms("en"); !slices.Equal(got, []string{"one", "other"}) {
		t.Errorf("en: %q", got)
	}
	if got := forms("ru"); !slices.Contains(got, "few") {
		t.Errorf("ru: %q", got)
	}
}
