package assets

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Lines breaks text into lines no wider than width, as measure sees them: at
// spaces, and between the characters of scripts that are written without
// (Unicode Standard Annex 14, classes ID, CL, OP and NS). What stands alone and
// is wider is broken anywhere; nothing is lost but the spaces where a line ends.
// A space that does not break (U+00A0) does not. An empty text is no line.
func Lines(text string, width float64, measure func(string) float64) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsFuncSeq(text, breakingSpace) {
		gap := ""
		if line != "" {
			gap = " "
		}
		for _, piece := range pieces(word) {
			if measure(line+gap+piece) <= width {
				line += gap + piece
				gap = ""
				continue
			}
			if line != "" {
				lines = append(lines, line)
			}
			gap = ""
			for measure(piece) > width {
				runes := []rune(piece)
				n := len(runes) - 1
				for n > 1 && measure(string(runes[:n])) > width {
					n--
				}
				if n < 1 {
					break // one character wider than the line: it stands alone
				}
				lines = append(lines, string(runes[:n]))
				piece = string(runes[n:])
			}
			line = piece
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func breakingSpace(r rune) bool {
	return unicode.IsSpace(r) && r != '\u00A0' && r != '\u202F'
}

// pieces are the parts of a word between which a line may end.
func pieces(word string) []string {
	var out []string
	runes := []rune(word)
	from := 0
	for i := 1; i < len(runes); i++ {
		before, after := runes[i-1], runes[i]
		if (unspaced(before) || unspaced(after)) && !strings.ContainsRune(opening, before) && !strings.ContainsRune(closing, after) {
			out = append(out, string(runes[from:i]))
			from = i
		}
	}
	return append(out, string(runes[from:]))
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
