//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// TestIncoming: the company asks about the computers that it manages, by its
// option and a policy. Under an enforced policy a session is recorded with a
// notice and no question, the person can object, and the company has it so. With
// the option for all and no enforcement, Denied counts. With the option off, the
// person is asked as for any session.
func TestIncoming(t *testing.T) {
	w := newWorld(t, "")
	server := func(args ...string) string {
		t.Helper()
		res, err := w.Run(60*time.Second, rig.Cmd{Name: "aval-summarizer", Path: w.Program("aval-summarizer"),
			Args: append(args, "--data", w.summarizer.Data)})
		w.must(err)
		if res.Code != 0 {
			t.Fatalf("%v: %s%s", args, res.Stdout, res.Stderr)
		}
		return res.Stdout
	}
	type status struct {
		Incoming string `json:"incoming"`
		Required bool   `json:"required"`
	}
	has := func(incoming string, required bool) {
		t.Helper()
		w.must(w.Wait("the computer has the option "+incoming, 15*time.Second, func() (bool, error) {
			var s status
			err := w.agent.JSON(&s, "status")
			return s == status{incoming, required}, err
		}))
	}
	begin := func(id string) rig.Consent {
		t.Helper()
		var got rig.Consent
		w.must(w.agent.JSON(&got, "session", "begin", "--tool", "example", "--id", id, "--supporter", "Ana Souza"))
		return got
	}
	recorded := func(session string) rig.Consent {
		t.Helper()
		all, err := w.agent.Consents()
		w.must(err)
		for _, c := range all {
			if c.Session == session {
				return c
			}
		}
		t.Fatalf("no record of %s: %+v", session, all)
		return rig.Consent{}
	}
	w.must(w.agent.WaitLink(20 * time.Second))
	has("off", false)
	server("policy", "create", "Offices")
	server("policy", "set", "Offices", "Reporting=on", "Insights=on", "--enforce")
	server("policy", "publish", "Offices")
	server("policy", "assign", "Offices", "--all")
	server("company", "set", "outgoing=off", "incoming=policy")
	has("policy", true)
	_, err := w.agent.CLI("settings", "set", "session-insights", "denied")
	w.must(err)
	d := w.desktop("desk", rig.WithGL)

	// Required by policy: a notice, no question, whatever the person has chosen.
	if got := begin("1"); got.Verdict != "allow" {
		t.Fatalf("begin: %+v", got)
	}
	w.recording("example/1", true, 20*time.Second)
	win, err := d.WaitWindow("the notice", 20*time.Second, rig.OfUI)
	w.must(err)
	w.picture(d.Display, "incoming")
	t.Logf("the notice: %+v", win)
	if c := recorded("example/1"); c.Direction != "incoming" || c.Basis != "enforced-policy" || c.Outcome != "allowed" {
		t.Errorf("the record: %+v", c)
	}
	res, err := w.agent.CLI("policy", "explain")
	w.must(err)
	for _, want := range []string{"because it manages this computer (its option for incoming sessions: policy): allowed", "your own setting does not count here"} {
		if !strings.Contains(res.Stdout, want) {
			t.Errorf("explain does not say %q:\n%s", want, res.Stdout)
		}
	}
	res, err = w.agent.CLI("status")
	w.must(err)
	if !strings.Contains(res.Stdout, "recorded whatever people here have chosen") {
		t.Errorf("status:\n%s", res.Stdout)
	}
	res, err = w.agent.CLI("session", "event", "--id", "1", "--kind", "note", "--text", "the printer works")
	w.must(err)
	if res.Code != 0 {
		t.Errorf("event: %s", res.Stderr)
	}
	res, err = w.agent.CLI("consent", "withdraw", "example/1")
	w.must(err)
	if res.Code != 3 || recorded("example/1").Outcome != "objected" {
		t.Errorf("withdraw: exit %d, %s%s", res.Code, res.Stdout, res.Stderr)
	}
	_, err = w.agent.CLI("session", "end", "--id", "1")
	w.must(err)
	w.arrived("example/1")
	var out struct {
		Sessions []struct {
			ID, Direction, Basis string
			Objected             string `json:"objected_at"`
		}
	}
	w.must(w.Wait("the objection at the company", 20*time.Second, func() (bool, error) {
		err := json.Unmarshal([]byte(server("export", "--json")), &out)
		return len(out.Sessions) == 1 && out.Sessions[0].Objected != "", err
	}))
	if s := out.Sessions[0]; s.ID != "example/1" || s.Direction != "incoming" || s.Basis != "enforced-policy" {
		t.Errorf("export: %+v", s)
	}

	// For all, and people may refuse: Denied counts.
	server("policy", "unassign", "--all")
	server("company", "set", "incoming=all", "incoming_enforced=false")
	has("all", false)
	if got := begin("2"); got.Verdict != "deny" || got.Reason != "denied-by-setting" || recorded("example/2").Direction != "incoming" {
		t.Errorf("begin: %+v", got)
	}
	_, err = w.agent.CLI("session", "end", "--id", "2")
	w.must(err)

	// Not any more: the session is one that the company's people start.
	server("company", "set", "incoming=off", "outgoing=all")
	has("off", false)
	_, err = w.agent.CLI("settings", "set", "session-insights", "default")
	w.must(err)
	if got := begin("3"); got.Verdict != "ask" || recorded("example/3").Direction != "outgoing" {
		t.Errorf("begin: %+v", got)
	}
}
