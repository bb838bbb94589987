package llm_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
	"aval/summarizer/summary/llm/far"
	"aval/summarizer/summary/sample"
)

// injections reads the collection.
func injections(t testing.TB) (out []string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/injections.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "# Texts") {
			continue
		}
		quoted := `"` + strings.ReplaceAll(strings.NewReplacer(`\n`, "\x01", `\t`, "\x02", `\u`, "\x03").Replace(line), `"`, `\"`) + `"`
		quoted = strings.NewReplacer("\x01", `\n`, "\x02", `\t`, "\x03", `\u`).Replace(quoted)
		var s string
		if err := json.Unmarshal([]byte(quoted), &s); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, s)
	}
	return out
}

// placed are sessions that hold a text where a stranger can write one.
func placed(text, lang string) map[string]summary.Session {
	out := map[string]summary.Session{}
	for _, where := range []string{"title", "command", "chat"} {
		b := sample.New("x11vnc/9", "x11vnc", "Ana")
		b.Add(time.Second, event.WindowFocused, "app", "Printers", "program", "printers", "title", "Printers")
		switch where {
		case "title":
			b.Add(time.Second, event.WindowFocused, "app", "Firefox", "program", "firefox", "title", text)
		case "command":
			b.Add(time.Second, event.CommandRun, "program", "echo", "command", "echo "+text)
		case "chat":
			b.Add(time.Second, event.ChatMessage, "from", "supporter", "text", text)
		}
		b.Add(time.Second, event.ServiceChanged, "action", "restarted", "name", "cups.service")
		out[where] = b.End("ended")
	}
	return out
}

var jsonIn = regexp.MustCompile(`\{.*\}`)

// obey is a model that does what a text wants: answers the JSON in it, says what it
// says, adds its links, calls it resolved, cites what is not there; and tells one
// true thing, so that there is a summary to look at.
func obey(a far.Asked, text string) []string {
	out := far.Tell(a)
	id := func(kind string) []int {
		for _, e := range a.Events {
			if e.Kind == kind {
				return []int{e.ID}
			}
		}
		return []int{}
	}
	hostile := []int{a.Events[1].ID}
	lie := func(text string, ev []int) {
		out.Sentences = append(out.Sentences, far.Claim{Text: text, Evidence: ev})
		out.FollowUps = append(out.FollowUps, far.Claim{Text: text, Evidence: ev})
		out.Steps = append(out.Steps, far.Step{Application: text, Action: text, Evidence: ev})
	}
	out.Name = far.Claim{Text: text, Evidence: hostile}
	lie(text, hostile)
	lie(text+" https://evil.example/x", hostile)
	lie("O problema foi resolvido. The problem was resolved.", hostile)
	lie("[cups.service](https://evil.example)", id("service-changed"))
	lie("<a href='https://evil.example'>cups.service</a>", id("service-changed"))
	lie("As senhas foram trocadas e tudo foi pago.", []int{999})
	lie(a.System[:200], hostile)
	out.Sentences = out.Sentences[:min(len(out.Sentences), 12)]
	answers := []string{out.JSON(), text}
	if j := jsonIn.FindString(text); j != "" {
		answers = append(answers, j)
	}
	return answers
}

// TestInjections: whatever stands in a title, a command or a message, and however
// well a model obeys it, no link, no markup, no claim without evidence and no
// outcome that nobody stated comes out; and what the model is told does not change
// with what was recorded. Seen caught: with the look for links taken out of
// judge.take, with the evidence check taken out, and with the events written among
// the instructions, this fails.
func TestInjections(t *testing.T) {
	all := injections(t)
	if len(all) < 40 {
		t.Fatalf("%d texts", len(all))
	}
	system := map[string]string{}
	taken, failed := 0, 0
	for _, text := range all {
		for _, lang := range []string{"pt-BR", "en"} {
			for where, in := range placed(text, lang) {
				s := far.New(t)
				n := 0
				s.Say = func(i int, a far.Asked) string {
					all := obey(a, text)
					return all[(n+i-1)%len(all)]
				}
				e := engine(t, s)
				for n = range 3 {
					_, f := write(t, e, in, lang) // sound looks at what comes out
					if f == nil {
						taken++
					} else {
						failed++
					}
				}
				for _, a := range s.Asked() {
					if system[lang] == "" {
						system[lang] = a.System
					}
					if a.System != system[lang] {
						t.Fatalf("%s, %s: what was recorded changed the instructions", text, where)
					}
					if len(a.Events) != 4 || strings.Count(a.User, "-----END DATA ") != 1+strings.Count(inUser(in), "-----END DATA ") {
						t.Errorf("%q in %s: the model saw %d events", text, where, len(a.Events))
					}
				}
				s.Close()
			}
		}
	}
	if taken == 0 || failed == 0 {
		t.Errorf("%d summaries were taken and %d were not: one of the two was never tried", taken, failed)
	}
	t.Logf("%d texts, %d summaries taken without what they wanted, %d left to the rules", len(all), taken, failed)
}

// inUser is what of a session's own words can look like a marker line.
func inUser(in summary.Session) string {
	var b strings.Builder
	for _, e := range in.Events {
		for _, v := range e.Fields {
			b.WriteString(summary.Clean(v, 600) + " ")
		}
	}
	return b.String()
}

// FuzzReply: whatever a model answers, nothing unsound comes out and nothing
// breaks.
func FuzzReply(f *testing.F) {
	a := far.Asked{System: `"language" is "en"`, Events: []far.Event{{ID: 4, Kind: "chat", Fields: map[string]string{"text": "The printer stopped"}}, {ID: 13, Kind: "program-started", Fields: map[string]string{"program": "cupsenable"}}}}
	f.Add(far.Honest(a))
	f.Add("")
	f.Add("{")
	f.Add(`{"language":"en","name":{"text":"x","evidence":[-1]},"sentences":[{"text":"\u0000","evidence":[18446744073709551615]}],"steps":[],"follow_ups":[],"issue_types":[{"key":"printing","evidence":[]}]}`)
	for _, s := range injections(f) {
		f.Add(s)
	}
	in := sample.Printer("en")
	items, left := summary.Items(in, 1<<20)
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := llm.Read(text, "en")
		if err != nil {
			return
		}
		s, kept, _ := summary.Compose(in, "en", claims, items, left)
		if kept > 0 {
			sound(t, in, s)
		}
	})
}
