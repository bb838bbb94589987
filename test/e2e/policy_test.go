//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// policyShown is what `aval policy show --json` says, as far as this test reads it.
type policyShown struct {
	State  string `json:"state"`
	Server struct {
		Version       int64  `json:"version"`
		Policy        string `json:"policy"`
		PolicyVersion int64  `json:"policy_version"`
		Releases      string `json:"releases"`
		Refused       string `json:"refused"`
	} `json:"server"`
}

// TestPolicyFromTheServer: what an administrator publishes reaches the computer
// within seconds, ends what it denies, and the next decision follows it; the
// receipt names it. A server that was rolled back to an older state is refused
// and reported, and the newer policy goes on. To plant the bug, leave the look at
// t.Version out of record.openOptions.
func TestPolicyFromTheServer(t *testing.T) {
	const soon = 10 * time.Second // 2 s is how often the server looks
	w := newWorld(t, "")
	policy := func(args ...string) {
		t.Helper()
		res, err := w.Run(60*time.Second, rig.Cmd{Name: "aval-summarizer", Path: w.Program("aval-summarizer"),
			Args: append(append([]string{"policy"}, args...), "--data", w.summarizer.Data)})
		w.must(err)
		if res.Code != 0 {
			t.Fatalf("policy %v: %s%s", args, res.Stdout, res.Stderr)
		}
	}
	show := func() (p policyShown) {
		t.Helper()
		w.must(w.agent.JSON(&p, "policy", "show"))
		return p
	}
	has := func(version int64) {
		t.Helper()
		w.must(w.Wait("the computer has the policy", soon, func() (bool, error) { return show().Server.PolicyVersion == version, nil }))
	}
	begin := func(id string) rig.Consent {
		t.Helper()
		var got rig.Consent
		w.must(w.agent.JSON(&got, "session", "begin", "--tool", "example", "--id", id, "--supporter", "Ana Souza", "--hold"))
		return got
	}
	w.must(w.agent.WaitLink(20 * time.Second))
	if p := show(); p.State != "fresh" || // the file that names the test's devices
		p.Server.Version < 1 || p.Server.Policy != "" || p.Server.Releases != "server" {
		t.Errorf("before: %+v", p)
	}

	// A session is recorded by the person's standing setting, with the bar.
	res, err := w.agent.CLI("settings", "set", "session-insights", "allowed")
	w.must(err)
	if res.Code != 0 {
		t.Fatal(res.Stderr)
	}
	w.desktop("desk", rig.WithGL)
	if got := begin("1"); got.Verdict != "allow" {
		t.Fatalf("begin: %+v", got)
	}
	w.recording("example/1", true, 20*time.Second)

	// The company publishes that nothing is recorded.
	policy("create", "Offices")
	policy("set", "Offices", "AccessControl=denied", "--enforce")
	policy("publish", "Offices")
	policy("assign", "Offices", "--all")
	published := time.Now()
	has(1)
	t.Logf("on the computer %s after it was assigned", time.Since(published).Round(100*time.Millisecond))
	w.recording("example/1", false, soon)
	if got := begin("2"); got.Verdict != "deny" || got.Reason != "denied-by-policy" {
		t.Errorf("under the policy: %+v", got)
	}
	res, err = w.agent.CLI("consent", "receipt", "example/2", "--lang", "en")
	w.must(err)
	if page := strings.Join(strings.Fields(res.Stdout), " "); !strings.Contains(page, "server:Offices version 1") || !strings.Contains(page, "server may by itself send values") {
		t.Errorf("receipt:\n%s", res.Stdout)
	}
	res, err = w.agent.CLI("policy", "explain")
	w.must(err)
	for _, want := range []string{"> policy, enforced", "server:Offices version 1", "server:     policy Offices version 1", "the server's own key is enough"} {
		if !strings.Contains(res.Stdout, want) {
			t.Errorf("explain does not say %q:\n%s", want, res.Stdout)
		}
	}
	if n := strings.Count(res.Stdout, "\n"); n > 40 {
		t.Errorf("explain needs %d lines: more than one screen", n)
	}

	// The server is put back to what it was before it published stricter things.
	policy("set", "Offices", "AccessControl=after-confirmation", "--enforce")
	policy("publish", "Offices")
	has(2)
	w.must(w.summarizer.Stop(10 * time.Second))
	backup := w.Path("backup")
	w.must(os.CopyFS(backup, os.DirFS(w.summarizer.Data)))
	w.must(w.summarizer.Restart())
	w.must(w.agent.WaitLink(30 * time.Second))
	policy("set", "Offices", "AccessControl=denied", "--enforce")
	policy("publish", "Offices")
	has(3)
	newest := show().Server.Version
	w.must(w.summarizer.Stop(10 * time.Second))
	w.must(os.RemoveAll(w.summarizer.Data))
	w.must(os.Rename(backup, w.summarizer.Data))
	w.must(w.summarizer.Restart())
	w.must(w.Wait("the older options are refused", 60*time.Second, func() (bool, error) {
		return strings.Contains(show().Server.Refused, "is older than"), nil
	}))
	if p := show(); p.Server.Version != newest || p.Server.PolicyVersion != 3 {
		t.Errorf("after the rollback: %+v", p)
	}
	if got := begin("3"); got.Verdict != "deny" || got.Reason != "denied-by-policy" {
		t.Errorf("after the rollback: %+v", got)
	}
	var status struct {
		Notes []string `json:"notes"`
	}
	w.must(w.agent.JSON(&status, "status"))
	if notes, _ := json.Marshal(status.Notes); !strings.Contains(string(notes), "were refused and change nothing") {
		t.Errorf("status does not say it: %s", notes)
	}
}
