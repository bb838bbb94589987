package redact

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// scanner looks for the triggers of all rules in one pass of eight bytes a step.
//
// Bytes are folded to six bits, in which upper and lower case are the same; two
// of them are a pair, and pairs begin at even places. Each literal is looked up
// by two pairs that follow each other: four of its bytes, or fewer and any. The
// patterns are dealt out to 30 buckets, and a table says for each pair in which
// buckets it is the first of two (low half) and in which the second (high half); two
// bits more tell of digits and of what is not usual.
// So one and of two look-ups tells whether anything can stand in four bytes.
// What passes is compared with the literals whose four bytes these are, and then
// the guard is asked.
type scanner struct {
	pairs [1 << 12]uint64
	// Literals of whose four bytes three or all are known are found by these, the
	// others in their bucket.
	known   [3]index
	buckets [30][]pattern
	partly  uint32 // the buckets that hold any
	nodes   []node
	// What figures.go finds is of these rules.
	lettered, ipv4, ipv6, mac, numbers, lookalikes, phones int
	wide                                                   ruleSet // rules with a trigger that counts anywhere
}

// The bit of a pair that may hold a digit, a bracket or two blanks, and the bucket of
// two blanks in two pairs.
const (
	special = 1 << 31
	blanks  = 30
)

// pattern is where in the text a literal is looked up: by the four bytes that
// stand off behind its beginning.
type pattern struct {
	want, mask uint32 // the four bytes folded, six bits each
	node       uint16
	next       uint16 // of those with the same hash, counted from 1; 0: none
	off        int8
}

// index finds patterns of which the same bytes are known.
type index struct {
	mask    uint32          // these
	in      uint32          // the buckets of its patterns
	first   [1 << 10]uint16 // by a hash of the bytes, counted from 1; 0: none
	pattern []pattern
}

func hash(four uint32) uint32 { return four * 0x9E3779B1 >> 22 }

type node struct {
	lit   string
	class class
	// Of the first eight bytes of the literal: themselves, which bytes there are, and
	// the bit that tells the cases of each letter apart.
	head, mask, cases uint64
	rules             []guardedRule
}

func newNode(lit string, k class) node {
	n := node{lit: lit, class: k}
	for i := range min(len(lit), 8) {
		c := uint64(lit[i])
		n.head |= c << (8 * i)
		n.mask |= 0xff << (8 * i)
		if 'a' <= c && c <= 'z' {
			n.cases |= 0x20 << (8 * i)
		}
	}
	return n
}

type guardedRule struct {
	guard func(s string, from, to int) bool
	rule  int
}

// theScanner is made when the first text is redacted.
func theScanner() *scanner {
	if sc := madeScanner.Load(); sc != nil {
		return sc
	}
	sc := makeScanner()
	madeScanner.Store(sc)
	return sc
}

var (
	madeScanner atomic.Pointer[scanner]
	makeScanner = sync.OnceValue(func() *scanner { return newScanner(builtin) })
)

// fold makes six bits of a byte: letters of both cases are the same; some signs
// are the same as others, which costs only a comparison.
func fold(c byte) byte { return c&0x1f | c>>1&0x20 }

// commonness is about how many of a thousand bytes of ordinary text fold to a value.
var commonness = func() (f [64]float64) {
	for i := range f {
		f[i] = 1
	}
	for i, n := range map[byte]float64{' ': 150, 'a': 90, 'e': 95, 'o': 75, 's': 55, 'r': 58, 'i': 52, 'n': 48, 't': 46, 'd': 38, 'm': 32, 'u': 30, 'c': 33, 'l': 30, 'p': 24,
		'v': 9, 'g': 12, 'h': 11, 'f': 10, 'b': 9, 'q': 5, 'x': 5, 'z': 4, 'j': 4, 'y': 6, 'k': 5, 'w': 6, '.': 9, '-': 11, '/': 9, ':': 5, ',': 4, '0': 5, '1': 5, '2': 5} {
		f[fold(i)] = n
	}
	for i := range f {
		f[i] /= 1000
	}
	return f
}()

func newScanner(rules []rule) *scanner {
	sc := &scanner{known: [3]index{{mask: 1<<24 - 1}, {mask: 1<<18 - 1}, {mask: (1<<18 - 1) << 6}}}
	type form struct {
		lit   string
		class class
	}
	byLit := map[form]int{}
	for i, r := range rules {
		switch r.name {
		case "lettered":
			sc.lettered = i
		case "ipv4":
			sc.ipv4 = i
		case "ipv6":
			sc.ipv6 = i
		case "mac":
			sc.mac = i
		case "numbers":
			sc.numbers = i
		case "lookalikes":
			sc.lookalikes = i
		case "phones":
			sc.phones = i
		}
		for _, t := range r.on {
			key := form{t.lit, t.class}
			n, ok := byLit[key]
			if !ok {
				n = len(sc.nodes)
				byLit[key] = n
				sc.nodes = append(sc.nodes, newNode(t.lit, t.class))
			}
			sc.nodes[n].rules = append(sc.nodes[n].rules, guardedRule{t.guard, i})
			if t.anywhere {
				sc.wide.add(i)
			}
		}
	}
	for i := range sc.pairs {
		a, b := byte(i&0x3f), byte(i>>6)
		if a == 0 && b == 0 || a == fold('[') || b == fold('[') || '0'&0x1f <= a && a <= '9'&0x1f || '0'&0x1f <= b && b <= '9'&0x1f {
			sc.pairs[i] = special
		}
		if b == 0 { // a blank
			sc.pairs[i] |= 1 << blanks
		}
		if a == 0 {
			sc.pairs[i] |= 1 << (32 + blanks)
		}
	}
	d := dealer{sc: sc}
	for n := range sc.nodes {
		for parity := range 2 {
			d.deal(n, sc.nodes[n].rarest(parity))
		}
	}
	return sc
}

// bytesAt are the values that the four bytes off behind the beginning of the
// literal can have; nil: any.
func (n *node) bytesAt(off int) (some [4][]byte) {
	for k := range some {
		i := off + k
		if i < 0 || i >= len(n.lit) {
			continue
		}
		for _, c := range []byte(n.class.values(n.lit[i : i+1])) {
			some[k] = append(some[k], fold(c))
		}
	}
	return some
}

// common is how often one of the values stands in a place of ordinary text.
func common(some []byte) float64 {
	if some == nil {
		return 1
	}
	sum := 0.0
	for _, c := range some {
		sum += commonness[c]
	}
	return sum
}

// rarest is how far behind the beginning of a literal at an even (0) or odd (1)
// place the four bytes stand that are rarest in ordinary text, so that their own
// place is even.
func (n *node) rarest(parity int) int {
	best, least := 0, 2.0
	for off := -parity; off < len(n.lit) && off < 100; off += 2 {
		p := 1.0
		for _, some := range n.bytesAt(off) {
			p *= common(some)
		}
		if p < least {
			best, least = off, p
		}
	}
	return best
}

// dealer deals patterns out to buckets, so that few pairs of ordinary text pass.
type dealer struct {
	sc            *scanner
	first, second [30]float64 // how often a pair of ordinary text is in the bucket
}

func (d *dealer) deal(n, off int) {
	some := d.sc.nodes[n].bytesAt(off)
	p := pattern{node: uint16(n), off: int8(off)}
	for k, s := range some {
		if len(s) == 1 {
			p.want |= uint32(s[0]) << (6 * k)
			p.mask |= 0x3f << (6 * k)
		}
	}
	a, b := pairsOf(some[0], some[1]), pairsOf(some[2], some[3])
	best, least, bestA, bestB := 0, 1e9, 0.0, 0.0
	for k := range d.sc.buckets {
		pa, pb := d.first[k]+d.more(a, 1<<k), d.second[k]+d.more(b, 1<<(32+k))
		if cost := pa*pb - d.first[k]*d.second[k]; cost < least {
			best, least, bestA, bestB = k, cost, pa, pb
		}
	}
	d.first[best], d.second[best] = bestA, bestB
	for _, i := range a {
		d.sc.pairs[i] |= 1 << best
	}
	for _, i := range b {
		d.sc.pairs[i] |= 1 << (32 + best)
	}
	for i := range d.sc.known {
		if x := &d.sc.known[i]; x.mask == p.mask {
			h := hash(p.want)
			p.next = x.first[h]
			x.pattern = append(x.pattern, p)
			x.first[h] = uint16(len(x.pattern))
			x.in |= 1 << best
			return
		}
	}
	d.sc.buckets[best] = append(d.sc.buckets[best], p)
	d.sc.partly |= 1 << best
}

// more is how often a pair of the list stands in ordinary text that is not yet in the bucket.
func (d *dealer) more(pairs []uint16, bit uint64) float64 {
	sum := 0.0
	for _, p := range pairs {
		if d.sc.pairs[p]&bit == 0 {
			sum += commonness[p&63] * commonness[p>>6]
		}
	}
	return sum
}

var anyByte = func() (all []byte) {
	for c := range byte(64) {
		all = append(all, c)
	}
	return all
}()

func pairsOf(a, b []byte) (out []uint16) {
	if a == nil {
		a = anyByte
	}
	if b == nil {
		b = anyByte
	}
	for _, x := range a {
		for _, y := range b {
			out = append(out, uint16(x)|uint16(y)<<6)
		}
	}
	return out
}

// stands tells whether the literal stands at s[i:].
func (n *node) stands(s string, i int) bool {
	if i < 0 || len(s)-i < len(n.lit) {
		return false
	}
	k := 0
	if n.class == itself {
		if (step(s, i)|n.cases)&n.mask != n.head {
			return false
		}
		k = 8
	}
	for ; k < len(n.lit); k++ {
		c, w := s[i+k], n.lit[k]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		switch {
		case n.class == hexDigits && w == '0':
			if !hexDigit(c) {
				return false
			}
		case n.class == hexLetters && w == 'a':
			if c < 'a' || c > 'f' {
				return false
			}
		case c != w:
			return false
		}
	}
	return true
}

// scan returns the rules that may find something in s. usual: normal would change
// nothing, and there is no mark: plain and a look for brackets, in the same pass. It
// knows less than plain does.
func (sc *scanner) scan(s string) (found ruleSet, usual bool) {
	var (
		c    = carried{good: tops}
		fig  = figures{sc: sc, s: s} // what the runs of digits so far were
		tail = rest(s, len(s)&^7)
		x    uint64
		hit  bool
	)
	for p := 0; ; p += 8 {
		if p, x, hit, c = sc.pass(s, p, tail, c); p >= len(s) {
			break
		}
		low := x &^ tops
		blank := ^((low ^ ' '*ones) + 0x7f*ones) &^ x & tops
		c.odd |= blank&(blank<<8) | ^((low^'['*ones)+0x7f*ones)&^x
		if p > 0 && s[p-1] == ' ' {
			c.odd |= blank & 0x80
		}
		digit := ^((low ^ '0'*ones) + (0x80-10)*ones) &^ x & tops
		begins := digit &^ (digit << 8)
		if digitAt(s, p-1) {
			begins &^= 0x80
		}
		for ; begins != 0; begins &= begins - 1 {
			fig.run(p+bits.TrailingZeros64(begins)/8, &found)
		}
		if hit {
			sc.look(s, p, x, &found)
		}
	}
	if c.prev<<32&sc.pairs[pairs('!'*ones)&0xfff] != 0 { // of the last pair
		sc.look(s, (len(s)+7)&^7, '!'*ones, &found)
	}
	usual = c.good&tops == tops && c.odd&tops|c.letter == 0 && (s == "" || s[0] != ' ' && s[len(s)-1] != ' ')
	return found, usual
}

// carried is what the pass takes from one step to the next.
type carried struct {
	good   uint64 // the highest bit of each byte, as long as none is less than a blank
	odd    uint64 // what is not usual
	letter uint64 // the byte before was the first of two of a letter
	prev   uint64 // the last look-up
}

// pass goes on from p to the next step that holds a digit or in which something can
// stand: x are its bytes, tail those of the last. It calls nothing, so that all it needs
// stays in registers.
func (sc *scanner) pass(s string, p int, tail uint64, c carried) (at int, x uint64, hit bool, _ carried) {
	for ; p < len(s); p += 8 {
		x = tail
		if p+8 <= len(s) {
			x = load(s, p)
		}
		if x&tops|c.letter == 0 { // less than a blank, or DEL
			c.good &= x + 0x60*ones
			c.odd |= x + ones
		} else {
			low, high := x&^tops, x&tops
			c.good &= low + 0x60*ones | x
			c.odd |= (low + ones) &^ x
			second := high &^ (x << 1)                       // 0x80 to 0xBF
			first := ^((low ^ 0x43*ones) + 0x7f*ones) & high // 0xC3: with a second, U+00C0 to U+00FF
			c.odd |= (second ^ (first<<8 | c.letter)) | (high ^ (first | second))
			c.letter = first >> 56
		}
		two := pairs(x)
		t0, t1, t2, t3 := sc.pairs[two&0xfff], sc.pairs[two>>16&0xfff], sc.pairs[two>>32&0xfff], sc.pairs[two>>48&0xfff]
		stands := c.prev<<32&t0 | t0<<32&t1 | t1<<32&t2 | t2<<32&t3
		c.prev = t3
		if stands|(t0|t1|t2|t3)&special != 0 {
			return p, x, stands != 0, c
		}
	}
	return p, x, false, c
}

// pairs are the four pairs of eight bytes, each folded to six bits, sixteen bits for
// a pair.
func pairs(x uint64) uint64 {
	six := x&(0x1f*ones) | x>>1&(0x20*ones)
	return six&0x003f003f003f003f | six>>2&0x0fc00fc00fc00fc0
}

// look compares literals with the four bytes that begin with each pair of the step
// at p but its last, and with the pair before. x are its bytes.
func (sc *scanner) look(s string, p int, x uint64, found *ruleSet) {
	two, last := pairs(x), uint64(0)
	if p > 0 {
		last = pairs(step(s, p-8)) >> 48
	}
	i := [4]uint64{two & 0xfff, two >> 16 & 0xfff, two >> 32 & 0xfff, two >> 48}
	t := [4]uint64{sc.pairs[i[0]], sc.pairs[i[1]], sc.pairs[i[2]], sc.pairs[i[3]&0xfff]}
	if in := uint32(sc.pairs[last&0xfff]) & uint32(t[0]>>32); in != 0 && p > 0 {
		sc.compare(s, p-2, uint32(last|i[0]<<12), in, found)
	}
	if in := uint32(t[0]) & uint32(t[1]>>32); in != 0 {
		sc.compare(s, p, uint32(i[0]|i[1]<<12), in, found)
	}
	if in := uint32(t[1]) & uint32(t[2]>>32); in != 0 {
		sc.compare(s, p+2, uint32(i[1]|i[2]<<12), in, found)
	}
	if in := uint32(t[2]) & uint32(t[3]>>32); in != 0 {
		sc.compare(s, p+4, uint32(i[2]|i[3]<<12), in, found)
	}
}

// compare compares the literals of the buckets with the text around s[p:], whose
// four bytes are folded in four.
func (sc *scanner) compare(s string, p int, four uint32, buckets uint32, found *ruleSet) {
	for k := range sc.known {
		x := &sc.known[k]
		if buckets&x.in == 0 {
			continue
		}
		for i := x.first[hash(four&x.mask)]; i != 0; i = x.pattern[i-1].next {
			if pt := &x.pattern[i-1]; pt.want == four&x.mask {
				sc.ask(s, p, pt, found)
			}
		}
	}
	for buckets &= sc.partly; buckets != 0; buckets &= buckets - 1 {
		in := sc.buckets[bits.TrailingZeros32(buckets)]
		for i := range in {
			if pt := &in[i]; four&pt.mask == pt.want {
				sc.ask(s, p, pt, found)
			}
		}
	}
}

// ask compares the literal of a pattern with the text, and asks the guards of its
// rules.
func (sc *scanner) ask(s string, p int, pt *pattern, found *ruleSet) {
	nd, from := &sc.nodes[pt.node], p-int(pt.off)
	if !nd.stands(s, from) {
		return
	}
	for i := range nd.rules {
		if r := &nd.rules[i]; !found.has(r.rule) && (r.guard == nil || r.guard(s, from, from+len(nd.lit))) {
			found.add(r.rule)
		}
	}
}

func (sc *scanner) text(s string) ruleSet {
	found, _ := sc.scan(s)
	return found
}

func (sc *scanner) rule(i int) *rule { return &builtin[i] }

func (sc *scanner) pieces(ps []piece) {
	var all ruleSet
	for i := range ps {
		if !ps[i].mark {
			ps[i].set = sc.text(ps[i].text)
			all.join(ps[i].set)
		}
	}
	all.meet(sc.wide)
	for i := range ps {
		if !ps[i].mark {
			ps[i].set.join(all)
		}
	}
}

func (sc *scanner) left(p *piece) {
	above := p.set
	above.meet(sc.wide)
	p.set = sc.text(p.text)
	p.set.join(above)
}
