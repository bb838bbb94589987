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
// ASCII, letters that imitate a digit or a Latin letter as what they imitate,
// white space as single blanks.
func normal(s string) string {
	if plain(s) {
		return s
	}
	if out, ok := tidied(s); ok {
		return out
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsAny(s, "\x1b\u009b\u009d") {
		s = escapes.ReplaceAllString(s, "")
	}
	s = norm.NFKC.String(visible(s))
	// Composing can bring out a blank or a digit that was not one before.
	return strings.Join(strings.Fields(unmasked(visible(s))), " ")
}

// tidied is the normal form of a text of ASCII without terminal sequences: it has
// no control characters and single blanks.
func tidied(s string) (string, bool) {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || s[i] == '\x1b' {
			return "", false
		}
	}
	out := make([]byte, 0, len(s))
	blank := false
	for _, c := range []byte(s) {
		switch {
		case c == ' ' || '\t' <= c && c <= '\r':
			blank = true
		case c > ' ' && c < 0x7f:
			if blank && len(out) > 0 {
				out = append(out, ' ')
			}
			blank = false
			out = append(out, c)
		}
	}
	return string(out), true
}

// Texts are looked at eight bytes a step.
const (
	ones = 0x0101010101010101
	tops = 0x80 * ones // the highest bit of each byte, which holds what is told of it
)

// load are the bytes s[p:p+8], the first lowest.
func load(s string, p int) uint64 {
	b := s[p : p+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// rest are the fewer than eight bytes s[p:], and '!' behind the end.
func rest(s string, p int) uint64 {
	const pad = '!' * ones
	n := uint(max(len(s)-p, 0)) * 8
	if n == 0 {
		return pad
	}
	x := uint64(0)
	if len(s) >= 8 {
		x = load(s, len(s)-8) >> (64 - n)
	} else {
		for i := range len(s) - p {
			x |= uint64(s[p+i]) << (8 * i)
		}
	}
	return x | pad<<n
}

// step are the eight bytes s[p:], and '!' behind the end.
func step(s string, p int) uint64 {
	if p+8 <= len(s) {
		return load(s, p)
	}
	return rest(s, p)
}

// plain tells whether normal would change nothing: printable ASCII and the
// letters and signs of everyday Portuguese, Spanish, French, German and Italian
// that have no other form, without blanks at the ends or doubled.
func plain(s string) bool {
	if s != "" && s[len(s)-1] == ' ' {
		return false
	}
	blank := uint64(0x80) // the byte before was a blank, or there was none
	letter := uint64(0)   // the byte before was the first of two of a letter
	known := 0            // so many bytes are known to be plain
	for p := 0; p < len(s); p += 8 {
		x := step(s, p)
		low, high := x&^tops, x&tops
		control := (^(low + 0x60*ones) | (low + ones)) &^ x & tops // less than a blank, or DEL
		blanks := ^((low ^ ' '*ones) + 0x7f*ones) &^ x & tops
		if control|blanks&(blanks<<8|blank) != 0 {
			return false
		}
		blank = blanks >> 56
		if high|letter == 0 {
			continue
		}
		second := high &^ (x << 1)                       // 0x80 to 0xBF
		first := ^((low ^ 0x43*ones) + 0x7f*ones) & high // 0xC3: with a second, U+00C0 to U+00FF
		if p >= known && second == first<<8|letter && high == first|second {
			letter = first >> 56
			continue
		}
		from := p
		if letter != 0 {
			from--
		}
		for i := max(from, known); i < min(p+8, len(s)); i++ {
			switch {
			case s[i] < utf8.RuneSelf || i < known:
			case s[i] == 0xC3 && i+1 < len(s) && s[i+1] >= 0x80 && s[i+1] <= 0xBF:
				known = i + 2
			case s[i] == 0xE2 && i+2 < len(s) && s[i+1] == 0x80 && plainSign(s[i+2]): // U+2013 and the like
				known = i + 3
			default:
				return false
			}
		}
		letter = 0
	}
	return letter == 0
}

// plainSign: the third byte of – — ‘ ’ “ ” •.
func plainSign(c byte) bool {
	return c == 0x93 || c == 0x94 || c == 0x98 || c == 0x99 || c == 0x9C || c == 0x9D || c == 0xA2
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

// imitates are Cyrillic and Greek letters that look like Latin ones (a part of
// the confusables of Unicode Technical Standard 39).
var imitates = func() map[rune]rune {
	m := map[rune]rune{}
	for _, pair := range []string{
		"аa", "еe", "оo", "рp", "сc", "уy", "хx", "іi", "ѕs", "јj", "һh", "ԁd", "ԛq", "ԝw", "ӏl",
		"АA", "ВB", "ЕE", "КK", "МM", "НH", "ОO", "РP", "СC", "ТT", "УY", "ХX", "ІI", "ЅS", "ЈJ", "ӀI", "ԚQ", "ԜW",
		"αa", "οo", "νv", "ρp", "ιi", "κk", "ΑA", "ΒB", "ΕE", "ΖZ", "ΗH", "ΙI", "ΚK", "ΜM", "ΝN", "ΟO", "ΡP", "ΤT", "ΥY", "ΧX",
	} {
		r := []rune(pair)
		m[r[0]] = r[1]
	}
	return m
}()

// digitLike are letters that pass for a digit next to digits.
var digitLike = map[rune]rune{
	'О': '0', 'о': '0', 'Ο': '0', 'ο': '0', 'Օ': '0', 'օ': '0',
	'І': '1', 'і': '1', 'Ӏ': '1', 'ӏ': '1', 'Ι': '1', 'ι': '1',
	'З': '3', 'з': '3', 'Ʒ': '3', 'Ч': '4', 'Ѕ': '5', 'ѕ': '5', 'б': '6', 'Ƽ': '5',
}

// unmasked undoes letters of another script that imitate: one between or beside
// digits becomes the digit, one in a word that has Latin letters becomes the
// Latin letter. Words that are wholly Cyrillic or Greek stay.
func unmasked(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x1B7 && r < 0x590 }) {
		return s
	}
	rs := []rune(s)
	for i, r := range rs {
		if d, ok := digitLike[r]; ok && (i > 0 && asciiDigit(rs[i-1]) || i+1 < len(rs) && asciiDigit(rs[i+1])) {
			rs[i] = d
		}
	}
	for i := len(rs) - 2; i >= 0; i-- { // digits spread to the left as well
		if d, ok := digitLike[rs[i]]; ok && asciiDigit(rs[i+1]) {
			rs[i] = d
		}
	}
	for i := 0; i < len(rs); {
		j, latin := i, false
		for ; j < len(rs) && unicode.IsLetter(rs[j]); j++ {
			latin = latin || unicode.Is(unicode.Latin, rs[j])
		}
		for k := i; latin && k < j; k++ {
			if l, ok := imitates[rs[k]]; ok {
				rs[k] = l
			}
		}
		i = max(j, i+1)
	}
	return string(rs)
}

func asciiDigit(r rune) bool { return '0' <= r && r <= '9' }
