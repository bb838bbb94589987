package summary_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"aval/summarizer/summary"
	"aval/summarizer/summary/sample"
)

// TestDraftChangesNothing: an edit that changes nothing leaves every sentence
// with what it rests on.
func TestDraftChangesNothing(t *testing.T) {
	for _, in := range []summary.Session{sample.Printer("pt-BR"), sample.Printer("en"), sample.Shell(), sample.Hostile()} {
		old := summary.Rules(in, "pt-BR")
		got, err := old.Apply(old.Draft())
		if err != nil {
			t.Fatal(err)
		}
		evidence := func(s summary.Summary) (out []string) {
			for _, x := range s.Sentences {
				if x.Text != s.Issue.Text && x.Text != s.Outcome.Text {
					out = append(out, x.Text)
				}
			}
			return out
		}
		if got.Name != old.Name || !slices.Equal(evidence(got), evidence(old)) || len(got.Steps) != len(old.Steps) || got.Outcome.State != old.Outcome.State ||
			!slices.Equal(got.IssueTypeLabels, old.IssueTypeLabels) || len(got.FollowUps) != len(old.FollowUps) {
			t.Errorf("%s: %+v\nwas %+v", in.ID, got, old)
		}
		for i, s := range got.Sentences {
			was := slices.IndexFunc(old.Sentences, func(o summary.Sentence) bool { return o.Text == s.Text })
			if was < 0 || !slices.Equal(old.Sentences[was].Events, s.Events) || old.Sentences[was].Record != s.Record {
				t.Errorf("%s: sentence %d rests on %v", in.ID, i, s.Evidence)
			}
		}
		for i, st := range got.Steps {
			if !slices.Equal(st.Events, old.Steps[i].Events) || !slices.Equal(st.Commands, old.Steps[i].Commands) {
				t.Errorf("%s: step %d: %+v, was %+v", in.ID, i, st, old.Steps[i])
			}
		}
	}
}

// TestEdit: a corrected sentence keeps its events, a new one has none and takes
// nobody's, and what was emptied is not stated.
func TestEdit(t *testing.T) {
	old := summary.Rules(sample.Printer("pt-BR"), "pt-BR")
	e := old.Draft()
	e.Name = "Impressora\u202e do balcão"
	i := slices.IndexFunc(e.Sentences, func(s string) bool { return strings.HasPrefix(s, "Programas usados") })
	e.Sentences[i] += " E mais nada."
	e.Sentences = append(e.Sentences, "O cliente ficou muito contente com tudo.", "  ")
	e.Outcome, e.Resolved = "", summary.Resolved
	e.Labels = append(e.Labels, "Balcão", "")
	e.Steps = append(slices.Clone(e.Steps), summary.Step{Application: "Telefone", Action: "Ligado de volta", Commands: []string{"ls\x1b[31m"}})
	got, err := old.Apply(e)
	if err != nil {
		t.Fatal(err)
	}
	find := func(begin string) summary.Sentence {
		for _, s := range got.Sentences {
			if strings.HasPrefix(s.Text, begin) {
				return s
			}
		}
		t.Fatalf("no sentence %q", begin)
		return summary.Sentence{}
	}
	if s := find("Programas usados"); !slices.Equal(s.Events, []uint64{5, 9}) {
		t.Errorf("the corrected one rests on %v", s.Events)
	}
	if s := find("O cliente"); len(s.Events) != 0 || s.Record != "" {
		t.Errorf("the new one rests on %+v", s.Evidence)
	}
	if got.Name != "Impressora do balcão" || got.Outcome.State != summary.NotStated || got.Outcome.Text != "" || strings.Contains(got.Text, old.Outcome.Text) {
		t.Errorf("name %q, outcome %+v", got.Name, got.Outcome)
	}
	if l := got.IssueTypes; len(l) != 2 || l[0].Key != "printing" && l[0].Key == "" || l[1].Label != "Balcão" || l[1].Key != "" {
		t.Errorf("labels %+v", l)
	}
	if st := got.Steps[len(got.Steps)-1]; st.Commands[0] != "ls[31m" || len(st.Events) != 0 {
		t.Errorf("step %+v", st)
	}
	for _, bad := range []summary.Edit{{}, {Name: " \u200b"}, {Name: "n", Sentences: make([]string, 1000)}} {
		if _, err := old.Apply(bad); !errors.Is(err, summary.ErrEdit) {
			t.Errorf("taken: %+v", bad)
		}
	}
}

func TestWithText(t *testing.T) {
	old := summary.Rules(sample.Printer("en"), "en")
	got, err := old.Apply(old.Draft().WithText(old.Issue.Text + " Everything was replaced. It took 2.5 hours!\nDone"))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range got.Sentences {
		texts = append(texts, s.Text)
	}
	if got.Issue.State != summary.Stated || got.Outcome.State != summary.NotStated || len(texts) != 4 || !slices.Contains(texts, "It took 2.5 hours!") || !slices.Contains(texts, "Done") {
		t.Errorf("%q, issue %+v", texts, got.Issue)
	}
}
