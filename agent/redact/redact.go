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
	"regexp"
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

// marksRE finds the marks in a text; what is inside one is never looked at.
var marksRE = regexp.MustCompile(`\[(?:e-mail|card|IBAN|CPF|CNPJ|PIS|CNH|título|id|phone|IP|MAC|secret|token|key|company|name-[1-9]|removed)\]`)

// ErrUnsettled: the search of a text failed or did not come to an end. Nothing
// of the text may be kept.
var ErrUnsettled = errors.New("redact: the text cannot be searched")

// Text redacts one text of any length; the result is one line without control
// characters, at most 8 KiB of the input's beginning; a text that cannot be
// searched leaves MarkRemoved. Text(Text(s)) == Text(s).
func Text(s string) string {
	out, err := limited(s, maxInput, builtin, scanned, nil)
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
		fmt.Fprintf(h, "%s\x00%s\x00%v\x00", r.name, r.mark, r.digits)
		if r.re != nil && r.find == nil {
			fmt.Fprintf(h, "%d\x00", len(r.on))
		}
	}
	for _, l := range leaks {
		fmt.Fprintf(h, "%s\x00%s\x00%v\x00", l.name, l.expr, l.words)
	}
	fmt.Fprintf(h, "%v %v %v %v", strong, weak, benign, fillers)
	sum := "2-" + hex.EncodeToString(h.Sum(nil)[:6])
	return func() string { return sum }
}()

var theScanner = newScanner(builtin)

// chooser says which rules may find something in a text, and whether any can.
type chooser func(s string) (ruleSet, bool)

// scanned is the chooser in use.
func scanned(s string) (ruleSet, bool) { return theScanner.scan(s) }

// limited redacts s with rules, of which choose picks those that can count, and
// with more, and cuts it to max bytes. A cut can make a new value out of the
// rest of a long one, so the result is looked at again until it settles.
func limited(s string, max int, rules []rule, choose chooser, more []rule) (out string, err error) {
	defer func() {
		if recover() != nil { // the value is not logged: it may be the secret
			out, err = "", ErrUnsettled
		}
	}()
	var end time.Time
	out = capped(s)
	for range maxPasses {
		n := normal(out)
		set, any := choose(n)
		if any || len(more) > 0 {
			if end.IsZero() {
				end = time.Now().Add(budget)
			}
			if n, err = pass(n, rules, set, more, end); err != nil {
				return "", err
			}
		}
		n = cut(n, max)
		if n == out {
			return out, nil
		}
		out = n
	}
	return "", ErrUnsettled
}

// pass runs every rule of the set once, and all of more.
func pass(s string, rules []rule, set ruleSet, more []rule, end time.Time) (string, error) {
	ps := split(s)
	for i := range rules {
		if !set.has(i) {
			continue
		}
		ps = rules[i].apply(ps)
	}
	if time.Now().After(end) {
		return "", ErrUnsettled
	}
	for i := range more {
		if ps = more[i].apply(ps); time.Now().After(end) {
			return "", ErrUnsettled
		}
	}
	if len(ps) == 1 {
		return ps[0].text, nil
	}
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String(), nil
}

// piece is a stretch of text; a mark is opaque to all rules.
type piece struct {
	text string
	mark bool
}

func split(s string) []piece {
	if strings.IndexByte(s, '[') < 0 {
		return []piece{{text: s}}
	}
	var ps []piece
	at := 0
	for _, m := range marksRE.FindAllStringIndex(s, -1) {
		if m[0] > at {
			ps = append(ps, piece{text: s[at:m[0]]})
		}
		ps = append(ps, piece{s[m[0]:m[1]], true})
		at = m[1]
	}
	if at < len(s) {
		ps = append(ps, piece{text: s[at:]})
	}
	return ps
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
		ps = append(ps, piece{sp.mark, true})
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
	for _, m := range marksRE.FindAllStringIndex(s, -1) {
		if m[0] < at && at < m[1] {
			at = m[0]
		}
	}
	return strings.TrimRight(s[:at], " ")
}
