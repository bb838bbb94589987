// Package redact takes secrets out of captured text before anything is stored:
// payment cards, e-mail addresses, CPF and CNPJ, passwords, tokens and keys.
//
// It is a leaf and does its work on this computer alone. The one rule that must
// not be broken: when in doubt the text goes, not the secret. A panic, a text
// that does not settle or more than 50 ms of work leave the mark [removed] and
// nothing else.
//
// What it recognises and what it cannot is in docs/remote-tools.md; names,
// addresses and telephone numbers are not recognised. A number of 13 to 19
// digits that is no card passes Luhn's check one time in ten, one of 11 digits
// passes that of a CPF one time in a hundred: those are removed too.
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

	"aval/agent/event"
)

// The marks that stand where something was removed. They are the same in every
// language, so that a record reads the same everywhere.
const (
	MarkEmail   = "[e-mail]"
	MarkCard    = "[card]"
	MarkCPF     = "[CPF]"
	MarkCNPJ    = "[CNPJ]"
	MarkSecret  = "[secret]"
	MarkToken   = "[token]"
	MarkKey     = "[key]"
	MarkRemoved = "[removed]" // the whole text was dropped
)

const (
	// maxInput is how much of a text is looked at, in bytes; what is longer is
	// cut before redaction, so that no text costs more than a bounded time.
	maxInput = 8 << 10
	// budget is how long one text may take.
	budget = 50 * time.Millisecond
	// maxPasses bounds the search for the fixed point that makes a second
	// redaction change nothing.
	maxPasses = 4
)

// marksRE finds the marks in a text; what is inside one is never looked at.
var marksRE = regexp.MustCompile(`\[(?:e-mail|card|CPF|CNPJ|secret|token|key|removed)\]`)

var errUnsettled = errors.New("text does not settle")

// Fields redacts the fields of an event of kind d. Fields that d does not know
// are dropped. Text fields are redacted and then cut to Max bytes at a
// character, never through a mark; the others lose control characters only.
// in is not changed.
func Fields(d event.Def, in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for _, f := range d.Fields {
		v, ok := in[f.Name]
		if !ok {
			continue
		}
		if f.Text {
			out[f.Name] = limited(v, f.Max, rules)
		} else {
			out[f.Name] = cut(normal(capped(v)), f.Max)
		}
	}
	return out
}

// Text redacts one text of any length; the result is one line without control
// characters, at most 8 KiB of the input's beginning. Text(Text(s)) == Text(s).
func Text(s string) string { return limited(s, maxInput, rules) }

// Profile names the rules in force: it changes whenever a rule does, and goes
// into records so that it can be told later what was removed.
func Profile() string { return profile }

var profile = func() string {
	h := sha256.New()
	for _, r := range rules {
		fmt.Fprintf(h, "%s\x00%s\x00%v\x00", r.name, r.mark, r.re)
	}
	fmt.Fprintf(h, "%v %v %v %v", strong, weak, benign, fillers)
	return "1-" + hex.EncodeToString(h.Sum(nil)[:6])
}()

// limited redacts s and cuts it to max bytes. A cut can make a new value out of
// the rest of a long one, so the result is looked at again until it settles.
func limited(s string, max int, rules []rule) (out string) {
	defer func() {
		if recover() != nil { // the value is not logged: it may be the secret
			out = cut(MarkRemoved, max)
		}
	}()
	end := time.Now().Add(budget)
	out = capped(s)
	for range maxPasses {
		next, err := pass(out, rules, end)
		if err != nil {
			return cut(MarkRemoved, max)
		}
		next = cut(next, max)
		if next == out {
			return out
		}
		out = next
	}
	return cut(MarkRemoved, max)
}

// pass runs every rule once.
func pass(s string, rules []rule, end time.Time) (string, error) {
	ps := split(normal(s))
	for _, r := range rules {
		if time.Now().After(end) {
			return "", errUnsettled
		}
		ps = r.apply(ps)
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
