// Package redact takes out of captured text what nobody should read in a
// summary: numbers that identify people, cards, addresses, passwords, tokens and
// keys, and the names that a session itself knows.
//
// It is a leaf and does its work on this computer alone, before anything is
// stored. The one rule that must not be broken: when in doubt the text goes, not
// the secret. A panic or a text that does not settle costs the whole text, and
// the event that it belongs to is dropped and counted. Rules may be added to
// the built-in ones; nothing takes one away.
//
// What it recognises, how often it fails and what it does not try to recognise
// is measured in docs/redaction.md.
package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The marks that stand where something was removed. They are the same in every
// language, so that a record reads the same everywhere.
const (
	MarkEmail   = "[e-mail]"
	MarkCard    = "[card]"
	MarkIBAN    = "[IBAN]"
	MarkCPF     = "[CPF]"
	MarkCNPJ    = "[CNPJ]"
	MarkPIS     = "[PIS]"
	MarkCNH     = "[CNH]"
	MarkTitulo  = "[título]"
	MarkID      = "[id]" // a national identifier of another country
	MarkPhone   = "[phone]"
	MarkIP      = "[IP]"
	MarkMAC     = "[MAC]"
	MarkSecret  = "[secret]"
	MarkToken   = "[token]"
	MarkKey     = "[key]"
	MarkCompany = "[company]" // a rule that the company added
	MarkRemoved = "[removed]" // the whole text was dropped
)

const (
	// maxInput is how much of a text is looked at, in bytes; what is longer is
	// cut before redaction, so that no text costs more than a bounded time.
	maxInput = 8 << 10
	// budget is how long one text may take. Every rule is linear and a text is
	// short, so that only a computer at a standstill gets there.
	budget = 2 * time.Second
	// maxPasses bounds the search for the fixed point that makes a second
	// redaction change nothing.
	maxPasses = 6
)

// allMarks are the marks that can stand in a text, those of names apart.
var allMarks = []string{MarkEmail, MarkCard, MarkIBAN, MarkCPF, MarkCNPJ, MarkPIS, MarkCNH, MarkTitulo, MarkID, MarkPhone, MarkIP, MarkMAC,
	MarkSecret, MarkToken, MarkKey, MarkCompany, MarkRemoved}

// nextMark finds the first mark in s that does not begin before from; what is
// inside one is never looked at. Without any, at is negative.
func nextMark(s string, from int) (at, end int) {
	for {
		i := strings.IndexByte(s[from:], '[')
		if i < 0 {
			return -1, -1
		}
		at = from + i
		for _, m := range allMarks {
			if strings.HasPrefix(s[at:], m) {
				return at, at + len(m)
			}
		}
		if n := len("[name-1]"); strings.HasPrefix(s[at:], "[name-") && len(s) >= at+n && '1' <= s[at+n-2] && s[at+n-2] <= '9' && s[at+n-1] == ']' {
			return at, at + n
		}
		from = at + 1
	}
}

// ErrUnsettled: the search of a text failed or did not come to an end. Nothing
// of the text may be kept.
var ErrUnsettled = errors.New("redact: the text cannot be searched")

// Text redacts one text of any length; the result is one line without control
// characters, at most 8 KiB of the input's beginning; a text that cannot be
// searched leaves MarkRemoved. Text(Text(s)) == Text(s).
func Text(s string) string {
	out, err := limited(s, maxInput, theScanner(), nil)
	if err != nil {
		return MarkRemoved
	}
	return out
}

// Profile names the built-in rules in force: it changes whenever a rule does,
// and goes into records so that it can be told later what was removed.
func Profile() string { return profile() }

var profile = func() func() string {
	h := sha256.New()
	for _, r := range ownRules {
		fmt.Fprintf(h, "%s\x00%s\x00", r.name, r.mark)
		if r.re != nil && r.find == nil {
			fmt.Fprintf(h, "%d\x00", len(r.on))
		}
	}
	for _, l := range leaks {
		fmt.Fprintf(h, "%s\x00%s\x00%v\x00", l.name, l.expr, l.words)
	}
	fmt.Fprintf(h, "%v", vocabulary)
	sum := "2-" + hex.EncodeToString(h.Sum(nil)[:6])
	return func() string { return sum }
}()

// chooser says which rules may find something.
type chooser interface {
	// text chooses for a text without marks.
	text(s string) ruleSet
	// pieces chooses for each piece of a text.
	pieces(ps []piece)
	// left chooses for what is left of a piece beside a mark.
	left(p *piece)
	// rule is number i of the built-in ones.
	rule(i int) *rule
}

// limited redacts s with the built-in rules, of which choose picks those that
// can count, and with more, and cuts it to max bytes. A cut can make a new value
// out of the rest of a long one, so the result is looked at again until it settles.
func limited(s string, max int, choose chooser, more []rule) (out string, err error) {
	defer func() {
		if recover() != nil { // the value is not logged: it may be the secret
			out, err = "", ErrUnsettled
		}
	}()
	sc, ok := choose.(*scanner)
	if !ok || len(s) > min(max, maxInput) {
		return settled(s, max, choose, more, ruleSet{}, false)
	}
	set, usual := sc.scan(s)
	if usual = usual || plain(s) && strings.IndexByte(s, '[') < 0; usual && len(more) == 0 && set.empty() {
		return s, nil // most texts
	}
	return settled(s, max, choose, more, set, usual)
}

// settled does the work of limited. scanned: set was chosen already, and s is in its
// normal form and holds no mark.
func settled(s string, max int, choose chooser, more []rule, set ruleSet, scanned bool) (out string, err error) {
	var end time.Time
	out = capped(s)
	for range maxPasses {
		n := normal(out)
		marked := strings.IndexByte(n, '[') >= 0
		if !scanned {
			set = ruleSet{}
			if !marked {
				set = choose.text(n)
			}
		}
		scanned = false
		settled := true
		if marked || !set.empty() || len(more) > 0 {
			if end.IsZero() {
				end = time.Now().Add(budget)
			}
			ps := []piece{{text: n, set: set}}
			if marked {
				ps = split(n)
				choose.pieces(ps)
			}
			if n, settled, err = pass(ps, choose, more, end); err != nil {
				return "", err
			}
		}
		n = cut(n, max)
		if n == out || settled && normal(n) == n && len(n) < max {
			return n, nil
		}
		out = n
	}
	return "", ErrUnsettled
}

// pass runs every rule that was chosen once, and all of more. It is settled if
// no rule is left that could find something in a second pass.
func pass(ps []piece, choose chooser, more []rule, end time.Time) (out string, settled bool, err error) {
	var all ruleSet
	for i := range ps {
		all.join(ps[i].set)
	}
	for i := all.next(0); i >= 0; i = all.next(i + 1) {
		ps, _ = choose.rule(i).apply(ps, func(p *piece) bool {
			has := p.set.has(i)
			p.set.drop(i) // what it finds nothing in now it will find nothing in later
			return has
		}, func(p *piece) {
			p.set.add(i)
			choose.left(p)
			all.join(p.set)
		})
	}
	if time.Now().After(end) {
		return "", false, ErrUnsettled
	}
	settled = true
	for i := range ps {
		settled = settled && ps[i].set.empty()
	}
	for i := range more {
		var found bool
		ps, found = more[i].apply(ps, func(*piece) bool { return true }, func(*piece) {})
		settled = settled && !found
		if time.Now().After(end) {
			return "", false, ErrUnsettled
		}
	}
	if len(ps) == 1 {
		return ps[0].text, settled, nil
	}
	var b strings.Builder
	size := 0
	for i := range ps {
		size += len(ps[i].text)
	}
	b.Grow(size)
	for i := range ps {
		b.WriteString(ps[i].text)
	}
	return b.String(), settled, nil
}

// piece is a stretch of text; a mark is opaque to all rules.
type piece struct {
	text string
	mark bool
	set  ruleSet // the rules that may find something in it
}

// split parts a text from the marks in it.
func split(s string) (ps []piece) {
	at := 0
	for i, end := nextMark(s, 0); i >= 0; i, end = nextMark(s, end) {
		if i > at {
			ps = append(ps, piece{text: s[at:i]})
		}
		ps = append(ps, piece{text: s[i:end], mark: true})
		at = end
	}
	if at < len(s) {
		ps = append(ps, piece{text: s[at:]})
	}
	return ps
}

// apply runs the rule over the pieces for which it was chosen; left is called
// for each piece of text that is left beside what it removed.
func (r *rule) apply(ps []piece, chosen func(*piece) bool, left func(*piece)) (_ []piece, found bool) {
	for i := 0; i < len(ps); i++ {
		if ps[i].mark || !chosen(&ps[i]) {
			continue
		}
		spans := r.spans(ps[i].text)
		if len(spans) == 0 {
			continue
		}
		found = true
		next := replaced(ps[i].text, spans)
		for k := range next {
			if !next[k].mark {
				next[k].set = ps[i].set
				left(&next[k])
			}
		}
		ps = slices.Replace(ps, i, i+1, next...)
		i += len(next) - 1
	}
	return ps, found
}

// span is what a rule wants removed: bytes from to, and the mark that stays.
type span struct {
	from, to int
	mark     string
}

// replaced puts the marks in place; spans are ascending and do not overlap.
func replaced(s string, spans []span) []piece {
	var ps []piece
	at := 0
	for _, sp := range spans {
		if sp.from < at {
			continue
		}
		if sp.from > at {
			ps = append(ps, piece{text: s[at:sp.from]})
		}
		ps = append(ps, piece{text: sp.mark, mark: true})
		at = sp.to
	}
	if at < len(s) {
		ps = append(ps, piece{text: s[at:]})
	}
	return ps
}

// capped cuts over-long input. The last word, and digits before it, go too:
// half a secret is not recognised as one.
func capped(s string) string {
	if len(s) <= maxInput {
		return s
	}
	s = cut(s, maxInput)
	if i := strings.LastIndexAny(s, " \t\r\n"); i >= 0 {
		s = s[:i]
	} else {
		return MarkRemoved // one word of 8 KiB
	}
	return strings.TrimRight(s, "0123456789 .-_/\t\r\n")
}

// cut shortens s to at most max bytes at a character and not within a mark.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	at := max
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	for i, end := nextMark(s, 0); i >= 0 && i < at; i, end = nextMark(s, end) {
		if at < end {
			at = i
		}
	}
	return strings.TrimRight(s[:at], " ")
}
