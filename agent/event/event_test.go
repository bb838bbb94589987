package event_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aval/agent/event"
)

// TestVocabulary: every kind is whole: marks need no group and hold no captured
// text, everything else has exactly one group, and each text has a limit.
func TestVocabulary(t *testing.T) {
	seen := map[event.Kind]bool{}
	for _, d := range event.Defs {
		if seen[d.Kind] {
			t.Errorf("%s is defined twice", d.Kind)
		}
		seen[d.Kind] = true
		if d.Kind.Mark() != (d.Group == "") || (!d.Kind.Mark() && !slices.Contains(event.Groups, d.Group)) {
			t.Errorf("%s has the group %q", d.Kind, d.Group)
		}
		if d.Doc == "" || d.Source == "" {
			t.Errorf("%s says not what it is or who reports it", d.Kind)
		}
		names := map[string]bool{}
		for _, f := range d.Fields {
			if names[f.Name] || f.Name == "" || f.Max <= 0 || f.Doc == "" {
				t.Errorf("%s: field %q is twice, or has no limit or meaning", d.Kind, f.Name)
			}
			names[f.Name] = true
			if d.Kind.Mark() && f.Text {
				t.Errorf("%s is a mark and holds text", d.Kind)
			}
			if f.Needs != "" && !slices.Contains(event.Groups, f.Needs) {
				t.Errorf("%s: %s needs %q", d.Kind, f.Name, f.Needs)
			}
		}
	}
}

// TestCovered: a mark is covered by every grant, another kind by its own group
// alone, and a kind that is not defined by none.
func TestCovered(t *testing.T) {
	for _, d := range event.Defs {
		for _, g := range event.Groups {
			if got, want := event.Covered(d.Kind, []event.Group{g}), d.Kind.Mark() || d.Group == g; got != want {
				t.Errorf("%s under %s: %v", d.Kind, g, got)
			}
		}
		if event.Covered(d.Kind, nil) != d.Kind.Mark() {
			t.Errorf("%s without a group", d.Kind)
		}
	}
	if event.Covered("keystroke", event.Groups) {
		t.Error("an unknown kind is covered")
	}
	if _, ok := event.Define("keystroke"); ok {
		t.Error("an unknown kind is defined")
	}
}

// TestDocument: docs/events.md holds the table as it is. AVAL_UPDATE=1 writes it.
func TestDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "events.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const from, to = "<!-- table: begin -->\n", "<!-- table: end -->\n"
	head, rest, ok1 := strings.Cut(string(raw), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	want := head + from + table() + to + tail
	if string(raw) == want {
		return
	}
	if os.Getenv("AVAL_UPDATE") == "" {
		t.Fatalf("%s is not up to date: AVAL_UPDATE=1 go test ./agent/event writes it", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
