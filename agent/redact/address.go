package redact

import (
	"net"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// emails finds addresses around each @ (RFC 5322, without the forms that nobody
// writes), also with a quoted name, blanks around the @, and "(at)", "arroba".
func emails(s string) []span {
	var out []span
	for at := 0; at < len(s); {
		i := strings.IndexByte(s[at:], '@')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		from, to := localStart(s, i), domainEnd(s, i+1)
		if from == i && i > 1 && s[i-1] == ' ' { // "maria @ example.com"
			from = localStart(s, i-1)
			if from == i-1 {
				continue
			}
		}
		if to == 0 && at < len(s) && s[at] == ' ' {
			if to = domainEnd(s, i+2); !wordsOnly(s[i+2 : max(to, i+2)]) {
				continue // "i7 @ 2.80GHz"
			}
		}
		if from == i || to == 0 || len(out) > 0 && from < out[len(out)-1].to {
			continue
		}
		out = append(out, span{from, to, MarkEmail})
		at = to
	}
	return out
}

// wordsOnly: the last label is of letters.
func wordsOnly(domain string) bool {
	return !strings.ContainsAny(domain[strings.LastIndexByte(domain, '.')+1:], "0123456789")
}

const localSigns = "._%+'-!#$&*^~{}|"

// localStart is where the part before the @ at i begins, or i.
func localStart(s string, i int) int {
	if i > 1 && s[i-1] == '"' {
		if q := strings.LastIndexByte(s[:i-1], '"'); q >= 0 && q < i-2 {
			return q
		}
	}
	from := localRun(s, i, localSigns)
	// RFC 5322 allows = ? / and ` as well; in an address of the web they belong to it.
	if more := localRun(s, i, localSigns+"=?/`"); more < from && !strings.Contains(s[more:from], "//") && s[more] != '/' && (more == 0 || s[more-1] != ':') {
		from = more
	}
	for from < i && (s[from] == '\'' || s[from] == '.') { // a quotation mark is not its beginning
		from++
	}
	return from
}

func localRun(s string, i int, signs string) int {
	from := i
	for from > 0 {
		r, n := utf8.DecodeLastRuneInString(s[:from])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune(signs, r) {
			break
		}
		from -= n
	}
	return from
}

// domainEnd is where the domain that begins at i ends, or 0 if there is none:
// at least two labels, or an address in brackets.
func domainEnd(s string, i int) int {
	if i < len(s) && s[i] == '[' {
		if j := strings.IndexByte(s[i:], ']'); j > 1 {
			if _, err := netip.ParseAddr(strings.TrimPrefix(s[i+1:i+j], "IPv6:")); err == nil {
				return i + j + 1
			}
		}
		return 0
	}
	end, dots, label := 0, 0, 0
	for j := i; j < len(s); {
		r, n := utf8.DecodeRuneInString(s[j:])
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '-' && label > 0:
			label++
			if dots > 0 && r != '-' {
				end = j + n
			}
		case r == '.' && label > 0:
			dots++
			label = 0
		default:
			return end
		}
		j += n
	}
	return end
}

// spokenEmails finds addresses whose signs are written as words.
var spokenEmails = lazy(`(?i)[\p{L}\p{N}._+-]+\s?(?:\(at\)|\[at\]|\{at\}|\sat\s|\sarroba\s|\(arroba\)|\[arroba\])\s?[\p{L}\p{N}-]+(?:\s?(?:\.|\(dot\)|\[dot\]|\(ponto\)|\(punto\)|\sdot\s|\sponto\s|\spunto\s)\s?[\p{L}\p{N}-]+)+`)

// ip4 finds IPv4 addresses: four numbers up to 255, and neither more of them
// nor a version's name before. What stands for no machine stays.
func ip4(s string) []span {
	var out []span
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			i++
			continue
		}
		to, ok := ip4At(s, i)
		if ok {
			sp := span{i, to, MarkIP}
			if c, found := cardOver(s, i, to); found && (len(out) == 0 || out[len(out)-1].to <= c.from) {
				sp = c
			}
			out = append(out, sp)
			to = sp.to
		}
		i = to
	}
	return out
}

// cardOver is the payment card whose last, first or middle digits are written like
// the address from to: "4111111 11.11.1.1". Two addresses beside each other are none.
func cardOver(s string, from, to int) (span, bool) {
	start := from
	for digits := to - from; digits < maxDigits; {
		at := start
		for gap := 0; gap < maxGap; gap++ {
			r, n := utf8.DecodeLastRuneInString(s[:at])
			if r < utf8.RuneSelf && (n == 0 || !mayGap[r]) || r >= utf8.RuneSelf && !separator(r) {
				break
			}
			at -= n
		}
		end := at
		for at > 0 && digitAt(s, at-1) {
			at--
		}
		if at == end {
			break
		}
		start, digits = at, digits+end-at
	}
	var groups [24]group
	chain, digits, _ := chainAt(s, start, groups[:0])
	if digits <= 12 { // an address has no more
		return span{}, false
	}
	for _, c := range inChain(s, chain) {
		if c.mark != MarkCard || c.from > from || c.to < to || c.from == from && c.to == to {
			continue
		}
		for i := c.from; i < c.to; {
			if !digitAt(s, i) {
				i++
				continue
			}
			end, ok := ip4At(s, i)
			if ok && i != from {
				return span{}, false
			}
			i = end
		}
		return c, true
	}
	return span{}, false
}

// ip4At reads the numbers with dots between them that begin at i: where they
// end, and whether they are an address that goes.
func ip4At(s string, i int) (to int, ok bool) {
	j, parts := i, 0
	ok = i == 0 || !wordByte(s[i-1]) && !(s[i-1] == '.' && i > 1 && wordByte(s[i-2]))
	for {
		v, d := 0, j
		for ; j < len(s) && '0' <= s[j] && s[j] <= '9'; j++ {
			v = min(v*10+int(s[j]-'0'), 1000)
		}
		ok = ok && j > d && j-d <= 3 && v <= 255
		parts++
		if j+1 >= len(s) || s[j] != '.' || s[j+1] < '0' || s[j+1] > '9' {
			break
		}
		j++
	}
	return j, ok && parts == 4 && (j == len(s) || !wordByte(s[j]) || s[j] == 'x') && !nobody[s[i:j]] && !netmask(s[i:j]) && !version(s[:i])
}

// netmask: 255.255.255.0 and the like.
func netmask(a string) bool {
	m := net.IPMask(net.ParseIP(a).To4())
	ones, _ := m.Size()
	return ones >= 8
}

// nobody are addresses that name no machine.
var nobody = map[string]bool{"0.0.0.0": true, "127.0.0.1": true, "::": true, "::1": true}

// version tells whether the text ends in a word after which four numbers are a version.
func version(before string) bool {
	before = strings.TrimRight(before, " :=v")
	before = lower(before[max(0, len(before)-12):])
	for _, w := range []string{"version", "versão", "versao", "versión", "ver.", "build", "release", "chrome", "edge", "firefox"} {
		if strings.HasSuffix(before, w) {
			return true
		}
	}
	return false
}

// ip6 finds IPv6 addresses (RFC 4291) as netip reads them, with zone and with
// an IPv4 tail.
func ip6(s string) []span {
	var out []span
	for i := 0; i < len(s); {
		if !hexDigit(s[i]) && s[i] != ':' {
			i++
			continue
		}
		j, colons, digits := i, 0, 0
		for ; j < len(s) && (hexDigit(s[j]) || s[j] == ':' || s[j] == '.'); j++ {
			if s[j] == ':' {
				colons++
			} else if s[j] <= '9' {
				digits++
			}
		}
		to := j
		for to > i && (s[to-1] == '.' || s[to-1] == ':' && !strings.HasSuffix(s[i:to], "::")) {
			to--
		}
		if colons >= 2 && (digits > 0 || colons >= 4) && (i == 0 || !wordByte(s[i-1])) && (to == len(s) || !wordByte(s[to])) && !nobody[s[i:to]] {
			if a, err := netip.ParseAddr(s[i:to]); err == nil && a.Is6() {
				if to < len(s) && s[to] == '%' { // a zone names an interface
					for to++; to < len(s) && wordByte(s[to]); to++ {
					}
				}
				out = append(out, span{i, to, MarkIP})
				j = to
			}
		}
		i = max(j, i+1)
	}
	return out
}

func hexDigit(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

// macs finds hardware addresses (IEEE 802): six pairs, or three groups of four
// with dots.
func macs(s string) []span {
	var out []span
	for i := 0; i+14 <= len(s); i++ {
		if !hexDigit(s[i]) || i > 0 && (wordByte(s[i-1]) || s[i-1] == ':' || s[i-1] == '-') {
			continue
		}
		if to := macEnd(s, i); to > 0 {
			out = append(out, span{i, to, MarkMAC})
			i = to
		}
	}
	return out
}

// macEnd is where the address at s[i:] ends, or 0.
func macEnd(s string, i int) int {
	to := macForm(s, i)
	if to == 0 || to < len(s) && (wordByte(s[to]) || (s[to] == ':' || s[to] == '-') && to+1 < len(s) && hexDigit(s[to+1])) {
		return 0
	}
	return to
}

// macForm is where the form of an address at s[i:] ends, or 0.
func macForm(s string, i int) int {
	if i+14 > len(s) {
		return 0
	}
	if s[i+4] == '.' { // three groups of four
		if s[i+9] != '.' {
			return 0
		}
		letters := false
		for k := range 14 {
			c := s[i+k]
			if k != 4 && k != 9 && !hexDigit(c) {
				return 0
			}
			letters = letters || c > '9'
		}
		if !letters { // three numbers
			return 0
		}
		return i + 14
	}
	sep := s[i+2]
	if sep != ':' && sep != '-' || s[i+5] != sep || s[i+8] != sep || s[i+11] != sep || i+17 > len(s) || s[i+14] != sep {
		return 0
	}
	for k := 0; k < 17; k += 3 {
		if !hexDigit(s[i+k]) || !hexDigit(s[i+k+1]) {
			return 0
		}
	}
	return i + 17
}
