package redact

import (
	"math/bits"
	"time"
)

// number is one kind of identifier that is all digits.
type number struct {
	mark  string
	n     int // how many digits
	check check
	// free is enough by itself: a number that passes is removed wherever it
	// stands. Where a random number passes too often it is removed only in one
	// of its own groupings or near one of its labels.
	free   bool
	groups []shape // its own groupings
	labels *labelSet
}

// check names the check digits of a number and what else is fixed.
type check uint8

const (
	isRIC check = iota
	isNIR
	isCNPJ
	isTitulo
	isMyNumber
	isCPF
	isPIS
	isCNH
	isSteuerID
	isPESEL
	isNIP
	isNHS
	isSSN
	isBSN
)

// valid checks the digits. It is no table of functions, so that digits need not be
// allocated.
func (c check) valid(d []byte) bool {
	switch c {
	case isRIC:
		return validRIC(d)
	case isNIR:
		return validNIR(d)
	case isCNPJ:
		return validCNPJ(d)
	case isTitulo:
		return validTitulo(d)
	case isMyNumber:
		return validMyNumber(d)
	case isCPF:
		return validCPF(d)
	case isPIS:
		return validPIS(d)
	case isCNH:
		return validCNH(d)
	case isSteuerID:
		return validSteuerID(d)
	case isPESEL:
		return validPESEL(d)
	case isNIP:
		return validNIP(d)
	case isNHS:
		return validNHS(d)
	case isSSN:
		return validSSN(d)
	case isBSN:
		return validBSN(d)
	}
	return false
}

// idNumbers are the identifiers of digits only, longest first. The names of the
// checks say where each is laid down.
var idNumbers = []number{
	{mark: MarkID, n: 18, check: isRIC, free: true},
	{mark: MarkID, n: 15, check: isNIR, free: true},
	{mark: MarkCNPJ, n: 14, check: isCNPJ, free: true},
	{mark: MarkTitulo, n: 12, check: isTitulo, free: true},
	{mark: MarkID, n: 12, check: isMyNumber, labels: labels("マイナンバー", "個人番号", "my number", "mynumber", "individual number")},
	{mark: MarkCPF, n: 11, check: isCPF, free: true},
	{mark: MarkPIS, n: 11, check: isPIS, groups: []shape{in3521, in13331}, labels: labels("pis", "pasep", "nis", "nit", "inss", "cadúnico", "cadunico")},
	{mark: MarkCNH, n: 11, check: isCNH, labels: labels("cnh", "habilita", "carteira de motorista", "carta de motorista", "motorista", "driver", "renach")},
	{mark: MarkID, n: 11, check: isSteuerID, groups: []shape{in2333}, labels: labels("steuer", "idnr", "tin", "tax id", "identifikationsnummer", "st-id")},
	{mark: MarkID, n: 11, check: isPESEL, labels: labels("pesel")},
	{mark: MarkID, n: 10, check: isNIP, groups: []shape{in3322, in3223}, labels: labels("nip", "vat", "podatk")},
	{mark: MarkID, n: 10, check: isNHS, labels: labels("nhs")},
	{mark: MarkID, n: 9, check: isSSN, groups: []shape{in324}, labels: labels("ssn", "itin", "social security", "taxpayer", "tax id", "tin")},
	{mark: MarkID, n: 9, check: isBSN, labels: labels("bsn", "burgerservice", "sofi", "sofinummer", "persoonsnummer")},
}

// idsOf are those of so many digits.
var idsOf = func() (of [maxDigits + 1][]number) {
	for _, k := range idNumbers {
		of[k.n] = append(of[k.n], k)
	}
	return of
}()

// maxDigits is the most digits of any number that is looked for.
const maxDigits = 19

// weighed is the sum of the digits, each times its weight.
func weighed(d []byte, weights string) int {
	sum := 0
	d = d[:len(weights)]
	for i := range len(weights) {
		sum += int(d[i]-'0') * int(weights[i]-'0')
	}
	return sum
}

// validPIS: PIS, PASEP, NIS, NIT: weights 3298765432, modulo 11 (Caixa Econômica Federal).
func validPIS(d []byte) bool {
	r := 11 - weighed(d, "3298765432")%11
	return !allSame(d) && d[10] == byte('0'+r%11%10)
}

// validCNH: the driving licence's register number, weights 9 to 1 and 1 to 9,
// modulo 11, with the carry that the first digit leaves (Denatran).
func validCNH(d []byte) bool {
	carry := 0
	first := weighed(d, "987654321") % 11
	if first >= 10 {
		first, carry = 0, 2
	}
	if d[9] != byte('0'+first) || allSame(d) {
		return false
	}
	second := weighed(d, "123456789")%11 - carry
	if second < 0 { // two customs are in use
		return d[10] == byte('0'+second+11) || d[10] == '0'
	}
	if second >= 10 {
		second = 0
	}
	return d[10] == byte('0'+second)
}

// validTitulo: the voter's number: eight digits, the state 01 to 28, two check
// digits modulo 11; in São Paulo and Minas Gerais a remainder of 0 gives 1
// (Tribunal Superior Eleitoral, Resolução 21.538).
func validTitulo(d []byte) bool {
	state := int(d[8]-'0')*10 + int(d[9]-'0')
	if state < 1 || state > 28 {
		return false
	}
	check := func(sum int) byte {
		r := sum % 11
		switch {
		case r == 10:
			return '0'
		case r == 0 && state <= 2:
			return '1'
		}
		return byte('0' + r)
	}
	first := check(weighed(d, "23456789"))
	second := check(int(d[8]-'0')*7 + int(d[9]-'0')*8 + int(first-'0')*9)
	return d[10] == first && d[11] == second
}

// validSSN: a US social security number or ITIN as the Social Security
// Administration and the IRS give them out. There is no check digit.
func validSSN(d []byte) bool {
	area := int(d[0]-'0')*100 + int(d[1]-'0')*10 + int(d[2]-'0')
	group := int(d[3]-'0')*10 + int(d[4]-'0')
	if area == 0 || area == 666 || group == 0 || string(d[5:]) == "0000" {
		return false
	}
	return area < 900 || group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group <= 92 || group >= 94
}

// validNHS: weights 10 to 2, modulo 11 (NHS Data Dictionary).
func validNHS(d []byte) bool {
	sum := 0
	for i := range 9 {
		sum += int(d[i]-'0') * (10 - i)
	}
	r := 11 - sum%11
	return !allSame(d) && r != 10 && d[9] == byte('0'+r%11)
}

// validSteuerID: ISO 7064 MOD 11,10; among the first ten digits exactly one
// stands two or three times (Bundeszentralamt für Steuern).
func validSteuerID(d []byte) bool {
	if d[0] == '0' {
		return false
	}
	count := uint64(0) // four bits for each digit
	for _, c := range d[:10] {
		count += 1 << (4 * (c - '0'))
	}
	twins := 0
	for ; count != 0; count >>= 4 {
		n := count & 15
		if n > 3 {
			return false
		}
		if n > 1 {
			twins++
		}
	}
	if twins != 1 {
		return false
	}
	p := 10
	for _, c := range d[:10] {
		sum := (int(c-'0') + p) % 10
		if sum == 0 {
			sum = 10
		}
		p = sum * 2 % 11
	}
	return d[10] == byte('0'+(11-p)%10)
}

// validNIR: the French social security number: sex, year, month, department and
// commune, order, and a key of two digits modulo 97 (INSEE). d may have A or B
// in the seventh place, for Corsica.
func validNIR(d []byte) bool {
	month := int(d[3]-'0')*10 + int(d[4]-'0')
	if d[0] < '1' || d[0] > '8' || d[0] == '5' || d[0] == '6' || month == 0 || month > 12 && month < 20 {
		return false
	}
	n, less := 0, 0
	for i, c := range d[:13] {
		if i == 6 && (c == 'A' || c == 'B') {
			less = 1_000_000 * int(c-'A'+1)
			c = '0'
		}
		n = n*10 + int(c-'0')
	}
	return int(d[13]-'0')*10+int(d[14]-'0') == 97-(n-less)%97
}

// validBSN: the Dutch test of eleven (Rijksdienst voor Identiteitsgegevens).
func validBSN(d []byte) bool {
	return !allSame(d) && (weighed(d, "98765432")-int(d[8]-'0'))%11 == 0
}

// validPESEL: weights 1379137913, modulo 10, and a date whose century is in the
// month (Ministerstwo Cyfryzacji).
func validPESEL(d []byte) bool {
	century, day := int(d[2]-'0')*10+int(d[3]-'0'), int(d[4]-'0')*10+int(d[5]-'0')
	if century > 32 && century < 81 || century > 20 && century < 33 && d[0] > '3' {
		return false // not born yet
	}
	month := century % 20
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 && d[10] == byte('0'+(10-weighed(d, "1379137913")%10)%10)
}

// validNIP: weights 657234567, modulo 11; no number has the remainder 10 (Ministerstwo Finansów).
func validNIP(d []byte) bool {
	return !allSame(d) && weighed(d, "657234567")%11 == int(d[9]-'0')
}

// validMyNumber: Japan's individual number, weights 6 5 4 3 2 7 6 5 4 3 2,
// modulo 11 (ordinance 85 of 2014, article 5).
func validMyNumber(d []byte) bool {
	r := weighed(d, "65432765432") % 11
	if r <= 1 {
		return d[11] == '0' && !allSame(d)
	}
	return d[11] == byte('0'+11-r)
}

// validRIC: the resident's number of China, GB 11643-1999: area, date of birth,
// order, and a check character ISO 7064 MOD 11-2, which may be X.
func validRIC(d []byte) bool {
	if d[0] < '1' || d[0] > '8' {
		return false
	}
	if born, err := time.Parse("20060102", string(d[6:14])); err != nil || born.Year() < 1850 || born.Year() > 2040 {
		return false
	}
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(d[i]-'0') * w
	}
	return d[17] == "10X98765432"[sum%11]
}

// labelSet are beginnings of words, lower case, of at least two bytes, that say what
// a number near them is.
type labelSet struct {
	words [32][]string // by five bits of their first byte
	// begins says with which two bytes, five bits of each: by the first, a bit for
	// the second.
	begins [32]uint32
}

func labels(words ...string) *labelSet {
	l := &labelSet{}
	for _, w := range words {
		l.words[w[0]&31] = append(l.words[w[0]&31], w)
		l.begins[w[0]&31] |= 1 << (w[1] & 31)
	}
	return l
}

// labelled tells whether one of the labels begins a word near s[from:to]: in the
// 48 bytes before or the 24 after.
func labelled(s string, from, to int, l *labelSet) bool {
	return l != nil && (l.in(s[max(0, from-48):from]) || l.in(s[to:min(len(s), to+24)]))
}

// in tells whether one of the labels begins a word in at most 64 bytes.
func (l *labelSet) in(near string) bool {
	// Where words begin, for all of the text first: that is not to be guessed.
	begins, inside := uint64(0), uint64(0)
	for p := 0; p < len(near); p += 8 {
		x := step(near, p)
		high, low := x&tops, x&^tops
		folded := low | 0x20*ones
		letter := (folded + (0x80-'a')*ones) &^ (folded + (0x80-'z'-1)*ones) & tops &^ x
		digit := (low + (0x80-'0')*ones) &^ (low + (0x80-'9'-1)*ones) & tops &^ x
		word := letter | digit | high
		begins |= (letter&^(word<<8|inside) | high) >> 7 * 0x0102040810204080 >> 56 << p
		inside = word >> 56
	}
	for ; begins != 0; begins &= begins - 1 {
		i := bits.TrailingZeros64(begins)
		if i+1 >= len(near) || l.begins[near[i]&31]>>(near[i+1]&31)&1 == 0 {
			continue
		}
		for _, w := range l.words[near[i]&31] {
			if len(near)-i >= len(w) && foldsTo(near[i:i+len(w)], w) {
				return true
			}
		}
	}
	return false
}

// foldsTo tells whether s, which is as long, is low in lower case, of ASCII letters alone.
func foldsTo(s, low string) bool {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != low[i] {
			return false
		}
	}
	return true
}

// lower folds ASCII letters alone, so that no byte moves.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// wordByte: an ASCII letter or digit, or a part of a letter outside ASCII.
func wordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
