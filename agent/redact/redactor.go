package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"

	"aval/agent/event"
)

// Options are what a session adds to the built-in rules.
type Options struct {
	// Names are those that the session knows: who supports, who is supported,
	// their accounts. The first becomes [name-1], and so on to [name-9].
	Names []string
	// Patterns are expressions (RE2) of what a company wants removed as well.
	Patterns []string
}

// Limits of what a company may add.
const (
	MaxPatterns = 256
	MaxPattern  = 256  // bytes of one
	maxProgram  = 4096 // instructions that one may compile to
)

// Redactor redacts the events of one recording in order: a password may be
// announced in one line of a chat and follow in the next. Not safe for use by
// several goroutines.
type Redactor struct {
	more []rule
	chat thread
}

// New makes a redactor. A pattern that is not allowed is an error, which names
// every one; names that are too short or too common to stand for a person are
// left out.
func New(o Options) (*Redactor, error) {
	r := &Redactor{}
	if len(o.Patterns) > MaxPatterns {
		return nil, fmt.Errorf("add rules: %d patterns, at most %d are allowed", len(o.Patterns), MaxPatterns)
	}
	var problems []error
	for _, p := range o.Patterns {
		re, err := compile(p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		r.more = append(r.more, rule{name: "company", mark: MarkCompany, re: func() *expression { return &expression{whole: re} }})
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("add rules: %w", err)
	}
	r.more = append(r.more, nameRules(o.Names)...)
	return r, nil
}

// compile checks one pattern of a company: RE2, so that its time is linear in
// the text, small when compiled, and not one that is found in every text.
func compile(p string) (*regexp.Regexp, error) {
	if p == "" || len(p) > MaxPattern {
		return nil, fmt.Errorf("pattern %q: 1 to %d bytes are allowed", p, MaxPattern)
	}
	tree, err := syntax.Parse(p, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", p, err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", p, err)
	}
	if len(prog.Inst) > maxProgram {
		return nil, fmt.Errorf("pattern %q: too large: fewer or smaller repetitions", p)
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", p, err)
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("pattern %q: it fits the empty text, and so every text", p)
	}
	return re, nil
}

// Text redacts one text outside any conversation.
func (r *Redactor) Text(s string) (string, error) {
	return limited(s, maxInput, theScanner(), r.more)
}

// Fields redacts the fields of an event of kind d. Fields that d does not know
// are dropped. Text fields are redacted and then cut to Max bytes at a
// character, never through a mark; the others lose control characters only.
// in is not changed. With an error nothing of the event may be kept.
func (r *Redactor) Fields(d event.Def, in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for _, f := range d.Fields {
		v, ok := in[f.Name]
		if !ok {
			continue
		}
		if !f.Text {
			out[f.Name] = cut(normal(capped(v)), f.Max)
			continue
		}
		var err error
		if d.Group == event.Chat {
			v, err = r.line(v, f.Max)
		} else {
			v, err = limited(v, f.Max, theScanner(), r.more)
		}
		if err != nil {
			return nil, err
		}
		out[f.Name] = v
	}
	return out, nil
}

// roles are words that name nobody, although they stand where names do.
var roles = set("root admin administrator administrador user usuario usuário guest convidado support suporte soporte helpdesk help desk técnico tecnico " +
	"technician supporter remote remoto service serviço servicio system sistema team equipe equipo the and para from com example test teste demo ti it unknown local localhost")

// nameRules finds names whole, in any case and with or without accents, and
// their parts where they are written as names.
func nameRules(names []string) []rule {
	var out []rule
	for _, name := range names {
		name = normal(capped(name))
		if len(out) == 9 {
			break
		}
		mark := fmt.Sprintf("[name-%d]", len(out)+1)
		parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		var exprs []string
		real := 0
		for _, p := range parts {
			if !roles[strings.ToLower(p)] {
				real++
			}
		}
		if real == 0 || len([]rune(name)) < 3 || strings.Trim(name, "0123456789") == "" {
			continue
		}
		var whole []string
		for _, p := range parts {
			whole = append(whole, folded(p, true))
		}
		exprs = append(exprs, strings.Join(whole, `[\s._-]*`))
		for _, p := range parts {
			if len(parts) > 1 && len([]rune(p)) >= 4 && !roles[strings.ToLower(p)] {
				exprs = append(exprs, folded(p, false))
			}
		}
		out = append(out, nameRule(mark, regexp.MustCompile(strings.Join(exprs, "|")), openingsOf(parts)))
	}
	return out
}

func nameRule(mark string, re *regexp.Regexp, begins []opening) rule {
	return rule{name: "name", mark: mark, re: func() *expression { return &expression{whole: re} }, find: func(s string) []span {
		if !mayHold(s, begins) {
			return nil
		}
		var out []span
		for _, m := range re.FindAllStringIndex(s, -1) {
			if !inWord(s, m[0], m[1]) {
				out = append(out, span{m[0], m[1], mark})
			}
		}
		return out
	}}
}

// opening are the bytes with which a part of a name can begin, in each spelling.
type opening struct{ first, second [256]bool }

func openingsOf(parts []string) (out []opening) {
	for _, p := range parts {
		var o opening
		rs := []rune(p)
		for _, r := range spellings(rs[0]) {
			f := string(r)
			o.first[f[0]] = true
			if len(f) > 1 {
				o.second[f[1]] = true
			}
		}
		if len(rs) == 1 { // anything may follow
			for c := range o.second {
				o.second[c] = true
			}
		} else {
			for _, r := range spellings(rs[1]) {
				o.second[string(r)[0]] = true
			}
		}
		out = append(out, o)
	}
	return out
}

// mayHold tells whether a word in s begins as a name does; searching a text for a
// name takes much longer.
func mayHold(s string, begins []opening) bool {
	inside := false
	for i := range len(s) {
		if !inside {
			for k := range begins {
				if begins[k].first[s[i]] && (i+1 == len(s) || begins[k].second[s[i+1]]) {
					return true
				}
			}
		}
		inside = alnum(s[i])
	}
	return false
}

// spellings are the forms of a letter with and without accents, in both cases.
func spellings(r rune) []rune {
	upper, lower := forms(r)
	return []rune(upper + lower)
}

func forms(r rune) (upper, lower string) {
	all := string(r)
	for _, group := range []string{"aàáâãäå", "cç", "eèéêë", "iìíîï", "nñ", "oòóôõöø", "uùúûü", "yýÿ"} {
		if strings.ContainsRune(group, unicode.ToLower(r)) {
			all = group
		}
	}
	return strings.ToUpper(all), strings.ToLower(all)
}

// folded is an expression for a word with or without accents: in any case, or
// beginning with a capital.
func folded(word string, anyCase bool) string {
	var b strings.Builder
	for i, r := range []rune(word) {
		upper, lower := forms(r)
		if anyCase || i > 0 {
			upper += lower
		}
		b.WriteString("[" + regexp.QuoteMeta(upper) + "]")
	}
	return b.String()
}
