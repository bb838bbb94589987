package redact

import (
	"math/rand/v2"
	"os"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plainly is the plain way, against which the scan is tested: no trigger and no
// guard; every rule whose words the text holds looks at all of it, and an
// expression is tried at each place.
type plainly struct{}

func (plainly) text(s string) ruleSet {
	var set ruleSet
	low := lower(s)
	for i, r := range builtin {
		wanted := len(r.only) == 0
		for _, w := range r.only {
			wanted = wanted || strings.Contains(low, w)
		}
		if wanted {
			set.add(i)
		}
	}
	return set
}

func (p plainly) pieces(ps []piece) {
	whole := ""
	for _, p := range ps {
		whole += p.text
	}
	set := p.text(whole)
	for i := range ps {
		ps[i].set = set
	}
}

func (plainly) left(*piece) {}

func (plainly) rule(i int) *rule { return &plainRules[i] }

var plainRules = func() []rule {
	rules := slices.Clone(builtin)
	for i := range rules {
		if re := rules[i].re; re != nil {
			rules[i].re = func() *expression { return &expression{whole: re().whole} }
		}
	}
	return rules
}()

// same fails when the scan missed a rule that would have found something, or took
// a text for usual that is not. (Without the brackets around each of the two halves
// of what it says of letters outside ASCII, FuzzScan finds a byte at once.)
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string) {
	t.Helper()
	if _, usual := theScanner().scan(s); usual && (normal(s) != s || strings.Contains(s, "[")) {
		t.Fatalf("%q is taken for usual", s)
	}
	redacted := func(choose chooser) (out string, err error) {
		for range 5 { // a computer at a standstill gets to the end of the budget
			if out, err = limited(s, maxInput, choose, nil); err == nil {
				break
			}
		}
		return out, err
	}
	fast, err1 := redacted(theScanner())
	slow, err2 := redacted(plainly{})
	if fast != slow || (err1 == nil) != (err2 == nil) {
		t.Fatalf("text  %q\nfast  %q %v\nplain %q %v", s, fast, err1, slow, err2)
	}
}

// fitting writes a random text that fits an expression, by walking through it.
func fitting(r *rand.Rand, re *syntax.Regexp) string {
	var b strings.Builder
	var walk func(re *syntax.Regexp)
	times := func(lo, hi int, re *syntax.Regexp) {
		if hi < 0 || hi > lo+8 {
			hi = lo + 8
		}
		for range lo + r.IntN(hi-lo+1) {
			walk(re)
		}
	}
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			for _, c := range re.Rune {
				if s := string(c); re.Flags&syntax.FoldCase != 0 && r.IntN(2) == 0 {
					b.WriteString(strings.ToUpper(s))
				} else {
					b.WriteString(s)
				}
			}
		case syntax.OpCharClass:
			c := rune(0)
			for c < ' ' || c > 0x250 { // what can be typed
				i := r.IntN(len(re.Rune)/2) * 2
				lo, hi := re.Rune[i], min(re.Rune[i+1], 0x7e)
				if c = lo; lo < hi {
					c += rune(r.IntN(int(hi-lo) + 1))
				}
				if r.IntN(1000) == 0 {
					c = ' '
				}
			}
			b.WriteRune(c)
		case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			b.WriteByte(" ax9-:=\"'/"[r.IntN(10)])
		case syntax.OpCapture, syntax.OpConcat:
			for _, sub := range re.Sub {
				walk(sub)
			}
		case syntax.OpAlternate:
			walk(re.Sub[r.IntN(len(re.Sub))])
		case syntax.OpStar:
			times(0, -1, re.Sub[0])
		case syntax.OpPlus:
			times(1, -1, re.Sub[0])
		case syntax.OpQuest:
			times(0, 1, re.Sub[0])
		case syntax.OpRepeat:
			times(re.Min, re.Max, re.Sub[0])
		}
	}
	walk(re)
	return b.String()
}

// TestScanMissesNothing writes texts that fit the expressions of every rule, in
// ordinary and in hostile surroundings, and lets the scan and the plain rules
// redact them. (A guard of run(40) instead of run(6) fails within a second, and
// so does a scan that leaves out the last step.)
func TestScanMissesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	around := []string{"", " ", "abc ", "senha ", "x=", "\"", "é", "12 ", "-", "(", "ghp_0123456789abcdefghijABCDEFGHIJ012345", "a@b.co", "10.0.0.1 "}
	per := 25
	if testing.Short() {
		per = 8
	}
	for _, rule := range builtin {
		if rule.re == nil {
			continue
		}
		tree, err := syntax.Parse(rule.re().whole.String(), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for range per {
			text := fitting(r, tree)
			if len(rule.only) > 0 && r.IntN(2) == 0 {
				text = rule.only[r.IntN(len(rule.only))] + " " + text
			}
			if rule.re().whole.MatchString(normal(text)) {
				found++
			}
			same(t, around[r.IntN(len(around))]+text+around[r.IntN(len(around))])
		}
		if found == 0 {
			t.Errorf("%s: no text fits its own expression", rule.name)
		}
	}
}

// TestEveryPlace: the pass sees each literal, and what makes a text unusual, wherever
// among its steps they stand, at the end too. (Planted, each seen to fail: without the
// look behind the last step; without the blank before a step.)
func TestEveryPlace(t *testing.T) {
	all := theScanner().nodes
	for part := range slices.Chunk(all, maxRules-1) {
		var rules []rule
		for _, n := range part {
			rules = append(rules, rule{on: []trigger{{lit: n.lit, class: n.class}}})
		}
		sc := newScanner(rules)
		for i, n := range part {
			for before := range 17 {
				for _, after := range []string{"", "y", "yyyyyyyyy"} {
					text := strings.Repeat("x", before) + n.lit + after
					if found, _ := sc.scan(text); !found.has(i) {
						t.Fatalf("%q: %q is not seen", text, n.lit)
					}
				}
			}
		}
	}
	for _, odd := range []string{"  ", "[", "\t", "\x7f", "\xc3", "\xa0", "\u00ad", " \n"} {
		for before := range 25 {
			for after := range 10 {
				text := strings.Repeat("x", before) + odd + strings.Repeat("y", after)
				if _, usual := theScanner().scan(text); usual {
					t.Fatalf("%q is taken for usual", text)
				}
			}
		}
	}
}

// TestNetworks: hardware and IPv6 addresses of digits, of letters and of both, beside
// what looks like more of them. (Planted, each seen to fail: without the look around
// digits; without the triggers of letters.)
func TestNetworks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	found := 0
	for range 600 {
		hex := []string{"0123456789", "abcdefABCDEF", "0123456789abcdef", "abcdef5"}[r.IntN(4)]
		some := func(n int) string {
			var b strings.Builder
			for range n {
				b.WriteByte(hex[r.IntN(len(hex))])
			}
			return b.String()
		}
		var parts []string
		sep, most := []string{":", "-", ".", ":"}[r.IntN(4)], r.IntN(3)
		for range []int{6, 3, 8}[most] {
			parts = append(parts, some([]int{2, 4, 1 + r.IntN(4)}[most]))
		}
		around := []string{"", " ", "-", ".", ":", "x", "e-", "1 ", "a.", "em ", "("}
		text := around[r.IntN(len(around))] + strings.Join(parts, sep) + around[r.IntN(len(around))]
		same(t, text)
		if s := Text(text); strings.Contains(s, MarkMAC) || strings.Contains(s, MarkIP) {
			found++
		}
	}
	if found < 100 {
		t.Fatalf("only %d addresses", found)
	}
}

// TestWordsStandInside: what a rule of gitleaks finds holds one of its words, so
// that the word is looked for in each stretch between marks by itself, unless
// the rule is known as one whose word stands elsewhere. (Without
// facebook-access-token in that list it fails.)
func TestWordsStandInside(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, l := range leaks {
		re := regexp.MustCompile(l.expr)
		tree, err := syntax.Parse(l.expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			m := re.FindString(normal(fitting(r, tree)))
			if m != "" && !wide[l.name] && !slices.ContainsFunc(l.words, func(w string) bool { return strings.Contains(lower(m), w) }) {
				t.Errorf("%s: %q holds none of %q", l.name, m, l.words)
			}
		}
	}
}

// bits of text in which every rule finds something, to be put together.
var fragments = append(strings.Split(strings.TrimSpace(func() string {
	raw, err := os.ReadFile("testdata/fragments.txt")
	if err != nil {
		panic(err)
	}
	return string(raw)
}()), "\n"), " ", " ", " ", ":", "=", "-", "\"", "'", "é", ".", ",", "@", "\n", "\u200b", "0", "1", "4", "l", "O", "+", "(", ")")

// TestScanOnFragments: the same on what is put together out of pieces.
func TestScanOnFragments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		same(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(fragments), 0, 14).Draw(t, "fragments"), ""))
	})
}

func FuzzScan(f *testing.F) {
	for _, s := range fragments {
		f.Add(s)
	}
	f.Add("minha senha é Gato2024 e o cartão 4111-1111-1111-1111, tel (11) 91234-5678")
	f.Add("\x89") // the second byte of a letter alone
	f.Fuzz(func(t *testing.T, s string) { same(t, s[:min(len(s), 600)]) })
}
