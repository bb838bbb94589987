package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// The states of a Finding.
const (
	StateOK    = "ok"
	StateNote  = "note"  // worth knowing; nothing is broken
	StateWrong = "wrong" // doctor ends with 1
)

// Finding is what one check of a doctor came to. Do says what to do, a step a line.
type Finding struct {
	Check string   `json:"check"`
	State string   `json:"state"`
	Found string   `json:"found"`
	Do    []string `json:"do,omitempty"`
}

// Found is the only finding of a check.
func Found(state, found string, do ...string) []Finding {
	return []Finding{{State: state, Found: found, Do: do}}
}

// AnyWrong tells whether something is wrong.
func AnyWrong(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.State == StateWrong })
}

// marks begin the lines of a page, so that an eye finds what is wrong.
var marks = map[string]string{StateOK: "ok  ", StateNote: "note", StateWrong: "!!  "}

// WriteFindings writes the page of a doctor, a finding a line, what to do beneath it.
// What comes from elsewhere is printed as text only.
func WriteFindings(w io.Writer, all []Finding) {
	for _, f := range all {
		fmt.Fprintf(w, "%s  %-9s %s\n", marks[f.State], f.Check, Printable(f.Found))
		for _, d := range f.Do {
			fmt.Fprintf(w, "                → %s\n", Printable(d))
		}
	}
}

// Printable is a text as a terminal may be given it: what controls one is replaced.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
