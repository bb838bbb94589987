package redact

import "strings"

// Telephone numbers: those of Brazil in every usual form, others with the + of
// E.164 or near a word that says what they are.

// areas are the area codes of Brazil (Anatel, Plano Geral de Códigos Nacionais).
var areas = func() (m [100]bool) {
	for a := 11; a <= 99; a++ {
		m[a] = a%10 != 0
	}
	for _, none := range []int{23, 25, 26, 29, 36, 39, 52, 56, 57, 58, 59, 72, 76, 78} {
		m[none] = false
	}
	return m
}()

var phoneLabels = labels("tel", "fone", "phone", "cel", "whats", "wa.me", "zap", "zapp", "ligar", "ligue", "liga ", "call", "mobile", "móvil", "contato", "contacto", "contact",
	"handy", "rufen", "portable", "appel", "chiama", "llama", "bel ", "komórk", "zadzwo", "電話", "电话", "手机", "fax", "sms", "número dele", "número dela", "meu número")

// international finds numbers that begin with + (ITU-T E.164), with or without
// separators: 8 to 15 digits.
func international(s string) []span {
	var out []span
	for i := 0; i+8 < len(s); i++ {
		if s[i] != '+' || i > 0 && wordByte(s[i-1]) {
			continue
		}
		to, digits := phoneRun(s, i+1)
		if digits > 15 { // another number follows: Brazil's have a known length
			to = 0
			if strings.HasPrefix(s[i+1:], "55") {
				to = brazilian(s, i+1)
			}
		}
		if to > 0 && digits >= 8 {
			out = append(out, span{i, to, MarkPhone})
			i = to
		}
	}
	return out
}

// phoneRun reads digits and what stands between those of a telephone number.
func phoneRun(s string, i int) (to, digits int) {
	gap := 0
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
			to, gap = i+1, 0
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/':
			if gap++; gap > 2 {
				return to, digits
			}
		default:
			if wordByte(c) && to == i {
				return 0, 0
			}
			return to, digits
		}
	}
	return to, digits
}

// brazilian is where a number that begins at i, with 55 or an area code, ends,
// or 0: [55] [0] [carrier] area, eight or nine digits.
func brazilian(s string, i int) int {
	var d [16]byte
	var ends [16]int
	n, gap := 0, 0
	for ; i < len(s) && n < len(d); i++ {
		c := s[i]
		if '0' <= c && c <= '9' {
			d[n], ends[n] = c, i+1
			n++
			gap = 0
		} else if (c == ' ' || c == '-' || c == '.' || c == '(' || c == ')') && gap < 2 {
			gap++
		} else {
			break
		}
	}
	at := 0
	if n >= 12 && d[0] == '5' && d[1] == '5' {
		at = 2
	}
	for at < n && d[at] == '0' {
		at++
	}
	if n-at < 10 || !areas[int(d[at]-'0')*10+int(d[at+1]-'0')] {
		return 0
	}
	size := 10
	if d[at+2] == '9' && n-at >= 11 {
		size = 11
	} else if d[at+2] < '2' {
		return 0
	}
	return ends[at+size-1]
}

// phones finds numbers without a +.
func phones(s string) []span {
	var out []span
	for i := 0; i+7 < len(s); i++ {
		if !digitAt(s, i) && s[i] != '(' || !phoneBegins(s, i) {
			continue
		}
		if to := phoneAt(s, i); to > 0 {
			out = append(out, span{i, to, MarkPhone})
			i = to - 1
			continue
		}
		for i+1 < len(s) && digitAt(s, i+1) { // on to the end of this run
			i++
		}
	}
	return out
}

// phoneBegins tells whether a number may begin with the digit or bracket at i.
func phoneBegins(s string, i int) bool {
	if i+7 >= len(s) {
		return false
	}
	if i == 0 {
		return true
	}
	switch c := s[i-1]; c {
	case '.', ',', '-', '/', ' ':
		return s[i] == '(' || !digitAt(s, i-2)
	default:
		return !wordByte(c)
	}
}

// phoneAt is where the number that begins at i ends, or 0.
func phoneAt(s string, i int) int {
	if s[i] == '(' {
		return bracketed(s, i)
	}
	var g [16]group
	n := groupsAt(s, i, &g)
	var size [len(g) + 4]int // of each group, 0 behind the last
	total := 0
	for k := range n {
		size[k] = g[k].to - g[k].from
		total += size[k]
	}
	if total < fewest {
		return 0
	}
	for k := range min(n, 3) { // 0 or 55 may stand before
		if k > 0 && !mayLead(s[g[k-1].from:g[k-1].to]) {
			break
		}
		ddd := s[g[k].from:g[k].to]
		if len(ddd) == 3 && ddd[0] == '0' {
			ddd = ddd[1:]
		}
		if len(ddd) != 2 || !areas[int(ddd[0]-'0')*10+int(ddd[1]-'0')] {
			continue
		}
		first := byte(0)
		if k+1 < n {
			first = s[g[k+1].from]
		}
		switch {
		case size[k+1] == 5 && size[k+2] == 4 && first == '9' && n == k+3,
			size[k+1] == 4 && size[k+2] == 4 && first >= '2' && n == k+3,
			size[k+1] == 1 && first == '9' && size[k+2] == 4 && size[k+3] == 4 && n == k+4:
			return g[n-1].to
		case size[k+1] == 9 && first == '9' && n == k+2, size[k+1] == 8 && first >= '2' && n == k+2 && total <= 13:
			return g[n-1].to
		}
	}
	switch {
	case n == 2 && size[0] == 5 && size[1] == 4 && s[g[0].to] == '-': // 91234-5678
		return g[1].to
	case n == 2 && size[0] == 4 && size[1] == 4 && s[g[0].to] == '-' && s[i] >= '2' && !years(s[i:g[1].to]): // 3003-4000
		return g[1].to
	case n == 3 && size[0] == 4 && (s[i:g[0].to] == "0800" || s[i:g[0].to] == "0300" || s[i:g[0].to] == "0900"):
		return g[2].to
	case n == 3 && size[0] == 3 && size[1] == 3 && size[2] == 4 && s[i] >= '2' && s[g[0].to] == s[g[1].to] && s[g[0].to] != ' ': // 555-123-4567
		return g[2].to
	}
	if total >= 7 && total <= 15 && !date(s, g[:n]) && labelled(s, i, g[n-1].to, phoneLabels) {
		return g[n-1].to
	}
	return 0
}

// mayLead: digits that may stand before an area code: 0 or 55.
func mayLead(digits string) bool {
	for i := range len(digits) {
		if digits[i] != '0' && digits[i] != '5' {
			return false
		}
	}
	return true
}

// bracketed is where a number that begins with its area code in brackets ends:
// (11) 91234-5678, (0xx11) 3003-4000, (+55 11) 3003-4000, (555) 123-4567.
func bracketed(s string, i int) int {
	j := i + 1
	code := make([]byte, 0, 8)
	for ; j < len(s) && j-i < 9 && s[j] != ')'; j++ {
		switch c := s[j]; {
		case '0' <= c && c <= '9':
			code = append(code, c)
		case c != ' ' && c != 'x' && c != 'X' && c != '+' && c != '-':
			return 0
		}
	}
	if j >= len(s) || s[j] != ')' {
		return 0
	}
	for j++; j < len(s) && (s[j] == ' ' || s[j] == '-'); j++ {
	}
	if !digitAt(s, j) {
		return 0
	}
	var g [16]group
	n := groupsAt(s, j, &g)
	digits := 0
	for k := range n {
		digits += g[k].to - g[k].from
	}
	area := strings.TrimLeft(strings.TrimPrefix(string(code), "55"), "0")
	if string(code) == "55" {
		area = "55"
	}
	first := byte('0')
	if n > 0 {
		first = s[g[0].from]
	}
	home := len(area) == 2 || len(code) == 2
	switch {
	case n > 0 && home && (digits == 8 && !date(s, g[:n]) || digits == 9),
		len(area) == 3 && n == 2 && digits == 7 && g[0].to-g[0].from == 3,
		n > 0 && digits >= 6 && digits <= 12 && labelled(s, i, g[n-1].to, phoneLabels):
		return g[n-1].to
	case n > 1 && home: // another number follows
		for k, d := 0, 0; k < n; k++ {
			if d += g[k].to - g[k].from; d == 8 && first >= '2' && first < '9' || d == 9 && first == '9' {
				return g[k].to
			}
		}
	}
	return 0
}

// years: 2023-2024.
func years(s string) bool {
	return (s[:2] == "19" || s[:2] == "20") && (s[5:7] == "19" || s[5:7] == "20")
}

// date tells whether the groups are a date, with or without a time.
func date(s string, g []group) bool {
	if len(g) < 3 {
		return false
	}
	a, b, c := g[0].to-g[0].from, g[1].to-g[1].from, g[2].to-g[2].from
	return s[g[0].to] != ' ' && (a == 4 && b == 2 && c == 2 || a <= 2 && b <= 2 && c == 4)
}

func digitAt(s string, i int) bool { return i >= 0 && i < len(s) && '0' <= s[i] && s[i] <= '9' }

// groupsAt reads the groups of digits from i, one to three separators apart; a
// number that runs on beyond the array, or into a word, is none.
func groupsAt(s string, i int, g *[16]group) (n int) {
	for n < len(g) && digitAt(s, i) {
		j := i + 1
		for j < len(s) && '0' <= s[j] && s[j] <= '9' {
			j++
		}
		g[n] = group{i, j}
		n++
		for i = j; i < len(s) && i-j < 3 && phoneGap[s[i]]; i++ {
		}
		if i == j || !digitAt(s, i) {
			if j < len(s) && wordByte(s[j]) {
				return 0
			}
			break
		}
	}
	return n
}

// phoneGap may stand between the groups of a telephone number.
var phoneGap = [256]bool{' ': true, '-': true, '.': true, '(': true, ')': true}
