package redact

import (
	"math/bits"
	"slices"
	"strings"
)

// trigger is one thing that a text must hold for a rule to be able to find
// anything: a literal and what its surroundings must look like.
//
// A guard looks only at what lies within the rule's own match: a text is cut at
// marks before later rules see it, and what stood beside the match is then gone.
type trigger struct {
	lit string // lower case ASCII
	// digits: a 0 in lit stands for any digit; hexes: for any hexadecimal one.
	digits, hexes bool
	// guard looks at the place of the literal, s[from:to]; nil: always.
	guard func(s string, from, to int) bool
}

func lits(words ...string) []trigger { return guarded(nil, words...) }

func guarded(g func(s string, from, to int) bool, words ...string) []trigger {
	var ts []trigger
	for _, w := range words {
		ts = append(ts, trigger{lit: w, guard: g})
	}
	return ts
}

// maxRules bounds the rules that a set of bits can name.
const maxRules = 384

type ruleSet [maxRules / 64]uint64

func (r *ruleSet) has(i int) bool { return r[i/64]&(1<<(i%64)) != 0 }
func (r *ruleSet) add(i int)      { r[i/64] |= 1 << (i % 64) }

// scanner looks for the triggers of all rules in one pass. Every three bytes of
// the text, folded to 64 classes, are looked up in a map of bits; the few that
// stand in a literal are compared with it, and then its guard is asked.
type scanner struct {
	begins [1 << 12]uint64 // bit for each three classes
	before [1 << 12]uint16 // how many bits stand in the words before
	first  []uint16        // for each bit that is set: where its literals begin in list
	list   []uint16        // indexes into nodes
	nodes  []node
	// counted are the rules that only need digits, by how many.
	counted []int
	least   int // the fewest digits that one of them needs
}

type node struct {
	trigger
	at    int // where in the literal the three bytes stand that are looked up
	rules []guardedRule
}

type guardedRule struct {
	guard func(s string, from, to int) bool
	rule  int
}

// class folds a byte to 0..63 and tells by bit 6 whether it is a digit.
var class = func() (m [256]uint8) {
	for i := range m {
		switch c := byte(i); {
		case 'a' <= c && c <= 'z':
			m[i] = 1 + c - 'a'
		case 'A' <= c && c <= 'Z':
			m[i] = 1 + c - 'A'
		case '0' <= c && c <= '9':
			m[i] = 27 + c - '0' | 64
		case c >= 0x80:
			m[i] = 63
		case c <= ' ':
			m[i] = 37
		default:
			m[i] = 62
		}
	}
	for i, c := range []byte(`-_./:=+@~<([{"'|\%`) {
		m[c] = uint8(38 + i)
	}
	return m
}()

func newScanner(rules []rule) *scanner {
	sc := &scanner{least: 1 << 30}
	byLit := map[string]int{}
	for i, r := range rules {
		for _, t := range r.on {
			key := t.lit
			if t.digits || t.hexes {
				key += "\x00"
				if t.hexes {
					key += "x"
				}
			}
			n, ok := byLit[key]
			if !ok {
				n = len(sc.nodes)
				byLit[key] = n
				sc.nodes = append(sc.nodes, node{trigger: trigger{lit: t.lit, digits: t.digits, hexes: t.hexes}})
			}
			sc.nodes[n].rules = append(sc.nodes[n].rules, guardedRule{t.guard, i})
		}
		if len(r.on) == 0 {
			sc.counted = append(sc.counted, i)
			sc.least = min(sc.least, r.digits)
		}
	}
	for n := range sc.nodes {
		sc.nodes[n].at = sc.nodes[n].rarest()
	}
	byStart := map[int][]uint16{}
	for n, nd := range sc.nodes {
		for _, start := range nd.starts() {
			byStart[start] = append(byStart[start], uint16(n))
		}
	}
	starts := make([]int, 0, len(byStart))
	for s := range byStart {
		starts = append(starts, s)
	}
	slices.Sort(starts)
	for _, s := range starts {
		sc.begins[s>>6] |= 1 << (s & 63)
		sc.first = append(sc.first, uint16(len(sc.list)))
		sc.list = append(sc.list, byStart[s]...)
	}
	sc.first = append(sc.first, uint16(len(sc.list)))
	sum := 0
	for w, b := range sc.begins {
		sc.before[w] = uint16(sum)
		sum += bits.OnesCount64(b)
	}
	return sc
}

// frequent are letters and signs by how often they stand in ordinary text, the
// most frequent last.
const frequent = "zjkwyxqv0/:gbfh.p-mcultdinrsaoe "

// rarest is where the three bytes of the literal stand that are rarest in
// ordinary text: "password" is looked for by "ssw", not by "pas".
func (n node) rarest() int {
	best, least := 0, 1<<30
	for i := 0; i+3 <= len(n.lit); i++ {
		sum := 0
		for _, c := range []byte(n.lit[i : i+3]) {
			sum += 1 + strings.IndexByte(frequent, c)
		}
		if sum < least {
			best, least = i, sum
		}
	}
	return best
}

// starts are the three classes by which the literal is looked up; a shorter one
// has everything that can follow it.
func (n node) starts() []int {
	at := func(i int) []int {
		i += n.at
		if i >= len(n.lit) {
			all := make([]int, 64)
			for c := range all {
				all[c] = c
			}
			return all
		}
		if c := n.lit[i]; c != '0' || !n.digits && !n.hexes {
			return []int{int(class[c] & 63)}
		}
		var some []int
		for c := byte('0'); c <= '9'; c++ {
			some = append(some, int(class[c]&63))
		}
		for c := byte('a'); n.hexes && c <= 'f'; c++ {
			some = append(some, int(class[c]&63))
		}
		return some
	}
	var out []int
	for _, a := range at(0) {
		for _, b := range at(1) {
			for _, c := range at(2) {
				out = append(out, a<<12|b<<6|c)
			}
		}
	}
	return out
}

// stands tells whether the literal stands at s[i:].
func (n *node) stands(s string, i int) bool {
	if i < 0 || len(s)-i < len(n.lit) {
		return false
	}
	for k := range len(n.lit) {
		c, w := s[i+k], n.lit[k]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != w && !(w == '0' && (n.digits && '0' <= c && c <= '9' || n.hexes && hexDigit(c))) {
			return false
		}
	}
	return true
}

// scan returns the rules that may find something in s, and whether there is any.
func (sc *scanner) scan(s string) (found ruleSet, any bool) {
	idx, digits := uint32(0), 0
	for i := range len(s) {
		c := class[s[i]]
		digits += int(c >> 6)
		idx = (idx<<6 | uint32(c&63)) & (1<<18 - 1)
		if sc.begins[idx>>6]&(1<<(idx&63)) != 0 && i >= 2 {
			any = sc.look(s, i-2, idx, &found) || any
		}
	}
	for i := max(len(s)-2, 0); i < len(s); i++ { // what begins in the last two bytes
		idx = uint32(class[s[i]]&63) << 12
		if i+1 < len(s) {
			idx |= uint32(class[s[i+1]]&63) << 6
		}
		if sc.begins[idx>>6]&(1<<(idx&63)) != 0 {
			any = sc.look(s, i, idx, &found) || any
		}
	}
	if digits >= sc.least {
		for _, r := range sc.counted {
			if digits >= builtin[r].digits {
				found.add(r)
				any = true
			}
		}
	}
	return found, any
}

// look compares the literals that are looked up by idx with the text around s[i:].
func (sc *scanner) look(s string, i int, idx uint32, found *ruleSet) (any bool) {
	w := idx >> 6
	k := int(sc.before[w]) + bits.OnesCount64(sc.begins[w]&(1<<(idx&63)-1))
	for _, n := range sc.list[sc.first[k]:sc.first[k+1]] {
		nd := &sc.nodes[n]
		from := i - nd.at
		if !nd.stands(s, from) {
			continue
		}
		for _, r := range nd.rules {
			if !found.has(r.rule) && (r.guard == nil || r.guard(s, from, from+len(nd.lit))) {
				found.add(r.rule)
				any = true
			}
		}
	}
	return any
}

// The guards.

// run: n bytes follow that can be part of a token.
func run(n int) func(s string, from, to int) bool {
	return func(s string, _, to int) bool {
		if len(s)-to < n {
			return false
		}
		for _, c := range []byte(s[to : to+n]) {
			if c <= ' ' || c >= 0x80 || c == '"' || c == '\'' || c == '`' || c == ';' {
				return false
			}
		}
		return true
	}
}

// upperRun: as run, and the literal is in capitals.
func upperRun(n int) func(s string, from, to int) bool {
	follows := run(n)
	return func(s string, from, to int) bool {
		return strings.ToUpper(s[from:to]) == s[from:to] && follows(s, from, to)
	}
}

// nameByte: a byte of a setting's name.
func nameByte(c byte) bool { return wordByte(c) || c == '_' || c == '-' }

// option: the word that ends with the literal has a dash in front of it.
func option(s string, from, _ int) bool {
	for i := from - 1; i >= 0 && nameByte(s[i]); i-- {
		if s[i] == '-' {
			return true
		}
	}
	return false
}

// assigned: a colon or an equals sign follows the name.
func assigned(s string, _, to int) bool {
	for to < len(s) && nameByte(s[to]) {
		if strings.HasPrefix(s[to:], "→") {
			return true
		}
		to++
	}
	if to < len(s) && (s[to] == '"' || s[to] == '\'') {
		to++
	}
	if to < len(s) && s[to] == ' ' {
		to++
	}
	return to < len(s) && (s[to] == ':' || s[to] == '=' || s[to] == '>' || s[to] == '-' || strings.HasPrefix(s[to:], "→"))
}

// valued: what gitleaks's rules of the form "name, operator, value" need after
// the name: at most 64 bytes of name, blanks and quotes, an operator, and within
// 40 bytes eight that can be a value.
func valued(s string, _, to int) bool {
	end := min(len(s), to+64)
	for to < end && (wordByte(s[to]) && s[to] < 0x80 || strings.IndexByte("_.- '\"", s[to]) >= 0) {
		to++
	}
	if to == len(s) || strings.IndexByte("=>:|?,", s[to]) < 0 {
		return false
	}
	n := 0
	for _, c := range []byte(s[to+1 : min(len(s), to+41)]) {
		if n++; c <= ' ' || c >= 0x80 || c == '"' || c == '\'' || c == '`' {
			n = 0
		}
		if n == 8 {
			return true
		}
	}
	return false
}

// atLater: an @ follows.
func atLater(s string, _, to int) bool { return strings.IndexByte(s[to:], '@') >= 0 }

// dotLater: what follows is a word and then a dot, or the word for one.
func dotLater(s string, _, to int) bool {
	for to < len(s) && strings.IndexByte(" )]", s[to]) >= 0 {
		to++
	}
	for to < len(s) && (wordByte(s[to]) || s[to] == '-') {
		to++
	}
	rest := lower(strings.TrimPrefix(s[to:min(len(s), to+10)], " "))
	for _, dot := range []string{".", "(", "[", "dot ", "ponto ", "punto "} {
		if strings.HasPrefix(rest, dot) {
			return true
		}
	}
	return false
}

// optionLater: one of the options that take a user, a password or a header follows.
func optionLater(s string, _, to int) bool {
	for {
		i := strings.Index(s[to:], " -")
		if i < 0 {
			return false
		}
		to += i + 2
		if to < len(s) && (s[to] == 'u' || s[to] == 'U' || s[to] == 'a' || s[to] == 'H' || s[to] == '-') {
			return true
		}
	}
}

// dashLater: an option of any sort follows.
func dashLater(s string, _, to int) bool { return strings.Contains(s[to:], " -") }

// aWord: the literal ends a word, or all but its plural.
func aWord(s string, _, to int) bool {
	if to < len(s) && (s[to] == 's' || s[to] == 'S') {
		to++
	}
	return to == len(s) || !wordByte(s[to]) || s[to] >= 0x80
}

// macHere: a hardware address around its first separator.
func macHere(s string, from, _ int) bool {
	return from >= 1 && macForm(s, from-1) > 0 || from >= 3 && macForm(s, from-3) > 0
}

// colons: so many colons follow that it can be an address written out.
func colons(s string, from, _ int) bool {
	n := 0
	for i := from; i < len(s) && (hexDigit(s[i]) || s[i] == ':' || s[i] == '.'); i++ {
		if s[i] == ':' {
			n++
		}
	}
	return n >= 6
}

// dots: three dots between digits follow.
func dots(s string, from, _ int) bool {
	n := 0
	for i := from; i < len(s) && (s[i] == '.' || '0' <= s[i] && s[i] <= '9'); i++ {
		if s[i] == '.' {
			n++
		}
	}
	return n >= 3
}
