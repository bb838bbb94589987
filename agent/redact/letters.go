package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Identifiers that hold letters as well as digits. Each is read from a place
// where a word begins, over single separators.

// lettered finds IBAN, CNPJ with letters, NINO, DNI, NIE, codice fiscale, NIR of
// Corsica, the Chinese resident's number that ends in X and German identity cards.
func lettered(s string) []span {
	var out []span
	digit := -1 // the next one
	for i := 0; i < len(s); {
		if digit < i {
			for digit = i; digit < len(s) && !digitAt(s, digit); digit++ {
			}
			if digit == len(s) {
				break
			}
		}
		if i < digit-letteredReach {
			i = digit - letteredReach
			continue
		}
		if !alnum(s[i]) {
			i++
			continue
		}
		if letterBefore(s, i) { // within a word: on to its end
			for i < len(s) && alnum(s[i]) {
				i++
			}
			continue
		}
		to, mark := letteredAt(s, i)
		if to == 0 {
			i++
			continue
		}
		out = append(out, span{i, to, mark})
		i = to
	}
	return out
}

// letteredReach: all of them have a digit among their first thirty bytes.
const letteredReach = 30

// read collects up to n letters and digits from s[i:], in upper case, over
// single separators; ends[k] is where character k ends.
func read(s string, i, n int, chars *[34]byte, ends *[34]int) int {
	k, gap := 0, false
	for ; i < len(s) && k < n; i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
			fallthrough
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			chars[k], ends[k] = c, i+1
			k++
			gap = false
		case !gap && (c == ' ' || c == '.' || c == '-' || c == '/'):
			gap = true
		default:
			return k
		}
	}
	return k
}

func letteredAt(s string, i int) (to int, mark string) {
	var c [34]byte
	var ends [34]int
	n := read(s, i, len(c), &c, &ends)
	if n < 9 {
		return 0, ""
	}
	whole := func(k int) bool { return !letterAfter(s, ends[k-1]) }
	if l := ibanLength(c[0], c[1]); l > 0 && l <= n && validIBAN(c[:l]) {
		for to = ends[l-1]; digitAt(s, to); to++ { // more of it, or of what only looked like one
		}
		return to, MarkIBAN
	}
	switch {
	case n >= 18 && c[17] == 'X' && allDigits(c[:17]) && whole(18) && validRIC(c[:18]):
		return ends[17], MarkID
	case n >= 16 && whole(16) && validCodiceFiscale(c[:16]):
		return ends[15], MarkID
	case n >= 15 && (c[6] == 'A' || c[6] == 'B') && whole(15) && allDigits(c[:6]) && allDigits(c[7:15]) && validNIR(c[:15]):
		return ends[14], MarkID
	case n >= 14 && whole(14) && allDigits(c[12:14]) && !allDigits(c[:12]) && (digitsIn(c[:12]) > 0 || s[i] == c[0]) && validCNPJ(c[:14]) && (closely(s[i:ends[13]]) || labelled(s, i, ends[13], cnpjLabels)):
		return ends[13], MarkCNPJ
	case n >= 10 && whole(10) && validAusweis(c[:10]) && labelled(s, i, ends[9], ausweisLabels):
		return ends[9], MarkID
	case whole(9) && validDNI(c[:9]) && upper(s[ends[8]-1], s[ends[7]-1:ends[8]]):
		return ends[8], MarkID
	case whole(9) && validNINO(c[:9]) && (s[i] == c[0] && s[ends[8]-1] == c[8] || labelled(s, i, ends[8], ninoLabels)):
		return ends[8], MarkID
	case whole(9) && ausweisSerial(c[:9]) && labelled(s, i, ends[8], ausweisLabels):
		return ends[8], MarkID
	}
	return 0, ""
}

var (
	ausweisLabels = labels("personalausweis", "ausweis", "perso", "identity card", "id card")
	cnpjLabels    = labels("cnpj")
	ninoLabels    = labels("ni ", "ni:", "nino", "national insurance", "ni number", "ni no")
)

// upper: behind a blank, only a capital is the letter of a DNI.
func upper(letter byte, tail string) bool {
	return letter < 'a' || !strings.ContainsRune(tail, ' ')
}

// closely: a CNPJ with letters is written in one piece or with its own signs,
// not as words with blanks between them.
func closely(s string) bool { return !strings.Contains(s, " ") }

// letterBefore and letterAfter tell whether a letter or digit touches a place.
// Scripts that put no blanks between words do not count.
func letterBefore(s string, i int) bool {
	if i == 0 || s[i-1] < utf8.RuneSelf {
		return i > 0 && alnum(s[i-1])
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return joins(r)
}

func letterAfter(s string, i int) bool {
	if i == len(s) || s[i] < utf8.RuneSelf {
		return i < len(s) && alnum(s[i])
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return joins(r)
}

// joins: a letter or digit of a script that puts blanks between words. Thai has the
// first letters of those that do not.
func joins(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) && (r < 0x0E00 || !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai))
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func allDigits(c []byte) bool { return digitsIn(c) == len(c) }

func digitsIn(c []byte) int {
	n := 0
	for _, b := range c {
		if '0' <= b && b <= '9' {
			n++
		}
	}
	return n
}

// ibanLength is how long an IBAN of a country is (SWIFT IBAN Registry, release 99).
func ibanLength(a, b byte) int {
	if a, b = a&^0x20-'A', b&^0x20-'A'; a < 26 && b < 26 {
		return int(ibanLengths[int(a)*26+int(b)])
	}
	return 0
}

var ibanLengths = func() (m [26 * 26]uint8) {
	for w := range strings.FieldsSeq("AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 " +
		"EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 " +
		"LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 " +
		"SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 " +
		// Not in the registry, but in use.
		"AO25 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28 TD27 TG28") {
		m[int(w[0]-'A')*26+int(w[1]-'A')] = (w[2]-'0')*10 + w[3] - '0'
	}
	return m
}()

// validIBAN checks the remainder 1 modulo 97 (ISO 13616, ISO 7064).
func validIBAN(c []byte) bool {
	r := 0
	for i := range c {
		b := c[(i+4)%len(c)]
		if '0' <= b && b <= '9' {
			r = (r*10 + int(b-'0')) % 97
		} else {
			r = (r*100 + int(b-'A') + 10) % 97
		}
	}
	return r == 1 && allDigits(c[2:4])
}

// validDNI checks DNI (eight digits) and NIE (X, Y or Z and seven digits): the
// letter by the remainder modulo 23 (Ministerio del Interior).
func validDNI(c []byte) bool {
	first, n := c[0], 0
	if 'X' <= first && first <= 'Z' {
		first -= 'X' - '0'
	}
	for i, b := range c[:8] {
		if i == 0 {
			b = first
		}
		if b < '0' || b > '9' {
			return false
		}
		n = n*10 + int(b-'0')
	}
	return c[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[n%23]
}

// validNINO: two letters, six digits, A to D; prefixes that are not given out
// (HM Revenue & Customs, NIM39110). There is no check digit.
func validNINO(c []byte) bool {
	if c[8] < 'A' || c[8] > 'D' || !allDigits(c[2:8]) || digitsIn(c[:2]) > 0 {
		return false
	}
	if strings.ContainsRune("DFIQUV", rune(c[0])) || strings.ContainsRune("DFIOQUV", rune(c[1])) {
		return false
	}
	switch string(c[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return false
	}
	return true
}

// oddValue is what a character of a codice fiscale counts in an odd place; in an
// even one it counts its place in the alphabet or its value (Decreto
// ministeriale 23 dicembre 1976, n. 13813).
var oddValue = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// validCodiceFiscale checks form and check letter; digits may be replaced by
// letters where two people would have the same code (omocodia).
func validCodiceFiscale(c []byte) bool {
	sum := 0
	for i, b := range c[:16] {
		digit := '0' <= b && b <= '9'
		switch i {
		case 6, 7, 9, 10, 12, 13, 14:
			if !digit && !strings.ContainsRune("LMNPQRSTUV", rune(b)) {
				return false
			}
		case 8:
			if !strings.ContainsRune("ABCDEHLMPRST", rune(b)) {
				return false
			}
		default:
			if digit {
				return false
			}
		}
		if i == 15 { // one with letters for all its digits is not looked for: ordinary words are as like one
			return b == byte('A'+sum%26) && digitsIn(c[:15]) > 0
		}
		v := int(b - 'A')
		if digit {
			v = int(b - '0')
		}
		if i%2 == 0 {
			v = oddValue[v]
		}
		sum += v
	}
	return false
}

// ausweisSerial: the nine characters of a German identity card's number.
func ausweisSerial(c []byte) bool {
	if !strings.ContainsRune("CFGHJKLMNPRTVWXYZ", rune(c[0])) || digitsIn(c[:9]) < 2 {
		return false
	}
	for _, b := range c[:9] {
		if strings.ContainsRune("ABDEIOQSU", rune(b)) {
			return false
		}
	}
	return true
}

// validAusweis checks the tenth character: weights 7 3 1, modulo 10 (ICAO Doc 9303).
func validAusweis(c []byte) bool {
	if !ausweisSerial(c) {
		return false
	}
	sum := 0
	for i, b := range c[:9] {
		v := int(b - '0')
		if b >= 'A' {
			v = int(b-'A') + 10
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return c[9] == byte('0'+sum%10)
}
