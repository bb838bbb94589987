package assets

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLines(t *testing.T) {
	columns := func(s string) float64 { return float64(Columns(s)) }
	for in, want := range map[string][]string{
		"":                        nil,
		"  ":                      nil,
		"one two three":           {"one two", "three"},
		"three  blanks\n\tgone":   {"three", "blanks", "gone"},
		"a\u00A0word that\u00A0:": {"a\u00A0word", "that\u00A0:"},
		"abcdefghijklm":           {"abcdefgh", "ijklm"},
		"記録します。":                  {"記録しま", "す。"},
		"記録しま。す":                  {"記録し", "ま。す"},
		"（記録）（停止）":                {"（記録）", "（停止）"},
		"あああ（い）":                  {"あああ", "（い）"},
		"ああああっあ":                  {"あああ", "あっあ"},
		"Aval の記録":                {"Aval の", "記録"},
		"Avalの記録":                 {"Avalの記", "録"},
		"保存 90 天。":                {"保存 90", "天。"},
		"a  b   c":                {"a  b   c"},
		"a\nb\t c":                {"a b  c"},
	} {
		if got := Lines(in, 8, columns); !slices.Equal(got, want) {
			t.Errorf("%q is broken into %q, want %q", in, got, want)
		}
	}
	if got := Lines("WW", 0.5, columns); strings.Join(got, "") != "WW" {
		t.Errorf("a character wider than the line: %q", got)
	}
}

// TestLinesKeep: whatever the text, no character but spaces is lost or moved, and
// no line is too wide unless it is one character.
func TestLinesKeep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab (。、「」っ記録ー\u00A0 \n,.")), 0, 60, -1).Draw(t, "text")
		width := rapid.IntRange(1, 20).Draw(t, "width")
		lines := Lines(text, float64(width), func(s string) float64 { return float64(Columns(s)) })
		bare := func(s string) string {
			return strings.Map(func(r rune) rune {
				if breakingSpace(r) {
					return -1
				}
				return r
			}, s)
		}
		if bare(strings.Join(lines, "")) != bare(text) {
			t.Fatalf("%q became %q", text, lines)
		}
		for _, l := range lines {
			if Columns(l) > width && len([]rune(l)) > 1 || l == "" {
				t.Fatalf("width %d: %q", width, l)
			}
		}
	})
}

// TestLinesWhole: what is to stay whole is broken only where it is wider than a
// line, whatever stands around it. Planted: around that finds nothing.
func TestLinesWhole(t *testing.T) {
	mark := regexp.MustCompile(`\[e-mail\]|\[before the answer\]`)
	columns := func(s string) float64 { return float64(Columns(s)) }
	for in, want := range map[string][]string{
		"aaa bbb [before the answer] cc": {"aaa bbb", "[before the answer]", "cc"},
		"abcdefghijklmnop[e-mail]x":      {"abcdefghijklmnop", "[e-mail]x"},
		"[e-mail][e-mail][e-mail]":       {"[e-mail][e-mail]", "[e-mail]"},
		"[before the answer] too":        {"[before the answer]", "too"},
	} {
		if got := Lines(in, 19, columns, mark); !slices.Equal(got, want) {
			t.Errorf("%q is broken into %q, want %q", in, got, want)
		}
	}
	if got := Lines("[e-mail]", 5, columns, mark); !slices.Equal(got, []string{"[e-ma", "il]"}) {
		t.Errorf("wider than a line: %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab é日[]-mail ")), 0, 120, -1).Draw(t, "text") + rapid.SampledFrom([]string{"", "[e-mail]", " [e-mail] x"}).Draw(t, "end")
		width := rapid.IntRange(8, 40).Draw(t, "width")
		lines := Lines(text, float64(width), columns, mark)
		bare := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got := strings.Join(lines, ""); bare(got) != bare(text) {
			t.Fatalf("%q is no longer %q", got, text)
		}
		n := 0
		for _, l := range lines {
			if Columns(l) > width {
				t.Fatalf("%q is wider than %d", l, width)
			}
			n += len(mark.FindAllString(l, -1))
		}
		if want := len(mark.FindAllString(text, -1)); n != want {
			t.Fatalf("%d of %d marks are whole: %q", n, want, lines)
		}
	})
}

// TestColumns: Hangul and full-width letters are as wide as Han, half-width kana are not.
func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "Aval": 4, "記録": 4, "한글": 4, "ﾊﾝｶｸ": 4, "Ａ": 2, "（": 2, "é": 1} {
		if got := Columns(text); got != want {
			t.Errorf("%q is %d wide, want %d", text, got, want)
		}
	}
}
