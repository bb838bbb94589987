package viewmodel

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Text is the whole question as plain text for a native dialog, which has the
// title and the two buttons of its own. Its lines are ended by a line feed and
// it holds no markup; the dialog must be told not to read any into it.
func (a Ask) Text() string {
	var b strings.Builder
	line := func(s string) {
		if s != "" {
			b.WriteString(s + "\n")
		}
	}
	line(a.Who)
	line(a.Vouch)
	line(a.Via)
	line(a.Since)
	b.WriteString("\n")
	for _, p := range a.Purposes {
		line(p)
	}
	for _, m := range a.Models { // a dialog has nothing to unfold
		line(m)
	}
	b.WriteString("\n")
	line(a.recorded)
	line(a.notRecorded)
	line(a.closingLast)
	b.WriteString("\n")
	for _, r := range a.Readers {
		line(r)
	}
	line(a.IfNot)
	if !a.Leave { // a dialog has no third way out
		line(a.Stop)
	}
	b.WriteString("\n")
	line(a.Countdown(a.AnswerFor))
	line(a.Footnote)
	return strings.TrimRight(b.String(), "\n")
}

// Window is everything that the question's window says when it opens, line by
// line, its title, buttons and folded details included.
func (a Ask) Window() string {
	lines := []string{a.Title, a.Who, a.Vouch, a.Since, a.Via}
	lines = append(lines, a.Purposes...)
	lines = append(lines, a.RecordedHead)
	for _, g := range a.Groups {
		lines = append(lines, g.Text)
	}
	lines = append(lines, a.NotRecordedHead)
	lines = append(lines, a.NotRecorded...)
	lines = append(lines, a.Readers...)
	if a.Further != "" {
		lines = append(lines, a.Further)
	}
	lines = append(lines, a.IfNot, a.Stop, a.Footnote, a.More, a.Less)
	lines = append(lines, a.Details...)
	lines = append(lines, a.Deny, a.Allow, a.Arming, a.NoGroups, a.Covered, a.Remote, a.Countdown(a.AnswerFor))
	return strings.Join(lines, "\n")
}

// WindowSHA256 is the lower-case hexadecimal SHA-256 of Window, for question.shown.
func (a Ask) WindowSHA256() string { return hash(a.Window()) }

// NativeSHA256 is the same for a native dialog: of its title, Text and the two
// buttons, Deny before Allow, one to a line.
func (a Ask) NativeSHA256() string {
	return hash(strings.Join([]string{a.Title, a.Text(), a.Deny, a.Allow}, "\n"))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
