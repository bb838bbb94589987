package redact

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// expression finds what a regular expression finds in a whole text, and tries
// it only where it can begin: trying each place of a text takes a hundred times
// as long as the scan.
type expression struct {
	whole *regexp.Regexp
	// solid: nothing that it finds holds a blank or is shorter than this, so that
	// it is tried on each word by itself; 0: on the text.
	solid int
	// begins is the same, from its beginning on, for places that are found here:
	// where a word begins or ends if named is not set, otherwise where the name
	// of a setting begins that holds one of the words. nil: there are none.
	begins *regexp.Regexp
	named  []string
	// dashed: it is an option of a command: a dash at the beginning of the text, or
	// behind a blank or a quote.
	dashed bool
}

// endOfToken is how expressions of gitleaks tell that a token is over: by what
// follows, or by the end of the text.
const endOfToken = "(?:[\\x60'\"\\s;]|\\\\[nr]|$)"

// named is an expression that begins with nameRun and one of the words.
func named(words []string, expr string) func() *expression {
	return sync.OnceValue(func() *expression {
		return &expression{whole: regexp.MustCompile(expr), begins: regexp.MustCompile("^(?:" + expr + ")"), named: words}
	})
}

// dashed is an expression that begins with (?:^|[\s"'])-.
func dashed(expr string) func() *expression {
	return sync.OnceValue(func() *expression {
		return &expression{whole: regexp.MustCompile(expr), begins: regexp.MustCompile("^(?:" + expr + ")"), dashed: true}
	})
}

func compiled(expr string) *expression {
	e := &expression{whole: regexp.MustCompile(expr)}
	tree, err := syntax.Parse(strings.TrimSuffix(expr, endOfToken), syntax.Perl)
	if err != nil {
		return e
	}
	n, ok := shortest(tree)
	if !ok {
		return e
	}
	e.solid = max(n, 1)
	if tree, err = syntax.Parse(expr, syntax.Perl); err == nil && tree.Op == syntax.OpConcat && tree.Sub[0].Op == syntax.OpWordBoundary {
		tree.Sub[0] = &syntax.Regexp{Op: syntax.OpBeginText}
		e.begins = regexp.MustCompile(tree.String())
	}
	return e
}

// each calls found with the places of each thing that is found, as
// FindAllStringSubmatchIndex gives them.
func (e *expression) each(s string, found func(m []int)) {
	switch {
	case e.named != nil:
		e.eachNamed(s, found)
	case e.dashed:
		e.eachDashed(s, found)
	case e.solid == 0:
		for _, m := range e.whole.FindAllStringSubmatchIndex(s, -1) {
			found(m)
		}
	default:
		for from := 0; from < len(s); {
			to := len(s)
			if i := strings.IndexByte(s[from:], ' '); i >= 0 {
				to = from + i
			}
			if to-from >= e.solid {
				e.eachIn(s[:to], from, found)
			}
			from = to + 1
		}
	}
}

// eachIn looks at the word with which s ends.
func (e *expression) eachIn(s string, from int, found func(m []int)) {
	if e.begins == nil {
		for _, m := range e.whole.FindAllStringSubmatchIndex(s[from:], -1) {
			found(moved(m, from))
		}
		return
	}
	start := from
	for p := from; len(s)-p >= e.solid; p++ {
		if (p > start && asciiWord(s[p-1])) == asciiWord(s[p]) {
			continue
		}
		if m := e.begins.FindStringSubmatchIndex(s[p:]); m != nil {
			found(moved(m, p))
			p = m[1] - 1
		}
	}
}

// eachNamed looks at each name of a setting.
func (e *expression) eachNamed(s string, found func(m []int)) {
	for p := 0; p < len(s); {
		end := p
		for end < len(s) {
			r, n := rune(s[end]), 1
			if r >= utf8.RuneSelf {
				r, n = utf8.DecodeRuneInString(s[end:])
			}
			if r < utf8.RuneSelf && !asciiWord(s[end]) && r != '.' && r != '-' || r >= utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
				if end == p {
					p += n
				}
				break
			}
			end += n
		}
		if end <= p {
			continue
		}
		if holds(s[p:end], e.named) {
			if m := e.begins.FindStringSubmatchIndex(s[p:]); m != nil {
				found(moved(m, p))
				p = m[1]
				continue
			}
		}
		p = end
	}
}

// eachDashed looks at each option.
func (e *expression) eachDashed(s string, found func(m []int)) {
	for p := 0; p < len(s); p++ {
		i := strings.IndexByte(s[p:], '-')
		if i < 0 {
			return
		}
		dash := p + i
		from := dash
		if dash > 0 {
			// Blanks as \s has them.
			if from--; from < p || strings.IndexByte(" \t\n\f\r\"'", s[from]) < 0 {
				p = dash
				continue
			}
		}
		if m := e.begins.FindStringSubmatchIndex(s[from:]); m != nil {
			found(moved(m, from))
			dash = m[1] - 1
		}
		p = dash
	}
}

// holds tells whether one of the words, lower case, stands in s.
func holds(s string, words []string) bool {
	for i := range len(s) {
		for _, w := range words {
			if s[i]|0x20 == w[0] && len(s)-i >= len(w) && foldsTo(s[i:i+len(w)], w) {
				return true
			}
		}
	}
	return false
}

// moved shifts the places themselves, in m.
func moved(m []int, by int) []int {
	for i := range m {
		if m[i] >= 0 {
			m[i] += by
		}
	}
	return m
}

// asciiWord is what \b takes for a part of a word.
func asciiWord(c byte) bool { return c == '_' || c < utf8.RuneSelf && alnum(c) }

// shortest is how many characters the shortest text has that fits, and whether
// none that fits holds a blank or depends on where the text begins or ends.
func shortest(re *syntax.Regexp) (n int, ok bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune), !slices.Contains(re.Rune, ' ')
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= ' ' && ' ' <= re.Rune[i+1] {
				return 0, false
			}
		}
		return 1, true
	case syntax.OpEmptyMatch, syntax.OpWordBoundary:
		return 0, true
	case syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		n, ok = shortest(re.Sub[0])
		switch re.Op {
		case syntax.OpStar, syntax.OpQuest:
			n = 0
		case syntax.OpRepeat:
			n *= re.Min
		}
		return n, ok
	case syntax.OpConcat, syntax.OpAlternate:
		for i, sub := range re.Sub {
			k, good := shortest(sub)
			if !good {
				return 0, false
			}
			if re.Op == syntax.OpConcat {
				n += k
			} else if i == 0 || k < n {
				n = k
			}
		}
		return n, true
	}
	return 0, false
}
