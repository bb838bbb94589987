//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// enteredCode is what aval sign-in shows.
var enteredCode = regexp.MustCompile(`Enter ([0-9A-Z]{4}-[0-9A-Z]{4})\n`)

// signIn signs the computer's person in to a new account of the company, as both
// ends do it, and waits for the link.
func (w *world) signIn(user string) {
	w.t.Helper()
	raw, err := w.summarizer.FirstStart("enrolment-token")
	w.must(err)
	var token rig.Token
	w.must(json.Unmarshal([]byte(raw), &token))
	var made struct{ ID string }
	w.must(w.summarizer.JSON(&made, "user", "create", user))
	p, err := w.Start(rig.Cmd{Name: "aval-sign-in", Path: w.Program("aval"), Args: []string{"sign-in", "--server", token.Server + "#" + token.Pin, "--socket", w.agent.Socket}})
	w.must(err)
	var code string
	w.must(w.Wait("the code", 30*time.Second, func() (bool, error) {
		if m := enteredCode.FindStringSubmatch(p.Tail() + "\n"); m != nil {
			code = m[1]
		}
		return code != "", nil
	}))
	var approved struct{ Name string }
	w.must(w.summarizer.JSON(&approved, "device", "approve", code, "--user", made.ID))
	if host, _ := os.Hostname(); approved.Name != host {
		w.t.Errorf("approved %q", approved.Name)
	}
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		w.t.Fatal("aval sign-in does not end")
	}
	if p.ExitCode() != 0 {
		w.t.Fatalf("aval sign-in: status %d: %s", p.ExitCode(), p.Tail())
	}
	w.must(w.agent.WaitLink(30 * time.Second))
}

// TestSignIn: nobody manages the computer, and its person signs in to their account
// of a company that asks about all incoming sessions and enforces that. A supporter
// who comes is nobody whom the company knows; the person is asked all the same, in
// the name of the server, and with their yes it is summarised there. Signing out
// ends the recording that runs, and what is done afterwards is nowhere. Planted:
// with policy.Unmanaged doing nothing nobody was asked; with leave neither finishing
// the recordings nor having them reviewed, one went on after signing out.
func TestSignIn(t *testing.T) {
	w := newStrangers(t, "", nil)
	d := w.desktop("desk", rig.WithGL)
	var set struct{}
	w.must(w.summarizer.JSON(&set, "company", "set", "outgoing=off", "incoming=all", "incoming_enforced=true"))
	w.signIn("Ana Souza")
	var st struct{ Account, Company string }
	if w.must(w.agent.JSON(&st, "status")); st.Account != "Ana Souza" || st.Company != "Example Support" {
		t.Errorf("%+v", st)
	}

	s := w.connect(d)
	q := w.question(d)
	w.picture(d.Display, "question")
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	if row.Direction != "incoming" || row.Verdict != "ask" || row.Basis != "consent" {
		t.Errorf("%+v", row)
	}
	w.recording(row.Session, true, 15*time.Second)
	w.show(d, "CANARY-OF-AN-ACCOUNT")
	w.must(s.Leave())
	if got := w.arrived(row.Session); !strings.Contains(texts(got), "CANARY-OF-AN-ACCOUNT") {
		t.Errorf("arrived: %s", texts(got))
	}

	s = w.connect(d)
	q = w.question(d)
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	second := w.decided(10 * time.Second)
	w.recording(second.Session, true, 15*time.Second)
	res, err := w.agent.CLI("sign-out")
	w.must(err)
	if res.Code != 0 {
		t.Fatalf("sign-out: status %d, %s", res.Code, res.Stderr)
	}
	w.recording(second.Session, false, 5*time.Second)
	w.show(d, "CANARY-AFTER-SIGNING-OUT")
	w.goesOn(d, s)
	w.must(s.Leave())
	third := w.connect(d)
	w.must(third.WaitConnected(20 * time.Second))
	if row := w.decided(10 * time.Second); row.Outcome != "not-requested" || row.Session == second.Session {
		t.Errorf("signed out: %+v", row)
	}
	w.must(third.Leave())
	w.nowhere("CANARY-AFTER-SIGNING-OUT")
}
