package summary_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/summarizer/summary"
	"aval/summarizer/summary/sample"
)

// all are the sentences of a summary, with those of its steps.
func all(s summary.Summary) []summary.Sentence {
	out := slices.Concat(s.Sentences, s.FollowUps, []summary.Sentence{s.Issue.Sentence, s.Outcome.Sentence})
	for _, st := range s.Steps {
		out = append(out, summary.Sentence{Text: st.Action + " " + strings.Join(st.Commands, " "), Evidence: st.Evidence})
	}
	for _, l := range slices.Concat(s.IssueTypes, s.Applications) {
		out = append(out, summary.Sentence{Text: l.Label, Evidence: l.Evidence})
	}
	return out
}

var quoted = regexp.MustCompile(`“([^“”]*)”`)

// unsupported checks a summary against its events without knowing the rules:
// evidence must exist, and every quotation must stand in an event (or record)
// that the sentence names. It returns what is wrong.
func unsupported(in summary.Session, s summary.Summary) []string {
	by := map[uint64]event.Event{}
	for _, e := range in.Events {
		by[e.Seq] = e
	}
	var wrong []string
	for _, t := range all(s) {
		if len(t.Events) == 0 && t.Record == "" {
			wrong = append(wrong, "no evidence: "+t.Text)
		}
		var said []string
		for _, n := range t.Events {
			e, ok := by[n]
			if !ok {
				wrong = append(wrong, fmt.Sprintf("event %d does not exist: %s", n, t.Text))
			}
			for _, v := range e.Fields {
				said = append(said, plainText(v))
			}
		}
		if t.Record != "" {
			said = append(said, plainText(in.Supporter), plainText(in.Tool))
		}
		for _, q := range quoted.FindAllStringSubmatch(t.Text, -1) {
			want := strings.TrimSuffix(q[1], "…")
			if !slices.ContainsFunc(said, func(v string) bool { return strings.HasPrefix(v, want) }) {
				wrong = append(wrong, fmt.Sprintf("not in its events: %q of %s", want, t.Text))
			}
		}
	}
	return wrong
}

func plainText(s string) string {
	return strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`).Replace(summary.Clean(s, 0))
}

func samples() map[string]summary.Session {
	return map[string]summary.Session{"printer.pt-BR": sample.Printer("pt-BR"), "printer.en": sample.Printer("en"), "shell": sample.Shell(), "hostile": sample.Hostile()}
}

// TestEvidence also shows that the check catches an invented sentence.
func TestEvidence(t *testing.T) {
	for name, in := range samples() {
		for _, lang := range []string{"en", "pt-BR"} {
			s := summary.Rules(in, lang)
			if wrong := unsupported(in, s); wrong != nil {
				t.Errorf("%s %s: %s", name, lang, strings.Join(wrong, "\n"))
			}
			s.Sentences = append(s.Sentences, summary.Sentence{Text: "Used “Paint”.", Evidence: summary.Evidence{Events: []uint64{1}}})
			s.FollowUps = append(s.FollowUps, summary.Sentence{Text: "x", Evidence: summary.Evidence{Events: []uint64{999}}})
			if len(unsupported(in, s)) != 2 {
				t.Error("the check does not catch what was invented")
			}
		}
	}
}

// session draws sessions with a word of its own in every event, so that it can
// be found again in the summary.
func session(t *rapid.T) summary.Session {
	b := sample.New("tool/1", "tool", "Ana")
	n := rapid.IntRange(0, 25).Draw(t, "events")
	for i := range n {
		w := fmt.Sprintf("word%c%c", 'a'+i/26, 'a'+i%26)
		program := rapid.SampledFrom([]string{"editor", "browser", w}).Draw(t, "program")
		text := rapid.SampledFrom([]string{"%s funcionou", "%s não imprime, ajuda", "the %s works now", "follow up %s tomorrow", "it is broken %s", "%s", "resolvido %s"}).Draw(t, "text")
		text = fmt.Sprintf(text, w)
		after := time.Duration(rapid.IntRange(0, 90).Draw(t, "after")) * time.Second
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0:
			b.Add(after, event.WindowFocused, "app", program, "program", program, "title", "title "+w)
		case 1:
			b.Add(after, event.ProgramStarted, "program", program, "command", program+" --"+w)
		case 2:
			b.Add(after, event.CommandRun, "program", program, "command", "run "+w)
		case 3:
			b.Add(after, event.FileTransferred, "name", w+".txt", "direction", rapid.SampledFrom([]string{"to-computer", "from-computer", ""}).Draw(t, "direction"))
		case 4:
			b.Add(after, event.ChatMessage, "from", rapid.SampledFrom([]string{"person", "supporter", ""}).Draw(t, "from"), "text", text)
		case 5:
			b.Add(after, event.Note, "text", text)
		case 6:
			b.Add(after, event.Gap, "reason", rapid.SampledFrom([]string{"paused", "resumed", "dropped", "other-session", "zzz"}).Draw(t, "reason"))
		case 7:
			b.Add(after, event.WindowFocused, "app", program, "title", "")
		}
	}
	if rapid.Bool().Draw(t, "ended") {
		return b.End(rapid.SampledFrom([]string{"ended", "lost", "stopped", "expired", "withdrawn", "other"}).Draw(t, "end"))
	}
	return b.S
}

func marshal(t interface{ Fatal(...any) }, s summary.Summary) string {
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := session(t)
		lang := rapid.SampledFrom([]string{"en", "pt-BR"}).Draw(t, "lang")
		s := summary.Rules(in, lang)
		if wrong := unsupported(in, s); wrong != nil {
			t.Fatalf("%s", strings.Join(wrong, "\n"))
		}
		if raw := marshal(t, s); strings.Contains(raw, "[summary.") {
			t.Fatalf("a text is in no catalogue: %s", raw)
		}

		// The order in which events arrive changes nothing.
		shuffled := in
		shuffled.Events = slices.Clone(in.Events)
		rand.Shuffle(len(shuffled.Events), func(i, j int) {
			shuffled.Events[i], shuffled.Events[j] = shuffled.Events[j], shuffled.Events[i]
		})
		if again := summary.Rules(shuffled, lang); !reflect.DeepEqual(s, again) {
			t.Fatalf("another order, another summary:\n%s\n%s", marshal(t, s), marshal(t, again))
		}

		// What only one event says goes with that event.
		if len(in.Events) > 1 {
			i := rapid.IntRange(1, len(in.Events)-1).Draw(t, "removed")
			gone := in.Events[i]
			less := in
			less.Events = slices.Delete(slices.Clone(in.Events), i, i+1)
			after := summary.Rules(less, lang)
			if wrong := unsupported(less, after); wrong != nil {
				t.Fatalf("after removing %v: %s", gone, strings.Join(wrong, "\n"))
			}
			for _, v := range gone.Fields {
				if w := regexp.MustCompile(`word[a-z]{2}`).FindString(v); w != "" && strings.Contains(marshal(t, after), w) {
					t.Fatalf("%q is still there without its event: %s", w, marshal(t, after))
				}
			}
		}

		// Another name for a program changes that name and nothing else.
		renamed := in
		renamed.Events = nil
		swap := strings.NewReplacer("editor", "retouch")
		for _, e := range in.Events {
			fields := map[string]string{}
			for k, v := range e.Fields {
				fields[k] = swap.Replace(v)
			}
			e.Fields = fields
			renamed.Events = append(renamed.Events, e)
		}
		if a, b := swap.Replace(marshal(t, s)), marshal(t, summary.Rules(renamed, lang)); a != b {
			t.Fatalf("renaming changed more than the name:\n%s\n%s", a, b)
		}
	})
}

// TestNoise adds what nobody did: the summary says the same, with the same
// events of before as evidence.
func TestNoise(t *testing.T) {
	for name, in := range samples() {
		want := summary.Rules(in, "en")
		noisy := in
		noisy.Events = nil
		renumber := map[uint64]uint64{}
		next := uint64(1)
		add := func(e event.Event) {
			e.Seq = next
			next++
			noisy.Events = append(noisy.Events, e)
		}
		for i, e := range in.Events {
			renumber[e.Seq] = next
			add(e)
			if i == len(in.Events)-1 || e.Kind == event.SessionEnded {
				continue
			}
			for _, f := range []map[string]string{{"app": "Xfce4-panel", "program": "xfce4-panel"}, {"title": "Program Manager", "program": "explorer.exe"}, {"app": "aval-ui", "title": "Aval"}, {}} {
				add(event.Event{Kind: event.WindowFocused, At: e.At, Fields: f})
			}
			for _, p := range []string{"bash", "dbus-daemon", "xdg-open", "-zsh", "/usr/libexec/at-spi2-registryd", "conhost.exe"} {
				add(event.Event{Kind: event.ProgramStarted, At: e.At, Fields: map[string]string{"program": p}})
			}
			if e.Kind == event.WindowFocused {
				add(e)
			}
		}
		got := summary.Rules(noisy, "en")
		if got.Text != want.Text || got.Name != want.Name || !reflect.DeepEqual(got.ApplicationLabels, want.ApplicationLabels) {
			t.Errorf("%s: noise changed it:\n%s\n%s", name, want.Text, got.Text)
		}
		for i := range want.Sentences {
			var ev []uint64
			for _, n := range want.Sentences[i].Events {
				ev = append(ev, renumber[n])
			}
			if !slices.Equal(ev, got.Sentences[i].Events) {
				t.Errorf("%s: %q rests on %v, not %v", name, got.Sentences[i].Text, got.Sentences[i].Events, ev)
			}
		}
		if got.Stats.Events <= want.Stats.Events {
			t.Errorf("%s: nothing was added", name)
		}
	}
}

func TestOutcome(t *testing.T) {
	chat := func(lines ...string) []event.Event {
		var es []event.Event
		for i, l := range lines {
			from, text, _ := strings.Cut(l, ": ")
			e := event.Event{Seq: uint64(i + 1), Kind: event.ChatMessage, At: sample.Start.Add(time.Duration(i) * time.Second), Fields: map[string]string{"text": text}}
			switch from {
			case "p":
				e.Fields["from"] = "person"
			case "s":
				e.Fields["from"] = "supporter"
			case "n":
				e.Kind = event.Note
			}
			es = append(es, e)
		}
		return es
	}
	for _, c := range []struct {
		talk  []string
		state summary.State
		ev    []uint64
	}{
		{[]string{"p: A impressora não imprime", "p: agora funcionou, obrigada"}, summary.Resolved, []uint64{2}},
		{[]string{"p: The mail does not open", "p: It works now"}, summary.Resolved, []uint64{2}},
		{[]string{"p: the printer doesn't print", "s: Funcionou?", "p: Sim!"}, summary.Resolved, []uint64{2, 3}},
		{[]string{"s: Did it work?", "p: no"}, summary.NotResolved, []uint64{1, 2}},
		{[]string{"s: did it work?", "s: yes"}, summary.NotStated, nil},
		{[]string{"s: Funcionou?"}, summary.NotStated, nil},
		{[]string{"n: Resolved: cable replaced"}, summary.Resolved, []uint64{1}},
		{[]string{"n: Chamado resolvido"}, summary.Resolved, []uint64{1}},
		{[]string{"n: Não resolvido, falta peça"}, summary.NotResolved, []uint64{1}},
		{[]string{"p: a impressora não funciona"}, summary.NotStated, nil},
		{[]string{"p: o site não abre", "p: ainda não"}, summary.NotResolved, []uint64{2}},
		{[]string{"p: it hangs all the time", "p: it works now", "p: no, it is not working"}, summary.NotResolved, []uint64{3}},
		{[]string{"p: ajuda com a planilha", "s: se funcionou me avise"}, summary.NotStated, nil},
		{[]string{"s: it should be fixed now"}, summary.NotStated, nil},
		{[]string{"s: restart it to see if it works"}, summary.NotStated, nil},
		{[]string{"p: funcionou ontem"}, summary.NotStated, nil},
		{[]string{"p: it was working yesterday"}, summary.NotStated, nil},
		{[]string{"p: preciso que seja resolvido"}, summary.NotStated, nil},
		{[]string{"s: needs to be resolved"}, summary.NotStated, nil},
		{[]string{"s: it no longer works fine"}, summary.NotStated, nil},
		{[]string{"s: quando funcionar, avise", "p: ok"}, summary.NotStated, nil},
		{[]string{"p: She works at the counter"}, summary.NotStated, nil},
		{[]string{"p: isso deu certo"}, summary.Resolved, []uint64{1}},
		{[]string{"p: isso não deu certo"}, summary.NotResolved, []uint64{1}},
	} {
		got := summary.Rules(summary.Session{Basis: consent.BasisConsent, Grant: "g", Events: chat(c.talk...)}, "en")
		if got.Outcome.State != c.state || (c.ev != nil && !slices.Equal(got.Outcome.Events, c.ev)) {
			t.Errorf("%q: %s on %v (%s)", c.talk, got.Outcome.State, got.Outcome.Events, got.Outcome.Text)
		}
	}
}

func TestIssue(t *testing.T) {
	in := sample.New("t/1", "t", "Ana")
	in.Add(1, event.ChatMessage, "from", "person", "text", "Oi, bom dia, tudo bem?")
	in.Add(1, event.Note, "text", "User cannot open the shared folder, error 53")
	in.Add(1, event.ChatMessage, "from", "supporter", "text", "o computador está com erro no servidor de arquivos")
	if got := summary.Rules(in.S, "en"); !slices.Equal(got.Issue.Events, []uint64{3}) || !slices.Equal(got.IssueTypeLabels, []string{"Files and folders"}) {
		t.Errorf("a note comes before the supporter's chat: %v %v", got.Issue, got.IssueTypeLabels)
	}
	in.Add(1, event.ChatMessage, "from", "person", "text", "não consigo abrir a pasta compartilhada")
	if got := summary.Rules(in.S, "pt-BR"); !slices.Equal(got.Issue.Events, []uint64{5}) || got.Issue.State != summary.Stated {
		t.Errorf("the person's own words come first: %v", got.Issue)
	}
}

func TestAllowed(t *testing.T) {
	for _, lang := range []string{"en", "pt-BR"} {
		seen := map[string]bool{}
		for _, b := range []consent.Basis{consent.BasisConsent, consent.BasisStandingSetting, consent.BasisPolicy, consent.BasisEnforcedPolicy} {
			s := summary.Rules(summary.Session{Basis: b, Provenance: consent.P0, Grant: "g", Objection: "o"}, lang)
			text := strings.ToLower(s.Sentences[1].Text)
			if seen[text] || s.Sentences[1].Record != "g" {
				t.Errorf("%s %s: %v", lang, b, s.Sentences[1])
			}
			seen[text] = true
			if policy := b == consent.BasisPolicy || b == consent.BasisEnforcedPolicy; policy {
				for _, w := range []string{"consent", "permission", "permiss", "allowed", "permitiu"} {
					if strings.Contains(text, w) {
						t.Errorf("%s: a policy is called %q: %s", lang, w, text)
					}
				}
			}
			if !slices.ContainsFunc(s.Sentences, func(t summary.Sentence) bool { return t.Record == "o" }) {
				t.Errorf("%s: the objection is not told", lang)
			}
		}
	}
}

func TestWithdrawnWithoutEnd(t *testing.T) {
	in := sample.New("t/1", "t", "Ana").S
	in.Withdrawal = "w"
	s := summary.Rules(in, "en")
	if !slices.ContainsFunc(s.Sentences, func(t summary.Sentence) bool { return t.Record == "w" }) {
		t.Errorf("not told: %s", s.Text)
	}
}

// TestTitleBefore: the mark in the place of a title is no title.
func TestTitleBefore(t *testing.T) {
	in := sample.New("t/1", "t", "192.0.2.7")
	in.Add(1, event.WindowFocused, "app", "Mail", "program", "mail", "title", event.TitleBefore)
	in.Add(1, event.WindowFocused, "title", event.TitleBefore)
	in.Add(1, event.WindowFocused, "app", "Mail", "program", "mail", "title", "Inbox")
	s := summary.Rules(in.S, "pt-BR")
	raw := marshal(t, s)
	if strings.Contains(raw, "before the answer") || s.Stats.Windows != 1 || len(s.Steps) != 1 || !slices.Equal(s.Steps[0].Events, []uint64{2, 4}) || !strings.Contains(s.Steps[0].Action, "Inbox") {
		t.Errorf("%s", raw)
	}
	if strings.Contains(s.Sentences[0].Text, "verificado") || !strings.Contains(s.Sentences[0].Text, "192.0.2.7") {
		t.Errorf("an address is taken for a name: %s", s.Sentences[0].Text)
	}
}

// TestGaps: a pause lasts until its own end, not until another gap's.
func TestGaps(t *testing.T) {
	in := sample.New("t/1", "t", "Ana")
	in.Add(time.Second, event.Gap, "reason", "paused")
	in.Add(10*time.Second, event.Gap, "reason", "resumed")
	in.Add(time.Second, event.Gap, "reason", "other-session")
	in.Add(60*time.Second, event.Gap, "reason", "resumed")
	in.Add(time.Second, event.Gap, "reason", "paused")
	in.Add(2*time.Second, event.Gap, "reason", "agent-restarted") // while paused
	in.Add(3*time.Second, event.Gap, "reason", "resumed")
	in.Add(time.Second, event.Gap, "reason", "resumed") // ends nothing
	in.Add(time.Second, event.Gap, "reason", "dropped", "count", "7")
	s := summary.Rules(in.End("ended"), "en")
	for text, ev := range map[string][]uint64{"2 times, for 15 s in all": {2, 3, 6, 8}, "another session on the same desktop": {4, 5}, "was restarted meanwhile": {7, 8}, "7 events are missing": {10}} {
		if !slices.ContainsFunc(s.Sentences, func(x summary.Sentence) bool {
			return strings.Contains(x.Text, text) && slices.Equal(x.Events, ev)
		}) {
			t.Errorf("no sentence with %q on %v: %+v", text, ev, s.Sentences)
		}
	}
}
