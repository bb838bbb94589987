package assets

import (
	"regexp"
	"sort"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Lines breaks text into lines no wider than width, as measure sees them: at
// spaces, and between the characters of scripts that are written without
// (Unicode Standard Annex 14, classes ID, CL, OP and NS). What stands alone and
// is wider is broken anywhere; nothing is lost but the spaces where a line ends.
// A space that does not break (U+00A0) does not, and what matches whole is not
// torn as long as it fits a line. An empty text is no line.
func Lines(text string, width float64, measure func(string) float64, whole ...*regexp.Regexp) []string {
	var spans [][]int
	for _, re := range whole {
		spans = append(spans, re.FindAllStringIndex(text, -1)...)
	}
	var lines []string
	line := ""
	for _, a := range atoms(text, spans) {
		if line == "" {
			a.gap = ""
		}
		if measure(line+a.gap+a.text) <= width {
			line += a.gap + a.text
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for measure(a.text) > width {
			cut := a.fitting(width, measure)
			if s := around(spans, a.at+cut); s != nil && s[0] > a.at {
				cut = s[0] - a.at
			}
			if cut == len(a.text) {
				break // one character wider than the line: it stands alone
			}
			lines = append(lines, a.text[:cut])
			a.text, a.at = a.text[cut:], a.at+cut
		}
		line = a.text
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// atom is a part of a text before which a line may end.
type atom struct {
	gap  string // the spaces before it, where it stands in a line
	text string
	at   int // where it begins
}

// fitting is how many bytes of it fit a line: one character at least.
func (a atom) fitting(width float64, measure func(string) float64) int {
	runes := []rune(a.text)
	n := max(1, sort.Search(len(runes), func(i int) bool { return measure(string(runes[:i+1])) > width }))
	return len(string(runes[:n]))
}

// around is the span that has at within it, not at an end; nil: none.
func around(spans [][]int, at int) []int {
	for _, s := range spans {
		if s[0] < at && at < s[1] {
			return s
		}
	}
	return nil
}

func atoms(text string, spans [][]int) []atom {
	var out []atom
	gap, from := "", -1 // from: where a word has begun
	word := func(to int) {
		if from < 0 {
			return
		}
		start := from
		for _, end := range ends(text[start:to]) {
			if end += start; end == to || around(spans, end) == nil {
				out = append(out, atom{gap, text[from:end], from})
				gap, from = "", end
			}
		}
		from = -1
	}
	for i, r := range text {
		switch {
		case !breakingSpace(r) || around(spans, i) != nil:
			if from < 0 {
				from = i
			}
		default:
			word(i)
			gap += " "
		}
	}
	word(len(text))
	return out
}

func breakingSpace(r rune) bool {
	return unicode.IsSpace(r) && r != '\u00A0' && r != '\u202F'
}

// ends are the places in a word where a line may end, its own end among them.
func ends(word string) []int {
	var out []int
	var before rune
	for i, after := range word {
		if i > 0 && (unspaced(before) || unspaced(after)) && !strings.ContainsRune(opening, before) && !strings.ContainsRune(closing, after) {
			out = append(out, i)
		}
		before = after
	}
	return append(out, len(word))
}

// Unspaced tells whether a text has characters of the scripts that are written
// without spaces between words.
func Unspaced(text string) bool { return strings.ContainsFunc(text, unspaced) }

// unspaced tells the characters of Chinese and Japanese, their punctuation included.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) ||
		r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFFEF || r == 'ー'
}

const (
	// opening does not end a line.
	opening = "([{“‘（［｛「『【〈《〔"
	// closing does not begin one: closing marks, and the small kana and repeating
	// signs, which belong to what is before them (JIS X 4051).
	closing = ")]}”’.,:;!?%…¹²³）］｝」』】〉》〕、。，．：；！？・％" +
		"ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々ゝゞヽヾ"
)

// Columns is the width of text where every character is as wide as another, as
// on a terminal: East Asian wide ones take two (Unicode Standard Annex 11).
func Columns(text string) int {
	n := 0
	for _, r := range text {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
