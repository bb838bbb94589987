package redact

import (
	"slices"
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
	var groups [24]group
	for i := 0; i < len(s); {
		if !digitAt(s, i) {
			i++
			continue
		}
		chain, digits, end := chainAt(s, i, groups[:0])
		if digits >= leastDigits {
			out = append(out, inChain(s, chain)...)
		}
		i = end
	}
	return out
}

// chainAt reads the run of digit groups that begins at s[i], at most maxGap
// separators apart, and where it ends. A letter at either end of a run of digits
// makes it part of a word; inside a chain it cannot occur, so only the ends are
// looked at.
func chainAt(s string, i int, chain []group) (_ []group, digits, end int) {
	for on := i < len(s); on; {
		from := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		if i > from {
			chain = append(chain, group{from, i})
			digits += i - from
		}
		i, on = nextGroup(s, i)
	}
	return chain, digits, i
}

// nextGroup is where the separators end that begin at i, at most maxGap, and
// whether there are any and a digit stands behind them.
func nextGroup(s string, i int) (end int, on bool) {
	if i+1 < len(s) && s[i] < utf8.RuneSelf && mayGap[s[i]] && s[i+1]-'0' <= 9 {
		return i + 1, true // mostly
	}
	gap := 0 // separators since the last digit
	for ; gap < maxGap && i < len(s) && mayGap[s[i]]; gap++ {
		n := 1
		if s[i] >= utf8.RuneSelf {
			var r rune
			if r, n = utf8.DecodeRuneInString(s[i:]); !separator(r) {
				break
			}
		} else if s[i] == ',' && !digitAt(s, i+1) {
			break
		}
		i += n
	}
	return i, gap > 0 && digitAt(s, i)
}

// leastDigits is the fewest digits of a number that is looked for.
const leastDigits = 9

// separator: blanks, dots, dashes, and what CNPJ has. A colon is not among
// them, and a comma only between digits: times and lists are written with those.
func separator(r rune) bool {
	switch r {
	case ' ', '.', '*', '(', ')', '"', '_', '/', '-', '·', '•':
		return true
	}
	return r >= utf8.RuneSelf && unicode.Is(unicode.Pd, r)
}

func inChain(s string, chain []group) []span {
	var out []span
	var room [maxDigits + 1]byte
	digits := room[:0]
	if whole := shapeOf(chain); whole.isOwn() {
		for _, g := range chain {
			digits = append(digits, s[g.from:g.to]...)
		}
		if mark := identified(s, chain, chain, digits); mark != "" && !failedIBAN(s, chain) {
			return []span{{chain[0].from, chain[len(chain)-1].to, mark}}
		}
		return nil
	}
	left := 0 // digits
	for _, g := range chain {
		left += g.to - g.from
	}
	for i := 0; i < len(chain) && left >= leastDigits; i++ {
		j, mark := longest(s, chain, i, digits)
		if mark == "" {
			left -= chain[i].to - chain[i].from
			continue
		}
		for _, g := range chain[i : j+1] {
			left -= g.to - g.from
		}
		if out == nil && failedIBAN(s, chain) {
			return nil
		}
		out = append(out, span{chain[i].from, chain[j].to, mark})
		i = j
	}
	return out
}

// isOwn: groupings that say by themselves where a number begins and ends: no
// part of one is looked at as another number.
func (h shape) isOwn() bool {
	switch h {
	case in23342, in4444, in3332, in1222332:
		return true
	}
	return false
}

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
		if at+4 <= len(s) && ibanLength(s[at], s[at+1]) > 0 && digitAt(s, at+2) && digitAt(s, at+3) && (at == 0 || !wordByte(s[at-1])) {
			return len(chain) > 2 && (at+4 == len(s) || s[at+4] == ' ' || s[at+4] == '-')
		}
		if at < 5 || s[at-1] != ' ' && s[at-1] != '-' {
			return false
		}
		at--
	}
	return false
}

// longest finds the longest number that begins with group i; digits is room for
// them.
func longest(s string, chain []group, i int, digits []byte) (last int, mark string) {
	digits = digits[:0]
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
	if n := len(digits); n >= 13 && luhn(digits) {
		if shape := shapeOf(groups); branded(digits) && (n == 16 || usual(groups) || issued(digits) && !shape.isOwn()) || shape == in4444 || (n == 16 || n == 19) && labelled(s, from, to, cardLabels) {
			return MarkCard
		}
	}
	for i := range idsOf[len(digits)] {
		k := &idsOf[len(digits)][i]
		if !k.check.valid(digits) {
			continue
		}
		if glued(s, groups) {
			continue
		}
		shape := shapeOf(groups)
		if k.mark == MarkCPF && len(groups) == 1 && labelled(s, from, from, foreign) {
			continue
		}
		if !k.free && len(groups) > 1 && goesOn(chain, from, to) {
			continue
		}
		if k.free && !shape.isOthers() || slices.Contains(k.groups, shape) && sameBlanks(s, groups) || labelled(s, from, to, k.labels) {
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
var foreign = labels("pesel", "steuer", "idnr")

// glued: a number in groups touches a letter, and so is a part of something else.
func glued(s string, groups []group) bool {
	return len(groups) > 1 && shapeOf(groups) != in3332 && (groups[0].from > 0 && alnum(s[groups[0].from-1]) || groups[len(groups)-1].to < len(s) && alnum(s[groups[len(groups)-1].to]))
}

// usual: in one piece, in groups of one size but for the last, or as American
// Express and Diners Club write.
func usual(groups []group) bool {
	switch shapeOf(groups) {
	case in465, in464:
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

// isOthers: groupings in which eleven or twelve digits are something else: a
// telephone number, or a number that has groups of its own.
func (h shape) isOthers() bool {
	switch h {
	case in254, in3521, in2333, in2254, in2244:
		return true
	}
	return false
}

// shape is how many digits each group has, five bits for one: in3332 is a number
// of groups of 3, 3, 3 and 2. 0 is one of more groups than any has.
type shape uint64

const (
	in254     = shape(2<<10 | 5<<5 | 4)
	in324     = shape(3<<10 | 2<<5 | 4)
	in464     = shape(4<<10 | 6<<5 | 4)
	in465     = shape(4<<10 | 6<<5 | 5)
	in2244    = shape(2<<15 | 2<<10 | 4<<5 | 4)
	in2254    = shape(2<<15 | 2<<10 | 5<<5 | 4)
	in2333    = shape(2<<15 | 3<<10 | 3<<5 | 3)
	in3223    = shape(3<<15 | 2<<10 | 2<<5 | 3)
	in3322    = shape(3<<15 | 3<<10 | 2<<5 | 2)
	in3332    = shape(3<<15 | 3<<10 | 3<<5 | 2)
	in3521    = shape(3<<15 | 5<<10 | 2<<5 | 1)
	in4444    = shape(4<<15 | 4<<10 | 4<<5 | 4)
	in13331   = shape(1<<20 | 3<<15 | 3<<10 | 3<<5 | 1)
	in23342   = shape(2<<20 | 3<<15 | 3<<10 | 4<<5 | 2)
	in1222332 = shape(1<<30 | 2<<25 | 2<<20 | 2<<15 | 3<<10 | 3<<5 | 2)
)

func shapeOf(groups []group) (h shape) {
	if len(groups) > 12 {
		return 0
	}
	for _, g := range groups {
		h = h<<5 | shape(min(g.to-g.from, 31))
	}
	return h
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
var cardLabels = labels("cart", "card", "tarjeta", "karte", "kreditkarte", "credit", "crédito", "débito", "visa", "mastercard", "carta")

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

// validCPF checks the two digits of a CPF: weights 10 to 2 and 11 to 2, modulo 11 (see checkDigit).
func validCPF(d []byte) bool {
	return checkDigit(d, "123456789") == d[9] && checkDigit(d, "0123456789") == d[10] && !allSame(d)
}

// validCNPJ checks the two digits of a CNPJ, numeric or with letters: since July
// 2026 the first twelve places may hold A to Z, whose value is the ASCII code
// less 48 (Receita Federal, Instrução Normativa RFB 2.229/2024).
func validCNPJ(d []byte) bool {
	return checkDigit(d, "678923456789") == d[12] && checkDigit(d, "5678923456789") == d[13] && !allSame(d)
}

// checkDigit is the remainder modulo 11, 0 where it is 10. The Receita Federal weighs with
// 11 less each of these weights and takes the remainder from 11, which comes to the same.
func checkDigit(d []byte, weights string) byte {
	return '0' + byte(weighed(d, weights)%11%10)
}

func allSame(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// passes are the digits that ASCII letters pass for, or 0.
var passes = [256]byte{'O': '0', 'o': '0', 'Q': '0', 'l': '1', 'I': '1', '|': '1', 'i': '1', 'Z': '2', 'z': '2', 'S': '5', 's': '5', 'B': '8'}

// lookalikes finds numbers in which letters stand for digits: "4111 1111 1111
// l111", "O12.345.678-9O". A word counts as digits if at least half of it is, or
// if it stands between such words; the check digits decide.
func lookalikes(s string) []span {
	near := false // a digit beside a letter that passes for one
	for i := 1; i < len(s) && !near; i++ {
		near = digitAt(s, i) && passes[s[i-1]] != 0 || digitAt(s, i-1) && passes[s[i]] != 0
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
		j := i
		for j < len(b) && (wordByte(b[j]) || b[j] == '|') {
			j++
		}
		if passesForDigits(s[i:j]) {
			for k := i; k < j; k++ {
				if d := passes[b[k]]; d != 0 {
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

// passesForDigits tells whether letters in a word stand for digits.
func passesForDigits(w string) bool {
	digits := 0
	for i := range len(w) {
		if '0' <= w[i] && w[i] <= '9' {
			digits++
		} else if passes[w[i]] == 0 {
			return false
		}
	}
	if len(w) == 4 && ibanLength(w[0], w[1]) > 0 && digitAt(w, 2) && digitAt(w, 3) {
		return false // the head of an IBAN
	}
	return digits < len(w) && (2*digits >= len(w) || len(w) <= 5 && digits > 0)
}

// inWord tells whether a letter or digit touches s[from:to].
func inWord(s string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	return unicode.IsLetter(before) || unicode.IsDigit(before) || unicode.IsLetter(after) || unicode.IsDigit(after)
}
