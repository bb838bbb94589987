package redact

import "math/bits"

// trigger is one thing that a text must hold for a rule to be able to find
// anything: a literal, and what its surroundings must look like. The rules for
// numbers have none: figures.go looks at each run of digits for them.
type trigger struct {
	lit   string // lower case ASCII, or bytes of a letter outside it
	class class  // what some bytes of lit stand for
	// guard looks at the place of the literal, s[from:to]; nil: always. It must
	// be true wherever the rule can find something; where it is true for nothing
	// only time is lost.
	guard func(s string, from, to int) bool
	// anywhere: the literal counts for every stretch of the text, not only for
	// the one between two marks in which it stands.
	anywhere bool
}

// class says what a byte of a literal stands for.
type class uint8

const (
	itself     class = iota
	hexDigits        // 0 for any hexadecimal digit
	hexLetters       // a for any letter that is one
)

// values are the bytes, in lower case, that the one of a literal stands for.
func (k class) values(c string) string {
	switch {
	case k == hexDigits && c == "0":
		return "0123456789abcdef"
	case k == hexLetters && c == "a":
		return "abcdef"
	}
	return c
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
const maxRules = 320

type ruleSet [maxRules / 64]uint64

func (r *ruleSet) has(i int) bool { return r[i/64]&(1<<(i%64)) != 0 }
func (r *ruleSet) add(i int)      { r[i/64] |= 1 << (i % 64) }
func (r *ruleSet) drop(i int)     { r[i/64] &^= 1 << (i % 64) }
func (r *ruleSet) empty() bool    { return *r == ruleSet{} }
func (r *ruleSet) join(o ruleSet) {
	for i := range r {
		r[i] |= o[i]
	}
}

func (r *ruleSet) meet(o ruleSet) {
	for i := range r {
		r[i] &= o[i]
	}
}

// next is the first rule of the set that is not before i, or -1.
func (r *ruleSet) next(i int) int {
	for w := i / 64; w < len(r); w, i = w+1, 0 {
		if left := r[w] >> (i % 64); left != 0 {
			return w*64 + i%64 + bits.TrailingZeros64(left)
		}
	}
	return -1
}
