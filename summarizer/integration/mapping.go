package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// Words are what {{word}} may be in a field, in the order in which they are shown.
var Words = []string{"name", "summary", "steps", "issue", "outcome", "labels", "applications", "supporter", "device", "tool", "session", "ref",
	"started", "ended", "minutes", "language", "engine", "note", "link", "marker"}

// content is what an endpoint keeps of one session.
type content struct {
	stream   store.Stream
	summary  summary.Summary
	revision int64
	note     string // of the session's report
	exists   bool   // there is a summary to keep
}

// marker is how a note of a revision is found again.
func marker(ref string, revision int64) string { return fmt.Sprintf("[aval:%s:r%d]", ref, revision) }

func (h *Hub) words(c content) map[string]string {
	s := c.summary
	var steps strings.Builder
	for i, st := range s.Steps {
		if i > 0 {
			steps.WriteByte('\n')
		}
		fmt.Fprintf(&steps, "%d. %s: %s", i+1, st.Application, st.Action)
		for _, cmd := range st.Commands {
			fmt.Fprintf(&steps, "\n   %s", cmd)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	minutes := ""
	if !c.stream.EndedAt.IsZero() {
		minutes = fmt.Sprint(int(c.stream.EndedAt.Sub(c.stream.StartedAt).Minutes() + 0.5))
	}
	link := ""
	if h.server != "" {
		link = h.server + "/s/" + c.stream.Ref
	}
	device := c.stream.DeviceName
	if device == "" {
		device = c.stream.Device
	}
	return map[string]string{"name": s.Name, "summary": s.Text, "steps": steps.String(), "issue": s.Issue.Text, "outcome": s.Outcome.Text,
		"labels": strings.Join(s.IssueTypeLabels, ", "), "applications": strings.Join(s.ApplicationLabels, ", "), "supporter": c.stream.Supporter,
		"device": device, "tool": c.stream.Tool, "session": c.stream.Session, "ref": c.stream.Ref, "started": at(c.stream.StartedAt),
		"ended": at(c.stream.EndedAt), "minutes": minutes, "language": s.Language, "engine": s.Engine, "note": c.note, "link": link,
		"marker": marker(c.stream.Ref, c.revision)}
}

// code is ServiceNow's mark in journal fields behind which HTML is shown as such.
var code = regexp.MustCompile(`(?i)\[(/?)code\]`)

// plain takes out of a text what the other system could take for more than text:
// control characters and direction marks, and ServiceNow's code mark.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return code.ReplaceAllString(s, "(${1}code)")
}

const defaultMax = 4000

// fill makes a field's text.
func (f Field) fill(words map[string]string) string {
	out := word.ReplaceAllStringFunc(f.Value, func(m string) string {
		return plain(words[strings.TrimSpace(m[2:len(m)-2])])
	})
	out = strings.TrimSpace(out)
	most := f.Max
	if most == 0 {
		most = defaultMax
	}
	// The mark is what a repetition finds the note by: it is never cut off.
	tail := ""
	if m := words["marker"]; strings.HasSuffix(out, m) && len(m) < most {
		out, tail = strings.TrimSuffix(out, m), m
	}
	if r := []rune(out); len(r) > most-len(tail) {
		out = string(r[:max(0, most-len(tail)-1)]) + "…"
	}
	if f.HTML {
		out = html.EscapeString(out)
	}
	return out + tail
}

// Filled is a field with its text.
type Filled struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ErrNoSummary: there is no summary yet with which fields could be filled.
var ErrNoSummary = errors.New("there is no summary yet")

// Preview fills the fields of cfg with the summary of the session ref, empty: the
// latest one. Nothing is sent. store.ErrNotFound, ErrNoSummary.
func (c *Company) Preview(ctx context.Context, fields []Field, ref string) ([]Filled, error) {
	var in content
	err := c.db.View(ctx, func(t *store.Tx) error {
		if ref != "" {
			s, err := t.StreamByRef(c.id, ref)
			if err != nil {
				return err
			}
			in, err = load(t, s.Key)
			return err
		}
		list, err := t.Streams(c.id, store.Cursor{}, 200)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(s store.Stream) bool { return s.SummaryVersion > 0 })
		if i < 0 {
			return ErrNoSummary
		}
		in, err = load(t, list[i].Key)
		return err
	})
	if err == nil && !in.exists {
		err = ErrNoSummary
	}
	if err != nil {
		return nil, err
	}
	out := []Filled{}
	words := c.words(in)
	for _, f := range fields {
		out = append(out, Filled{f.Name, f.fill(words)})
	}
	return out, nil
}

// load reads what is to be kept of a session as it is now.
func load(t *store.Tx, k store.Key) (c content, err error) {
	if c.stream, err = t.Stream(k); err != nil {
		return c, err
	}
	r, err := t.ReportNote(k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	c.note = r.Note
	if !c.stream.ErasedAt.IsZero() {
		return c, nil
	}
	s, err := t.Summary(k)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.revision, c.exists = s.Version, true
	return c, json.Unmarshal([]byte(s.JSON), &c.summary)
}
