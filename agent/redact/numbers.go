package redact

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxGap is how many separators may stand between two digits of one number.
const maxGap = 3

// group is a run of digits within a chain of runs.
type group struct{ from, to int }

// numbers finds payment cards and identifiers of digits in any grouping: "4111
// 1111 1111 1111", "4-1-1-1…", one number after the other. Every stretch of whole
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
// apart, and keeps those that hold enough digits for a number. A letter at
// either end of a run of digits makes it part of a word; inside a chain it
// cannot occur, so only the ends are looked at.
func chains(s string) [][]group {
	var all [][]group
	var cur []group
	gap, last, digits := 0, -1, 0 // separators since the last digit; its end; digits so far
	end := func() {
		if digits >= leastDigits {
			all = append(all, cur)
			cur = nil
		}
		cur, last, digits = cur[:0], -1, 0
	}
	for i := 0; i < len(s); {
		c := s[i]
		if '0' <= c && c <= '9' {
			if last == i {
				cur[len(cur)-1].to = i + 1
			} else {
				cur = append(cur, group{i, i + 1})
			}
			i++
			last, gap = i, 0
			digits++
			continue
		}
		if len(cur) == 0 {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if (separator(r) || c == ',' && digitAt(s, i+1)) && gap < maxGap {
			gap++
		} else {
			end()
		}
		i += n
	}
	end()
	return all
}

// leastDigits is the fewest digits of a number that is looked for.
const leastDigits = 9

// separator: blanks, dots, dashes, and what CNPJ has. A colon is not among
// them, and a comma only between digits: times and lists are written with those.
func separator(r rune) bool {
	return r == ' ' || r == '.' || r == '*' || r == '(' || r == ')' || r == '"' || r == '_' || r == '/' || r == '·' || r == '•' || unicode.Is(unicode.Pd, r)
}

func inChain(s string, chain []group) []span {
	var out []span
	if failedIBAN(s, chain) {
		return nil
	}
	if whole := shapeOf(chain); ownShape[whole] {
		var digits []byte
		for _, g := range chain {
			digits = append(digits, s[g.from:g.to]...)
		}
		if mark := identified(s, chain, chain, digits); mark != "" {
			return []span{{chain[0].from, chain[len(chain)-1].to, mark}}
		}
		return nil
	}
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

// ownShape are groupings that say by themselves where a number begins and ends:
// no part of one is looked at as another number.
var ownShape = map[string]bool{"2 3 3 4 2": true, "4 4 4 4": true, "3 3 3 2": true, "1 2 2 2 3 3 2": true}

// failedIBAN: the chain is the rest of what is written as an IBAN, and was none:
// two letters and two digits, then groups of four.
func failedIBAN(s string, chain []group) bool {
	for _, g := range chain[min(1, len(chain)-1):] {
		if g.to-g.from > 4 {
			return false
		}
	}
	at := chain[0].from
	for range 6 {
		for at > 0 && alnum(s[at-1]) {
			at--
		}
		if at+4 <= len(s) && ibanLength[strings.ToUpper(s[at:at+2])] > 0 && digitAt(s, at+2) && digitAt(s, at+3) && (at == 0 || !wordByte(s[at-1])) {
			return len(chain) > 2 && (at+4 == len(s) || s[at+4] == ' ' || s[at+4] == '-')
		}
		if at < 5 || s[at-1] != ' ' && s[at-1] != '-' {
			return false
		}
		at--
	}
	return false
}

// longest finds the longest number that begins with group i.
func longest(s string, chain []group, i int) (last int, mark string) {
	digits := make([]byte, 0, maxDigits+1)
	for j := i; j < len(chain) && len(digits)+chain[j].to-chain[j].from <= maxDigits; j++ {
		digits = append(digits, s[chain[j].from:chain[j].to]...)
		if len(digits) < leastDigits {
			continue
		}
		if m := identified(s, chain, chain[i:j+1], digits); m != "" {
			last, mark = j, m
		}
	}
	return last, mark
}

// identified is the mark for the number that the groups of a chain make up, or "".
func identified(s string, chain, groups []group, digits []byte) string {
	from, to := groups[0].from, groups[len(groups)-1].to
	shape := ""
	if n := len(digits); n >= 13 && luhn(digits) {
		shape = shapeOf(groups)
		if branded(digits) && (n == 16 || usual(groups) || issued(digits) && !ownShape[shape]) || shape == "4 4 4 4" || (n == 16 || n == 19) && labelled(s, from, to, cardLabels) {
			return MarkCard
		}
	}
	for i := range idNumbers {
		k := &idNumbers[i]
		if k.n != len(digits) || !k.valid(digits) {
			continue
		}
		if shape == "" {
			shape = shapeOf(groups)
		}
		if glued(s, groups) {
			continue
		}
		if k.mark == MarkCPF && len(groups) == 1 && labelled(s, from, from, foreign) {
			continue
		}
		if !k.free && len(groups) > 1 && goesOn(chain, from, to) {
			continue
		}
		if k.free && !othersShape[shape] || slices.Contains(k.groups, shape) && sameBlanks(s, groups) || labelled(s, from, to, k.labels) {
			return k.mark
		}
	}
	return ""
}

// goesOn: further groups of the chain stand close by, so that from to is a part
// of a longer number.
func goesOn(chain []group, from, to int) bool {
	for _, g := range chain {
		if from-g.to == 1 || g.from-to == 1 {
			return true
		}
	}
	return false
}

// foreign: eleven digits behind one of these are no CPF.
var foreign = []string{"pesel", "steuer", "idnr"}

// glued: a number in groups touches a letter, and so is a part of something else.
func glued(s string, groups []group) bool {
	return len(groups) > 1 && shapeOf(groups) != "3 3 3 2" && (groups[0].from > 0 && alnum(s[groups[0].from-1]) || groups[len(groups)-1].to < len(s) && alnum(s[groups[len(groups)-1].to]))
}

// usual: in one piece, in groups of one size but for the last, or as American
// Express and Diners Club write.
func usual(groups []group) bool {
	switch shapeOf(groups) {
	case "4 6 5", "4 6 4":
		return true
	}
	for i, g := range groups {
		if n, first := g.to-g.from, groups[0].to-groups[0].from; n != first && (i < len(groups)-1 || n > first) {
			return false
		}
	}
	return true
}

// issued: by an issuer whose beginnings are few, so that the grouping does not matter.
func issued(d []byte) bool {
	return d[0] == '3' || d[0] == '4' && len(d) != 13
}

// othersShape are groupings in which eleven or twelve digits are something else:
// a telephone number, or a number that has groups of its own.
var othersShape = map[string]bool{"2 5 4": true, "3 5 2 1": true, "2 3 3 3": true, "2 2 5 4": true, "2 2 4 4": true}

// shapeOf is how many digits each group has, as "3 3 3 2".
func shapeOf(groups []group) string {
	b := make([]byte, 0, 2*len(groups))
	for i, g := range groups {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(g.to-g.from), 10)
	}
	return string(b)
}

// sameBlanks: a number that is told by its grouping alone is written closely.
func sameBlanks(s string, groups []group) bool {
	for i := 1; i < len(groups); i++ {
		if groups[i].from-groups[i-1].to != 1 {
			return false
		}
	}
	return true
}

// branded tells whether the digits begin as an issuer's do and have a length
// that it uses (ISO/IEC 7812 identification numbers as the networks publish them).
func branded(d []byte) bool {
	n, two := len(d), int(d[0]-'0')*10+int(d[1]-'0')
	four := two*100 + int(d[2]-'0')*10 + int(d[3]-'0')
	switch {
	case d[0] == '4': // Visa, Elo
		return n == 13 || n == 16 || n == 19
	case two == 34 || two == 37: // American Express
		return n == 15
	case two == 36, two == 38, two == 39, four >= 3000 && four <= 3059: // Diners Club, Hipercard
		return n == 14 || n == 16 || n == 19
	case four >= 3528 && four <= 3589: // JCB
		return n >= 16
	case two >= 51 && two <= 55, four >= 2200 && four <= 2205, four >= 2221 && four <= 2720: // Mastercard, Mir
		return n == 16
	case two == 61, two == 64, two == 65: // Discover, Elo, RuPay, Troy; with 18 digits these are people's numbers in China
		return n == 16 || n == 19
	case two == 50, two >= 56 && two <= 69: // Maestro, Elo, Discover, UnionPay, Hipercard
		return n != 14 && n != 17 && (n != 18 || !dated(d))
	case two == 81, two == 82, two == 86, two == 98, four == 9792, four == 9704: // UnionPay, RuPay, national networks
		return n == 16 || n == 19
	}
	return false
}

// dated: the date of birth of a Chinese resident's number stands in the middle.
func dated(d []byte) bool {
	born, err := time.Parse("20060102", string(d[6:14]))
	return err == nil && born.Year() >= 1900 && born.Year() < 2100
}

// cardLabels are the beginnings of words that stand near a card's number.
var cardLabels = []string{"cart", "card", "tarjeta", "karte", "kreditkarte", "credit", "crédito", "débito", "visa", "mastercard", "carta"}

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

// passesFor is the digit that an ASCII letter passes for, or 0.
func passesFor(c byte) byte {
	switch c {
	case 'O', 'o', 'Q':
		return '0'
	case 'l', 'I', '|', 'i':
		return '1'
	case 'Z', 'z':
		return '2'
	case 'S', 's':
		return '5'
	case 'B':
		return '8'
	}
	return 0
}

// lookalikes finds numbers in which letters stand for digits: "4111 1111 1111
// l111", "O12.345.678-9O". A word counts as digits if at least half of it is, or
// if it stands between such words; the check digits decide.
func lookalikes(s string) []span {
	near := false // a digit beside a letter that passes for one
	for i := 1; i < len(s) && !near; i++ {
		near = digitAt(s, i) && passesFor(s[i-1]) != 0 || digitAt(s, i-1) && passesFor(s[i]) != 0
	}
	if !near {
		return nil
	}
	b := []byte(s)
	changed := false
	for i := 0; i < len(b); {
		if !wordByte(b[i]) && b[i] != '|' {
			i++
			continue
		}
		j, digits, alike := i, 0, true
		for ; j < len(b) && (wordByte(b[j]) || b[j] == '|'); j++ {
			if '0' <= b[j] && b[j] <= '9' {
				digits++
			} else if passesFor(b[j]) == 0 {
				alike = false
			}
		}
		if j-i == 4 && ibanLength[strings.ToUpper(string(b[i:i+2]))] > 0 && digitAt(s, i+2) && digitAt(s, i+3) {
			alike = false // the head of an IBAN
		}
		if alike && digits < j-i && (2*digits >= j-i || j-i <= 5 && digits > 0) {
			for k := i; k < j; k++ {
				if d := passesFor(b[k]); d != 0 {
					b[k], changed = d, true
				}
			}
		}
		i = j
	}
	if !changed {
		return nil
	}
	return numbers(string(b))
}

// inWord tells whether a letter or digit touches s[from:to].
func inWord(s string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	return unicode.IsLetter(before) || unicode.IsDigit(before) || unicode.IsLetter(after) || unicode.IsDigit(after)
}
