package summary_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"aval/summarizer/summary"
	"aval/summarizer/summary/sample"
)

var update = flag.Bool("update", false, "write the golden files anew; read the difference before it is committed")

// TestGolden pins whole summaries: a change of wording or of a rule shows here.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		in   summary.Session
		lang string
	}{
		"printer.pt-BR": {sample.Printer("pt-BR"), "pt-BR"},
		"printer.en":    {sample.Printer("en"), "en"},
		"shell.pt-BR":   {sample.Shell(), "pt-BR"},
		"shell.en":      {sample.Shell(), "en"},
		"hostile.en":    {sample.Hostile(), "en"},
		"empty.pt-BR":   {summary.Session{ID: "other/1", Tool: "other", Grant: "g"}, "pt-BR"},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", " ")
			if err := e.Encode(summary.Rules(c.in, c.lang)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("differs from %s:\n%s", file, got.Bytes())
			}
		})
	}
}

// TestShape holds the names that clients of the TeamViewer API read.
func TestShape(t *testing.T) {
	raw, err := json.Marshal(summary.Rules(sample.Printer("en"), "en"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"Name", "Summary", "IssueTypeLabels", "ApplicationLabels", "Steps", "issue", "outcome", "follow_ups", "participants", "stats", "language", "engine", "engine_version", "version"} {
		if v, ok := m[k]; !ok || string(v) == "null" {
			t.Errorf("%s is missing", k)
		}
	}
	var steps []struct {
		Application, Action *string
		Commands            *[]string
	}
	if err := json.Unmarshal(m["Steps"], &steps); err != nil || len(steps) == 0 {
		t.Fatalf("Steps: %v, %s", err, m["Steps"])
	}
	for _, s := range steps {
		if s.Application == nil || s.Action == nil || s.Commands == nil {
			t.Errorf("a step lacks a name: %s", m["Steps"])
		}
	}
	if bytes.Contains(bytes.ToLower(raw), []byte(`"ai"`)) || bytes.Contains(raw, []byte(" AI ")) {
		t.Error("rules are called AI")
	}
}
