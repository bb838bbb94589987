//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"aval/summarizer/summary/llm/far"
)

// TestModel: a company starts to use a language model, and then another one. Each
// grant names the one that the computer was told of, the model writes about what was
// allowed for it, and what was allowed for the first is never sent to the second. Fault planted once:
// the comparison at the door of llm.Engine.Write taken out; the second model is then
// asked about the session of the first.
func TestModel(t *testing.T) {
	m := far.New(t)
	w := newWorld(t, "")
	run := func(args ...string) {
		t.Helper()
		res, err := w.agent.CLI(args...)
		w.must(err)
		if res.Code != 0 {
			t.Fatal(res.Stderr)
		}
	}
	serve := func(model string) {
		t.Helper()
		w.must(w.summarizer.Stop(20 * time.Second))
		w.summarizer.More = []string{"--llm-url", m.Base(), "--llm-model", model}
		w.must(w.summarizer.Restart())
	}
	type session struct {
		Summary *struct {
			Engine string
			Text   string
		}
	}
	written := func(id, engine, canary string) {
		t.Helper()
		var s session
		w.must(w.Wait("the summary of "+id, 60*time.Second, func() (bool, error) {
			s = session{}
			err := w.agent.JSON(&s, "consent", "show", "example/"+id)
			return s.Summary != nil, err
		}))
		if s.Summary.Engine != engine || !strings.Contains(s.Summary.Text, canary) {
			t.Errorf("%s: %+v", id, s.Summary)
		}
	}
	asked := func(canary string) (n int) {
		for _, a := range m.Asked() {
			if strings.Contains(a.Body, canary) {
				n++
			}
		}
		return n
	}
	// told waits until a session that begins is decided on these terms.
	told := func(id int, engine string) string {
		t.Helper()
		for i := 0; ; i++ {
			name := fmt.Sprintf("%d-%d", id, i)
			run("session", "begin", "--tool", "example", "--id", name, "--supporter", "Ana Souza", "--desktop", w.desks[0].Name)
			w.recording("example/"+name, true, 15*time.Second)
			var s struct{ Envelope struct{ Payload []byte } }
			var grant struct{ Engine string }
			w.must(w.agent.JSON(&s, "consent", "show", "example/"+name))
			w.must(json.Unmarshal(s.Envelope.Payload, &grant))
			if grant.Engine == engine {
				return name
			}
			run("session", "end", "--id", name)
			if i == 20 {
				t.Fatalf("the computer was never told of %s, only of %s", engine, grant.Engine)
			}
		}
	}
	run("settings", "set", "session-insights", "allowed")
	w.desktop("desk", "")

	serve("example-7b")
	first := told(1, "example-7b@localhost")
	run("session", "event", "--id", first, "--kind", "note", "--text", "The printer in the first canary room works again")
	run("session", "end", "--id", first)
	written(first, "example-7b@localhost", "first canary room")
	if asked("first canary") != 1 {
		t.Errorf("the model was asked %d times about the first session", asked("first canary"))
	}

	second := told(2, "example-7b@localhost")
	run("session", "event", "--id", second, "--kind", "note", "--text", "The scanner in the second canary room works again")
	serve("example-14b")
	run("session", "end", "--id", second)
	written(second, "rules", "second canary room")
	if asked("second canary") != 0 {
		t.Error("a model was asked about a session that was allowed for another")
	}

	third := told(3, "example-14b@localhost")
	run("session", "event", "--id", third, "--kind", "note", "--text", "The mouse in the third canary room works again")
	run("session", "end", "--id", third)
	written(third, "example-14b@localhost", "third canary room")
}
