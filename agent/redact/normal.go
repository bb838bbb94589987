package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// escapes are terminal control sequences (ECMA-48 CSI, OSC and two-character
// escapes), as C0 introducers and as their one-character C1 forms.
var escapes = regexp.MustCompile(
	"(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]" +
		"|(?:\x1b\\]|\u009d)[^\x07\x1b\u009c]*(?:\x07|\x1b\\\\|\u009c)?" +
		"|\x1b[ -/]*[0-~]?")

// normal brings a text into the one form that the rules look at, which is also
// the form that is stored: NFKC, no terminal sequences, no control characters,
// nothing invisible or changing direction, decimal digits of every script as
// ASCII, white space as single blanks.
func normal(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsAny(s, "\x1b\u009b\u009d") {
		s = escapes.ReplaceAllString(s, "")
	}
	s = norm.NFKC.String(visible(s))
	// Composing can bring out a blank or a digit that was not one before.
	return strings.Join(strings.Fields(visible(s)), " ")
}

// plain tells whether normal would change nothing: printable ASCII, no blanks
// at the ends or doubled.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}

func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case r < utf8.RuneSelf:
			if unicode.IsControl(r) {
				return -1
			}
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1 // zero width, bidi, soft hyphen, tags, fillers
		case unicode.Is(unicode.Nd, r):
			return '0' + digit(r)
		}
		return r
	}, s)
}

// digit is the value of a decimal digit of any script: Unicode encodes each
// script's ten digits in a row from zero (Unicode Standard, 4.6), and its
// tables hold nothing but whole rows.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}
