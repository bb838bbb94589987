package summary

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The most that a person's edit may hold; lengths are in characters.
const (
	maxEditName  = 200
	maxEditText  = 1000
	maxEditLines = 300
	maxEditLabel = 60
	maxEditCode  = 500
)

// Edit is a summary as a person changes it: its words, without what they rest on.
type Edit struct {
	Name      string
	Issue     string // why help was needed; empty: not stated
	Outcome   string // how it turned out; empty: not stated
	Resolved  State  // Resolved or NotResolved; anything else: not stated
	Sentences []string
	FollowUps []string
	Labels    []string
	Steps     []Step // Evidence is not read; nil: they stay as they are
}

// Draft is the summary as an edit that changes nothing.
func (s Summary) Draft() Edit {
	e := Edit{Name: s.Name, Labels: slices.Clone(s.IssueTypeLabels), Steps: s.Steps}
	if s.Issue.State == Stated {
		e.Issue = s.Issue.Text
	}
	if s.Outcome.State != NotStated {
		e.Outcome, e.Resolved = s.Outcome.Text, s.Outcome.State
	}
	for _, t := range s.Sentences {
		if t.Text != s.Issue.Text && t.Text != s.Outcome.Text {
			e.Sentences = append(e.Sentences, t.Text)
		}
	}
	for _, t := range s.FollowUps {
		e.FollowUps = append(e.FollowUps, t.Text)
	}
	return e
}

// WithText is the edit with another text: the sentences of it that are the issue
// or the outcome stay what they were, and the others are what was done.
func (e Edit) WithText(text string) Edit {
	all := Split(text)
	has := func(s string) bool { return slices.Contains(all, s) }
	if !has(e.Issue) {
		e.Issue = ""
	}
	if !has(e.Outcome) {
		e.Outcome, e.Resolved = "", NotStated
	}
	issue, outcome := e.Issue, e.Outcome
	e.Sentences = slices.DeleteFunc(all, func(s string) bool { return s == issue || s == outcome })
	return e
}

// Split cuts a text into its sentences: at the ends of lines, and after a full
// stop, question or exclamation mark that a space and a new beginning follow.
func Split(text string) (out []string) {
	for line := range strings.Lines(text) {
		r := []rune(strings.TrimSpace(line))
		start := 0
		for i := 0; i+2 < len(r); i++ {
			if strings.ContainsRune(".!?", r[i]) && unicode.IsSpace(r[i+1]) && !unicode.IsLower(r[i+2]) {
				out = append(out, string(r[start:i+1]))
				start = i + 2
			}
		}
		if start < len(r) {
			out = append(out, string(r[start:]))
		}
	}
	return out
}

// ErrEdit: an edit is not one; its text says why, in words that can be shown.
var ErrEdit = errors.New("this summary cannot be kept")

// Apply is the summary with the edit's words. A sentence that was left as it was,
// or nearly so, keeps the events that it rests on; one that a person wrote rests
// on none.
func (s Summary) Apply(e Edit) (Summary, error) {
	out := s
	if out.Name = Clean(e.Name, maxEditName); out.Name == "" {
		return s, fmt.Errorf("%w: it needs a title", ErrEdit)
	}
	if len(e.Sentences) > maxEditLines || len(e.FollowUps) > maxEditLines || len(e.Labels) > maxEditLines || len(e.Steps) > maxEditLines {
		return s, fmt.Errorf("%w: it has more than %d lines", ErrEdit, maxEditLines)
	}
	known := slices.Concat(s.Sentences, s.FollowUps, []Sentence{s.Issue.Sentence, s.Outcome.Sentence})
	issue, outcome := rest(known, e.Issue), rest(known, e.Outcome)
	out.Issue, out.Outcome = Issue{NotStated, issue}, Outcome{NotStated, outcome}
	if issue.Text != "" {
		out.Issue.State = Stated
	}
	if outcome.Text != "" && (e.Resolved == Resolved || e.Resolved == NotResolved) {
		out.Outcome.State = e.Resolved
	} else {
		out.Outcome.Sentence = rest(nil, "")
	}
	at := slices.IndexFunc(s.Sentences, func(t Sentence) bool { return t.Text == s.Issue.Text })
	out.Sentences = sentences(known, e.Sentences)
	if out.Issue.State == Stated {
		at = min(max(at, 0), len(out.Sentences))
		out.Sentences = slices.Insert(out.Sentences, at, out.Issue.Sentence)
	}
	if out.Outcome.State != NotStated {
		out.Sentences = append(out.Sentences, out.Outcome.Sentence)
	}
	texts := make([]string, len(out.Sentences))
	for i, t := range out.Sentences {
		texts[i] = t.Text
	}
	out.Text = strings.Join(texts, " ")
	out.FollowUps = sentences(known, e.FollowUps)
	out.IssueTypes = []Label{}
	for _, l := range e.Labels {
		if l = Clean(l, maxEditLabel); l == "" {
			continue
		}
		if i := slices.IndexFunc(s.IssueTypes, func(have Label) bool { return have.Label == l }); i >= 0 {
			out.IssueTypes = append(out.IssueTypes, s.IssueTypes[i])
		} else {
			out.IssueTypes = append(out.IssueTypes, Label{Label: l, Evidence: rest(nil, "").Evidence})
		}
	}
	out.IssueTypeLabels = labels(out.IssueTypes)
	if e.Steps != nil {
		out.Steps = s.steps(e.Steps)
	}
	return out, nil
}

func sentences(known []Sentence, lines []string) []Sentence {
	out := []Sentence{}
	for _, l := range lines {
		if t := rest(known, l); t.Text != "" {
			out = append(out, t)
		}
	}
	return out
}

// rest finds what a line of a person's rests on: the sentence that it was, if
// most of its words are still there.
func rest(known []Sentence, line string) Sentence {
	line = Clean(line, maxEditText)
	out := Sentence{Text: line, Evidence: Evidence{Events: []uint64{}}}
	if line == "" {
		return out
	}
	best := 0.6
	for _, k := range known {
		if l := like(k.Text, line); l > best {
			best, out.Evidence = l, k.Evidence
		}
	}
	if out.Events == nil {
		out.Events = []uint64{}
	}
	return out
}

// like is how much of both texts' words is common to them, from 0 to 1.
func like(a, b string) float64 {
	if a == b {
		return 1.1 // the very same one, before others that have the same words
	}
	wa, wb := words(a), words(b)
	if len(wa)+len(wb) == 0 {
		return 0
	}
	left := slices.Clone(wb)
	common := 0
	for _, w := range wa {
		if i := slices.Index(left, w); i >= 0 {
			left = slices.Delete(left, i, i+1)
			common++
		}
	}
	return 2 * float64(common) / float64(len(wa)+len(wb))
}

func (s Summary) steps(lines []Step) []Step {
	out := []Step{}
	for _, l := range lines {
		st := Step{Application: Clean(l.Application, maxEditName), Action: Clean(l.Action, maxEditText), Commands: []string{}, Evidence: rest(nil, "").Evidence}
		if st.Application == "" && st.Action == "" {
			continue
		}
		for _, c := range l.Commands[:min(len(l.Commands), maxEditLines)] {
			if c = Clean(c, maxEditCode); c != "" {
				st.Commands = append(st.Commands, c)
			}
		}
		best := 0.6
		for _, have := range s.Steps {
			if n := like(have.Application+" "+have.Action, st.Application+" "+st.Action); n > best {
				best, st.Evidence = n, have.Evidence
			}
		}
		out = append(out, st)
	}
	return out
}
