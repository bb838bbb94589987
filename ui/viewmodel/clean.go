package viewmodel

import (
	"strings"
	"unicode"
)

// maxMarks is how many combining marks may follow one character; no language
// needs more, and more are used to paint over the lines above and below.
const maxMarks = 2

// Clean makes one harmless line of a text from outside: no control, formatting
// (bidirectional, zero-width, tags), private or unassigned characters, no blank
// letters, no line breaks, single spaces, at most max characters, of which the
// last is "…" where something was cut.
//
// The categories are those of the Unicode Character Database; the attacks are
// those of Unicode Technical Report 36, section 2 and 3.
func Clean(s string, max int) string {
	var out []rune
	marks := 0
	for _, r := range s {
		switch {
		case r == unicode.ReplacementChar:
			continue // an invalid byte, or a character that says nothing
		case unicode.IsSpace(r) || unicode.Is(unicode.Z, r) || blank[r]:
			r = ' '
		case !unicode.IsGraphic(r):
			continue // Cc, Cf, Co, Cs and what is not assigned
		}
		if unicode.Is(unicode.M, r) {
			marks++
			if variation(r) || marks > maxMarks || len(out) == 0 || out[len(out)-1] == ' ' {
				continue
			}
		} else {
			marks = 0
		}
		if r == ' ' && (len(out) == 0 || out[len(out)-1] == ' ') {
			continue
		}
		out = append(out, r)
		if len(out) > 4*max { // enough to know that it is cut, whatever follows
			break
		}
	}
	text := strings.TrimRight(string(out), " ")
	if runes := []rune(text); len(runes) > max {
		return strings.TrimRight(string(runes[:max-1]), " ") + "…"
	}
	return text
}

// blank are letters and symbols that look like nothing at all.
var blank = map[rune]bool{
	'\u115F': true, '\u1160': true, '\u3164': true, '\uFFA0': true, // Hangul fillers
	'\u2800': true, // Braille pattern without dots
	'\u17B4': true, '\u17B5': true,
}

// variation tells the selectors that change or hide the character before them.
func variation(r rune) bool {
	return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF || r >= 0x180B && r <= 0x180F
}
