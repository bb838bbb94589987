//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestSummaryComesBack: what the company's server has written about a session
// can be read on the computer that it was about, and is gone with the session.
// (Without onSummary in agent/uplink the wait ends in vain: seen in test/link.)
func TestSummaryComesBack(t *testing.T) {
	w := newWorld(t, "")
	run := func(args ...string) {
		t.Helper()
		res, err := w.agent.CLI(args...)
		w.must(err)
		if res.Code != 0 {
			t.Fatal(res.Stderr)
		}
	}
	type shown struct {
		Outcome string
		Summary *struct {
			Version uint64
			Engine  string
			Text    string
		}
		Copies []struct{ Where, Fate string }
	}
	show := func() (s shown, err error) { return s, w.agent.JSON(&s, "consent", "show", "example/1") }

	run("settings", "set", "session-insights", "allowed")
	d := w.desktop("desk", "")
	run("session", "begin", "--tool", "example", "--id", "1", "--supporter", "Ana Souza", "--desktop", d.Name)
	w.recording("example/1", true, 15*time.Second)
	run("session", "event", "--id", "1", "--kind", "note", "--text", "The printer in the canary room works again")
	run("session", "end", "--id", "1")
	w.must(w.Wait("the company's summary", 40*time.Second, func() (bool, error) {
		s, err := show()
		return s.Summary != nil && strings.Contains(s.Summary.Text, "canary room"), err
	}))
	if s, err := show(); err != nil || s.Summary.Version != 1 || s.Summary.Engine != "rules" {
		t.Errorf("%+v %v", s.Summary, err)
	}
	run("consent", "withdraw", "example/1", "--delete")
	w.must(w.Wait("the company's word that its copy is gone", 20*time.Second, func() (bool, error) {
		s, err := show()
		return s.Summary == nil && len(s.Copies) == 2 && s.Copies[1].Fate == "confirmed", err
	}))
}
