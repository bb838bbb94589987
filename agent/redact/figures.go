package redact

import (
	"strings"
	"unicode/utf8"
)

// figures looks at the runs of digits of one text in their order and tells which
// of the rules for numbers would find something: it asks the rules themselves,
// at the places where they can, and first what is cheap to ask.
type figures struct {
	sc     *scanner
	s      string
	chain  int  // end of the last chain of groups
	digits int  // how many it holds
	open   bool // a letter may stand before it, over what joins the parts of a CNPJ
	letter bool // one stands behind it, and the digits before are enough for it to be the last
	alike  bool // letters that pass for digits were looked at
}

// fewest is how many digits the shortest number has that is looked for: a
// telephone number's, and the digits in a row of an identifier with letters that
// has no form of its own.
const fewest = 6

// run looks at the run of digits that begins at i.
func (f *figures) run(i int, found *ruleSet) {
	s, j := f.s, i+1
	for j < len(s) && s[j]-'0' <= 9 {
		j++
	}
	before, after := byte(0), byte(0) // what touches it
	if i > 0 {
		before = s[i-1]
	}
	if j < len(s) {
		after = s[j]
	}
	if i >= f.chain {
		f.begin(i, j, before, after, found)
	}
	word := sorts[before] // what stands before it, over one gap
	if word == gapByte && i > 1 {
		word = sorts[s[i-2]]
	}
	if (word == letterByte || f.letter || f.open && before != ' ') && !found.has(f.sc.lettered) && f.lettered(i, j) {
		found.add(f.sc.lettered)
	}
	if (passes[before]|passes[after]) != 0 && !f.alike && alikeWord(s, i) {
		f.alike = true
		if len(lookalikes(s)) > 0 {
			found.add(f.sc.lookalikes)
		}
	}
	if after == '.' && j-i <= 3 && !(before == '.' && i > 1 && wordByte(s[i-2])) && threeMore(s, j) && !found.has(f.sc.ipv4) {
		if _, ok := ip4At(s, i); ok {
			found.add(f.sc.ipv4)
		}
	}
	if hexed[before] || hexed[after] {
		f.networks(i, found)
	}
	if f.digits >= fewest && !found.has(f.sc.phones) && phoneBegins(s, i) && phoneAt(s, i) > 0 {
		found.add(f.sc.phones)
	}
}

// hexed are the bytes that can stand beside a digit in an address with hexadecimal
// letters.
var hexed = func() (m [256]bool) {
	for c := range m {
		m[c] = strings.IndexByte("abcdefABCDEF:-.", byte(c)) >= 0
	}
	return m
}()

// networks looks for hardware and IPv6 addresses whose first digits are at i. Those
// without any, and IPv6 addresses with two colons together, have triggers.
func (f *figures) networks(i int, found *ruleSet) {
	s := f.s
	from := i
	for from > 0 && i-from < 40 && hexed[s[from-1]] && s[from-1] != '-' {
		from--
	}
	if !found.has(f.sc.ipv6) && colons(s, from, 0) {
		found.add(f.sc.ipv6)
	}
	for from = i; from >= 0 && i-from <= 16 && (from == i || hexed[s[from]]) && !found.has(f.sc.mac); from-- {
		if macForm(s, from) > 0 {
			found.add(f.sc.mac)
		}
	}
}

// threeMore: three times a dot and up to three digits.
func threeMore(s string, i int) bool {
	for range 3 {
		if i+1 >= len(s) || s[i] != '.' || s[i+1]-'0' > 9 {
			return false
		}
		i += 2
		for k := 0; k < 2 && i < len(s) && s[i]-'0' <= 9; k++ {
			i++
		}
	}
	return true
}

// begin looks at the chain of groups whose first is s[i:j].
func (f *figures) begin(i, j int, before, after byte, found *ruleSet) {
	s := f.s
	f.open = before != ' ' && sorts[before] != otherByte
	f.chain, f.digits, f.letter = j, j-i, false
	if f.digits < fewest {
		if !mayGap[after] {
			return // the usual case
		}
		if _, on := nextGroup(s, j); !on {
			return
		}
	}
	var groups [24]group
	var chain []group
	chain, f.digits, f.chain = chainAt(s, i, groups[:0])
	f.letter = f.digits >= fewest && f.chain < len(s) && sorts[s[f.chain]] == letterByte
	if f.digits >= leastDigits && !found.has(f.sc.numbers) && len(inChain(s, chain)) > 0 {
		found.add(f.sc.numbers)
	}
}

// mayGap are bytes with which a separator within a number can begin.
var mayGap = func() (m [256]bool) {
	for c := range m {
		m[c] = c >= 0x80 || c == ',' || separator(rune(c))
	}
	return m
}()

// The sorts of bytes of identifiers that hold letters.
const (
	otherByte uint8 = iota
	letterByte
	digitByte
	gapByte
)

var sorts = func() (m [256]uint8) {
	for i := range m {
		switch c := byte(i); {
		case '0' <= c && c <= '9':
			m[i] = digitByte
		case alnum(c):
			m[i] = letterByte
		case strings.IndexByte(" .-/", c) >= 0:
			m[i] = gapByte
		}
	}
	return m
}()

// back is where the character stands that is before the one at i, over at most
// one gap, or -1.
func back(s string, i int) int {
	if i--; i >= 0 && sorts[s[i]] == gapByte {
		i--
	}
	if i < 0 || sorts[s[i]] != letterByte && sorts[s[i]] != digitByte {
		return -1
	}
	return i
}

// letteredFrom tells whether an identifier with letters begins at k.
func letteredFrom(s string, k int) bool {
	if letterBefore(s, k) {
		return false
	}
	to, _ := letteredAt(s, k)
	return to > 0
}

// lettered tells whether an identifier with letters is one of whose characters
// are the digits s[i:j]. It begins at a place that the sort of identifier tells:
// as many characters before its first digits, or before its last.
func (f *figures) lettered(i, j int) bool {
	s := f.s
	first := back(s, i)
	if first >= 0 && sorts[s[first]] != letterByte {
		first = -1
	}
	if f.letter {
		// So many digits, and then a letter, which is the last where last says so:
		// DNI and China's, NIE, NIR of Corsica, NINO.
		letter := s[f.chain] | 0x20
		last := !letterAfter(s, f.chain+1)
		switch figuresBeforeLetter(s, i) {
		case 8:
			if last && letteredFrom(s, i) {
				return true
			}
		case 17:
			if letter == 'x' && letteredFrom(s, i) {
				return true
			}
		case 7:
			if last && first >= 0 && letteredFrom(s, first) {
				return true
			}
		case 6:
			if (letter == 'a' || letter == 'b') && letteredFrom(s, i) {
				return true
			}
			if last && first >= 0 {
				if second := back(s, first); second >= 0 && letteredFrom(s, second) {
					return true
				}
			}
		}
	}
	if first >= 0 {
		if second := back(s, first); second >= 0 {
			if ibanLength(s[second], s[first]) > 0 && letteredFrom(s, second) {
				return true
			}
			if j-i < len(firstFigures) && letterSoon(s, j) && f.taxCode(i, j) {
				return true
			}
		}
	}
	return f.open && s[i-1] != ' ' && !letterAfter(s, j) && f.company(j)
}

// figuresBeforeLetter is how many digits stand from i on, over single gaps,
// before a letter, or 0.
func figuresBeforeLetter(s string, i int) int {
	n, gap := 0, false
	for ; i < len(s); i++ {
		switch sorts[s[i]] {
		case digitByte:
			n++
			gap = false
		case letterByte:
			return n
		case gapByte:
			if gap {
				return 0
			}
			gap = true
		default:
			return 0
		}
	}
	return 0
}

// firstFigures are the places of a codice fiscale at which its first digits can
// stand, by how many they are.
var firstFigures = [...][]int{1: {6, 7, 9, 10, 12, 13, 14}, 2: {6, 9, 12, 13}, 3: {12}}

// taxCode tells whether the digits s[i:j], at most three and with a letter soon behind
// them, are the first of a codice fiscale.
func (f *figures) taxCode(i, j int) bool {
	s := f.s
	// Where it may begin: so many letters before, at the beginning of a word.
	begins, from := uint(0), [15]int32{}
	for k, n, gap := i-1, 0, false; n <= 14; k-- {
		sort := otherByte
		if k >= 0 {
			sort = sorts[s[k]]
		}
		if sort == letterByte {
			n++
			gap = false
			continue
		}
		if n > 14 || gap || sort == digitByte || k >= 0 && s[k] >= utf8.RuneSelf && letterBefore(s, k+1) {
			break
		}
		begins |= 1 << n
		from[n] = int32(k + 1)
		if gap = true; sort != gapByte {
			break
		}
	}
	for _, n := range firstFigures[j-i] {
		if begins>>n&1 != 0 && endsTaxCode(s, i, n) && letteredFrom(s, int(from[n])) {
			return true
		}
	}
	return false
}

// letterSoon: one of the next two characters is a letter.
func letterSoon(s string, j int) bool {
	gap := false
	for n := 0; n < 2 && j < len(s); j++ {
		switch sorts[s[j]] {
		case letterByte:
			return true
		case digitByte:
			n++
			gap = false
		case gapByte:
			if gap {
				return false
			}
			gap = true
		default:
			return false
		}
	}
	return false
}

// The letters that stand for digits in a codice fiscale, and for months.
const (
	omocodia = letterL | letterM | letterN | letterP | letterQ | letterR | letterS | letterT | letterU | letterV
	months   = letterA | letterB | letterC | letterD | letterE | letterH | letterL | letterM | letterP | letterR | letterS | letterT
)

const (
	letterA = 1 << iota
	letterB
	letterC
	letterD
	letterE
	_
	_
	letterH
	_
	_
	_
	letterL
	letterM
	letterN
	_
	letterP
	letterQ
	letterR
	letterS
	letterT
	letterU
	letterV
)

// endsTaxCode tells whether what stands from i on is of the form of a codice
// fiscale from its character n on.
func endsTaxCode(s string, i, n int) bool {
	gap := false
	for ; n < 16; i++ {
		if i >= len(s) {
			return false
		}
		c := s[i]
		switch sorts[c] {
		case gapByte:
			if gap {
				return false
			}
			gap = true
			continue
		case otherByte:
			return false
		case digitByte:
			if n == 8 || n == 11 || n == 15 {
				return false
			}
		case letterByte:
			letters := uint32(1<<26 - 1)
			switch n {
			case 8:
				letters = months
			case 6, 7, 9, 10, 12, 13, 14:
				letters = omocodia
			}
			if letters>>(c&^0x20-'A')&1 == 0 {
				return false
			}
		}
		n++
		gap = false
	}
	return !letterAfter(s, i)
}

// company tells whether a CNPJ with letters and without blanks ends with the
// digits before s[j:], behind which no letter stands: they are the last of fourteen
// characters. One with blanks is found by the word that names it.
func (f *figures) company(j int) bool {
	s := f.s
	k, gap, letters := j, false, false
	for n := 0; n < 14; {
		if k--; k < 0 {
			return false
		}
		switch c := s[k]; sorts[c] {
		case digitByte:
			n++
			gap = false
		case letterByte:
			if n < 2 {
				return false
			}
			letters = true
			n++
			gap = false
		default:
			if gap || c == ' ' || sorts[c] == otherByte {
				return false
			}
			gap = true
		}
	}
	return letters && letteredFrom(s, k)
}

// alikeWord tells whether the word around i counts as digits, as lookalikes does.
func alikeWord(s string, i int) bool {
	from, to := i, i
	for from > 0 && (wordByte(s[from-1]) || s[from-1] == '|') {
		from--
	}
	for to < len(s) && (wordByte(s[to]) || s[to] == '|') {
		to++
	}
	return passesForDigits(s[from:to])
}
