package assets

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/feature/plural"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// differences says in what two catalogues do not say the same: missing keys and
// other placeholders.
func differences(a, b map[string]message) []string {
	var diff []string
	for key, m := range a {
		n, ok := b[key]
		if !ok {
			diff = append(diff, key+" is missing")
			continue
		}
		names := func(m message) string {
			found := map[string]bool{}
			for _, text := range m {
				for _, name := range placeholder.FindAllString(text, -1) {
					found[name] = true
				}
			}
			var list []string
			for name := range found {
				list = append(list, name)
			}
			slices.Sort(list)
			return strings.Join(list, " ")
		}
		if names(m) != names(n) {
			diff = append(diff, fmt.Sprintf("%s has placeholders %q and %q", key, names(m), names(n)))
		}
	}
	return diff
}

func TestCatalogs(t *testing.T) {
	langs, cats := Langs(), map[string]*Catalog{}
	for _, l := range langs {
		cats[l] = catalog(l)
	}
	if !slices.Equal(langs, []string{"de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt-BR", "zh-Hans"}) {
		t.Fatalf("languages are %v", langs)
	}
	for _, area := range Server {
		if l := LangsOf(area); !slices.Equal(l, []string{"en", "pt-BR"}) {
			t.Errorf("%s is in %v", area, l)
		}
	}
	for _, lang := range langs {
		en := cats["en"].texts
		if !shelves().areas[lang][Server[0]] { // then only what a person at the computer sees
			en = maps.Clone(en)
			maps.DeleteFunc(en, func(key string, _ message) bool { return slices.Contains(Server, areaOf(key)) })
		}
		for _, d := range differences(en, cats[lang].texts) {
			t.Errorf("%s: %s", lang, d)
		}
		for _, d := range differences(cats[lang].texts, en) {
			t.Errorf("en beside %s: %s", lang, d)
		}
		for key, m := range cats[lang].texts {
			for form, text := range m {
				if strings.TrimSpace(text) != text || text == "" {
					t.Errorf("%s: %s is empty or has spaces at an end: %q", lang, key, text)
				}
				if form != plural.Other && m[plural.Other] == "" {
					t.Errorf("%s: %s has no form other", lang, key)
				}
			}
			if _, one := m[plural.One]; len(m) > 1 && !one {
				t.Errorf("%s: %s has plural forms, but none for one", lang, key)
			}
			if area := areaOf(key); !shelves().areas[lang][area] {
				t.Errorf("%s: %s is in the file of another area", lang, key)
			}
		}
	}
}

// TestDifferencesFound: the comparison above sees what it is for.
func TestDifferencesFound(t *testing.T) {
	good := map[string]message{"a": {plural.Other: "x {n}"}, "b": {plural.One: "1", plural.Other: "y"}}
	for name, bad := range map[string]map[string]message{
		"a key is missing":      {"a": good["a"]},
		"a placeholder is lost": {"a": {plural.Other: "x"}, "b": good["b"]},
	} {
		if len(differences(good, bad)) != 1 {
			t.Errorf("%s: found %v", name, differences(good, bad))
		}
	}
	if d := differences(good, good); len(d) != 0 {
		t.Errorf("equal catalogues differ: %v", d)
	}
}

func TestFor(t *testing.T) {
	for _, c := range []struct {
		locales []string
		want    string
	}{
		{nil, "en"},
		{[]string{""}, "en"},
		{[]string{"C"}, "en"},
		{[]string{"C.UTF-8", "pt_BR.UTF-8"}, "pt-BR"},
		{[]string{"pt_BR.UTF-8"}, "pt-BR"},
		{[]string{"pt_BR.UTF-8@latin"}, "pt-BR"},
		{[]string{"pt_PT"}, "pt-BR"},
		{[]string{"pt"}, "pt-BR"},
		{[]string{"en_GB.UTF-8", "pt_BR"}, "en"},
		{[]string{"ja_JP.UTF-8"}, "ja"},
		{[]string{"th_TH.UTF-8"}, "en"},
		{[]string{"zh_CN.UTF-8"}, "zh-Hans"},
		{[]string{"zh_TW.UTF-8"}, "zh-Hans"},
		{[]string{"zh-Hant-HK"}, "zh-Hans"},
		{[]string{"de_AT:de:en", "pt"}, "de"},
		{[]string{"th:xx:nl_BE.UTF-8"}, "nl"},
		{[]string{"es_419"}, "es"},
		{[]string{"fr_CA.UTF-8"}, "fr"},
		{[]string{"../../etc/passwd", "pt"}, "pt-BR"},
	} {
		if got := For(c.locales...).Lang; got != c.want {
			t.Errorf("For(%q) is %s, want %s", c.locales, got, c.want)
		}
	}
}

func TestForArea(t *testing.T) {
	if got := ForArea("console", "de", "pt-BR").Lang; got != "pt-BR" {
		t.Errorf("the console for de, then pt-BR, is %s", got)
	}
	if got := ForArea("consent", "de", "pt-BR").Lang; got != "de" {
		t.Errorf("the question for de, then pt-BR, is %s", got)
	}
}

func TestLocale(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"":                 {},
		"pt_BR.UTF-8":      {"LANG": "pt_BR.UTF-8"},
		"en_GB":            {"LANG": "pt_BR.UTF-8", "LC_MESSAGES": "en_GB"},
		"C":                {"LANG": "pt_BR.UTF-8", "LC_ALL": "C", "LANGUAGE": "de"},
		"de:en:en_US":      {"LANG": "en_US", "LANGUAGE": "de:en"},
		"fr:C.UTF-8":       {"LC_ALL": "C.UTF-8", "LANGUAGE": "fr"},
		"it_IT.UTF-8@euro": {"LC_ALL": "it_IT.UTF-8@euro", "LANG": "de"},
	} {
		if got := posix(func(k string) string { return env[k] }); got != want {
			t.Errorf("%v: %q, want %q", env, got, want)
		}
	}
}

// TestPlurals reads out the forms of each language at the numbers where they
// change (CLDR 38, "Language Plural Rules").
func TestPlurals(t *testing.T) {
	for lang, want := range map[string]map[int]string{
		"pt-BR":   {0: "Guardado por 0 dia.", 1: "Guardado por 1 dia.", 2: "Guardado por 2 dias."},
		"en":      {0: "Kept for 0 days.", 1: "Kept for 1 day.", 2: "Kept for 2 days."},
		"fr":      {0: "Conservé 0 jour.", 1: "Conservé 1 jour.", 2: "Conservé 2 jours."},
		"de":      {0: "0 Tage aufbewahrt.", 1: "1 Tag aufbewahrt.", 90: "90 Tage aufbewahrt."},
		"es":      {0: "Se guarda 0 días.", 1: "Se guarda 1 día.", 90: "Se guarda 90 días."},
		"it":      {1: "Conservato per 1 giorno.", 90: "Conservato per 90 giorni."},
		"nl":      {1: "1 dag bewaard.", 90: "90 dagen bewaard."},
		"ja":      {1: "1 日間保存されます。", 90: "90 日間保存されます。"},
		"zh-Hans": {1: "保存 1 天。", 90: "保存 90 天。"},
	} {
		for n, text := range want {
			if got := For(lang).N("consent.kept", n, nil); got != text {
				t.Errorf("%s, %d: %q, want %q", lang, n, got, text)
			}
		}
	}
	for n, word := range map[int]string{
		1: "element", 2: "elementy", 4: "elementy", 5: "elementów", 12: "elementów", 21: "elementów", 22: "elementy", 112: "elementów", 0: "elementów",
	} {
		want := fmt.Sprintf("Zapis zakończony. Wysłano %d %s.", n, word)
		if got := For("pl").N("indicator.ended", n, nil); got != want {
			t.Errorf("pl: %q, want %q", got, want)
		}
	}
}

func TestRunes(t *testing.T) {
	if got := For("ja").Runes("indicator"); !strings.Contains(got, "記") || strings.Contains(got, "閲") {
		t.Errorf("the characters of the bar are %q", got)
	}
	all := For("pl").Runes("")
	for _, r := range "ąćęłńóśźż" {
		if !strings.ContainsRune(all, r) {
			t.Errorf("Polish has no %q", r)
		}
	}
}

func TestText(t *testing.T) {
	pt, en := For("pt-BR"), For("en")
	if got := pt.N("consent.kept", 1, nil); got != "Guardado por 1 dia." {
		t.Errorf("one day is %q", got)
	}
	if got := pt.N("consent.kept", 90, nil); got != "Guardado por 90 dias." {
		t.Errorf("90 days are %q", got)
	}
	if got := en.T("no.such", nil); got != "[no.such]" {
		t.Errorf("an unknown key is %q", got)
	}
	// An argument is never looked at again: a name cannot fetch another argument.
	if got := en.T("consent.who", Args{"supporter": "{company}", "company": "C"}); got != "{company}, C" {
		t.Errorf("an argument was replaced within an argument: %q", got)
	}
}

// TestList: what stands between the parts is the language's own.
func TestList(t *testing.T) {
	for lang, want := range map[string]string{"pt-BR": "a, b; c; d", "fr": "a, b\u00a0; c\u00a0; d", "ja": "a, b；c；d"} {
		if got := For(lang).List("a, b", "c", "d"); got != want {
			t.Errorf("%s: %q", lang, got)
		}
	}
	if got := For("en").List("{b}", "{a}"); got != "{b}; {a}" { // a part is never looked at again
		t.Errorf("%q", got)
	}
	if For("en").List() != "" || For("en").List("a") != "a" {
		t.Error("a list of none or one")
	}
}

func TestIcons(t *testing.T) {
	for _, size := range IconSizes {
		img, err := png.Decode(bytes.NewReader(Icon(size)))
		if err != nil {
			t.Fatalf("icon %d: %v", size, err)
		}
		if b := img.Bounds(); b.Dx() != size || b.Dy() != size {
			t.Errorf("icon %d is %v", size, b)
		}
	}
	if !bytes.Equal(Icon(20), Icon(22)) || !bytes.Equal(Icon(4000), Icon(512)) || !bytes.Equal(Icon(-1), Icon(16)) {
		t.Error("Icon does not give the next larger size")
	}
}

// contrast is the contrast ratio of WCAG 2.2, 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	lum := func(c color.NRGBA) float64 {
		lin := func(v uint8) float64 {
			s := float64(v) / 255
			if s <= 0.04045 {
				return s / 12.92
			}
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
	}
	x, y := lum(a), lum(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

func TestContrast(t *testing.T) {
	if c := contrast(rgb(0x000000), rgb(0xFFFFFF)); math.Abs(c-21) > 0.01 {
		t.Fatalf("black on white is %f", c)
	}
	if c := contrast(rgb(0x777777), rgb(0xFFFFFF)); c > 4.5 {
		t.Fatalf("#777 on white passes with %f", c)
	}
	for name, p := range map[string]Palette{"light": Light, "dark": Dark} {
		at := func(n string) color.NRGBA { return reflect.ValueOf(p).FieldByName(n).Interface().(color.NRGBA) }
		check := func(fore, back string, want float64) {
			if c := contrast(at(fore), at(back)); c < want {
				t.Errorf("%s: %s on %s is %.2f:1, want %.1f:1", name, fore, back, c, want)
			}
		}
		for _, back := range []string{"Ground", "Surface", "Control", "Idle"} {
			for _, fore := range []string{"Text", "Muted", "Good", "Warn", "Accent"} {
				check(fore, back, 4.5)
			}
		}
		for _, back := range []string{"Hover", "Pressed"} {
			check("Text", back, 4.5)
		}
		check("OnTick", "Accent", 4.5)
		for _, back := range []string{"Ground", "Surface", "Idle"} {
			check("Edge", back, 3)
			check("Focus", back, 3)
		}
	}
}
