package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGap is how many separators may stand between two digits of one number.
const maxGap = 3

// group is a run of digits within a chain of runs.
type group struct{ from, to int }

// numbers finds payment cards, CPF and numeric CNPJ in any grouping: "4111 1111
// 1111 1111", "4-1-1-1…", one number after the other. Every stretch of whole
// groups is tried, longest first, so that a card next to another number is
// found, and the surroundings stay.
func numbers(s string) []span {
	var out []span
	for _, chain := range chains(s) {
		out = append(out, inChain(s, chain)...)
	}
	return out
}

// chains splits s into runs of digit groups that are at most maxGap separators
// apart. A letter at either end of a run of digits makes it part of a word;
// inside a chain it cannot occur, so only the ends are looked at.
func chains(s string) [][]group {
	var all [][]group
	var cur []group
	gap, last := 0, -1 // separators since the last digit; its end
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case '0' <= r && r <= '9':
			if last == i && len(cur) > 0 {
				cur[len(cur)-1].to = i + 1
			} else {
				cur = append(cur, group{i, i + 1})
			}
			last, gap = i+1, 0
		case len(cur) > 0 && separator(r) && gap < maxGap:
			gap++
		default:
			if len(cur) > 0 {
				all = append(all, cur)
			}
			cur, last = nil, -1
		}
		i += n
	}
	if len(cur) > 0 {
		all = append(all, cur)
	}
	return all
}

// separator: blanks, dots, dashes, and what CNPJ has. Colon and comma are not
// among them: times and amounts are written with those.
func separator(r rune) bool {
	return r == ' ' || r == '.' || r == '_' || r == '/' || r == '·' || r == '•' || unicode.Is(unicode.Pd, r)
}

func inChain(s string, chain []group) []span {
	var out []span
	for i := 0; i < len(chain); i++ {
		j, mark := longest(s, chain, i)
		if mark == "" {
			continue
		}
		out = append(out, span{chain[i].from, chain[j].to, mark})
		i = j
	}
	return out
}

// longest finds the longest number that begins with group i.
func longest(s string, chain []group, i int) (last int, mark string) {
	digits := make([]byte, 0, 20)
	for j := i; j < len(chain) && len(digits) < 20; j++ {
		digits = append(digits, s[chain[j].from:chain[j].to]...)
		switch n := len(digits); {
		case n == 11 && validCPF(digits):
			last, mark = j, MarkCPF
		case n == 14 && validCNPJ(digits):
			last, mark = j, MarkCNPJ
		case n >= 13 && n <= 19 && luhn(digits) && (usual(s, chain[i:j+1]) || branded(digits)):
			last, mark = j, MarkCard
		}
	}
	return last, mark
}

// usual tells whether a number is written as cards are: in one piece, or in
// groups of three to seven with the same separator. Such a number counts by its
// checksum alone; in other groupings, where dates, addresses and versions are
// found too, its issuer must be known as well.
func usual(s string, groups []group) bool {
	for i, g := range groups {
		if len(groups) > 1 && (g.to-g.from < 3 || g.to-g.from > 7) {
			return false
		}
		if i > 0 && s[groups[i-1].to:g.from] != s[groups[0].to:groups[1].from] {
			return false
		}
	}
	return true
}

// branded tells whether the digits begin as an issuer's do and have a length
// that it uses (ISO/IEC 7812 identification numbers as the networks publish them).
func branded(d []byte) bool {
	n, two := len(d), int(d[0]-'0')*10+int(d[1]-'0')
	switch {
	case d[0] == '4': // Visa, Elo
		return n == 13 || n == 16 || n == 19
	case two == 34 || two == 37: // American Express
		return n == 15
	case two == 30 || two == 36 || two == 38 || two == 39: // Diners Club, Hipercard
		return n >= 14
	case two == 35: // JCB
		return n >= 16
	case two >= 51 && two <= 55, two >= 22 && two <= 27: // Mastercard, Mir
		return n == 16
	case two == 50, two >= 56 && two <= 69: // Maestro, Elo, Discover, UnionPay, Hipercard
		return true
	case d[0] == '8' || d[0] == '9': // RuPay, Troy and other national networks
		return n == 16
	case d[0] == '1': // UATP
		return n == 15
	}
	return false
}

// luhn checks the Luhn digit (ISO/IEC 7812-1, annex B). A leading zero is no card's.
func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return d[0] != '0' && sum%10 == 0
}

// validCPF checks the two digits of a CPF: weights 10 to 2 and 11 to 2, modulo 11.
func validCPF(d []byte) bool {
	return !allSame(d) && checkDigit(d[:9], 10, 2) == d[9] && checkDigit(d[:10], 11, 2) == d[10]
}

// validCNPJ checks the two digits of a CNPJ, numeric or with letters: since July
// 2026 the first twelve places may hold A to Z, whose value is the ASCII code
// less 48 (Receita Federal, Instrução Normativa RFB 2.229/2024).
func validCNPJ(d []byte) bool {
	return !allSame(d) && checkDigit(d[:12], 5, 2) == d[12] && checkDigit(d[:13], 6, 2) == d[13]
}

// checkDigit weighs the places from first downwards to low and then from 9 again.
func checkDigit(d []byte, first, low int) byte {
	sum, w := 0, first
	for _, c := range d {
		sum += int(c-'0') * w
		if w--; w < low {
			w = 9
		}
	}
	if r := sum % 11; r >= 2 {
		return byte('0' + 11 - r)
	}
	return '0'
}

func allSame(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// cnpjRE finds CNPJ with letters, with or without their punctuation.
var cnpjRE = regexp.MustCompile(`(?i)[0-9A-Z]{2}[.-]?[0-9A-Z]{3}[.-]?[0-9A-Z]{3}[/-]?[0-9A-Z]{4}[.-]?[0-9]{2}`)

func lettersCNPJ(s string) []span {
	var out []span
	for at := 0; at < len(s); {
		m := cnpjRE.FindStringIndex(s[at:])
		if m == nil {
			break
		}
		from, to := at+m[0], at+m[1]
		if inWord(s, from, to) || !validCNPJ(letters(s[from:to])) {
			at = from + 1 // a later start may be the right one
			continue
		}
		out = append(out, span{from, to, MarkCNPJ})
		at = to
	}
	return out
}

func letters(s string) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if strings.ContainsRune("./-", r) {
			return -1
		}
		return r
	}, strings.ToUpper(s)))
}

// inWord tells whether a letter or digit touches s[from:to].
func inWord(s string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	return unicode.IsLetter(before) || unicode.IsDigit(before) || unicode.IsLetter(after) || unicode.IsDigit(after)
}
