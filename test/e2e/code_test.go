//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// TestSessionCode: a supporter is connected to a computer that no company
// manages, so nobody asks. The person enters the code that the supporter gave;
// then they are asked in the name of the server, for this very session, and with
// their yes it is recorded and summarised there. The code is not good again.
// To see it fail, let Agent.openFor find nothing: the code then opens a session
// of its own, which does not end when the supporter leaves.
func TestSessionCode(t *testing.T) {
	w := newStrangers(t, "", nil)
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	if row := w.decided(10 * time.Second); row.Outcome != "not-requested" {
		t.Fatalf("before the code: %+v", row)
	}
	code, err := w.summarizer.Code("Ana Souza")
	w.must(err)
	res, err := w.agent.Join(code)
	w.must(err)
	var joined struct{ Session, Verdict, Company string }
	if err := json.Unmarshal([]byte(res.Stdout), &joined); err != nil || joined.Verdict != "ask" || !strings.HasPrefix(joined.Session, "x11vnc/") {
		t.Fatalf("join: status %d, %s%s", res.Code, res.Stdout, res.Stderr)
	}
	q := w.question(d)
	w.picture(d.Display, "question")
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	w.recording(joined.Session, true, 15*time.Second)
	w.show(d, "CANARY-BY-CODE")
	w.must(s.Leave())
	got := w.arrived(joined.Session)
	if got.Supporter != "Ana Souza" || !strings.Contains(texts(got), "CANARY-BY-CODE") {
		t.Errorf("arrived: %q\n%s", got.Supporter, texts(got))
	}
	if res, err := w.agent.Join(code); err != nil || res.Code != 3 || !strings.Contains(res.Stderr, "used already") {
		t.Errorf("the same code again: status %d, %s, %v", res.Code, res.Stderr, err)
	}
}

// TestAnnouncedSession: one of the company's people announces that they are about
// to connect to a computer of the company's, by its Aval ID; the supporter who then
// comes by VNC is asked about under that name, and the summary has it. To see it
// fail, let Agent.announcedNow do nothing.
func TestAnnouncedSession(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	var id struct{ Device string }
	w.must(w.agent.JSON(&id, "status"))
	var user struct{ ID string }
	w.must(w.summarizer.JSON(&user, "user", "create", "Ana Souza"))
	var said struct{ Delivered bool }
	w.must(w.summarizer.JSON(&said, "session", "announce", "--user", user.ID, "--device", id.Device))
	if !said.Delivered {
		t.Fatal("the computer was not told")
	}
	s := w.connect(d)
	q := w.question(d)
	w.picture(d.Display, "question")
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	w.show(d, "CANARY-ANNOUNCED")
	w.must(s.Leave())
	if got := w.arrived(row.Session); got.Supporter != "Ana Souza" || !strings.Contains(texts(got), "CANARY-ANNOUNCED") {
		t.Errorf("arrived: %q\n%s", got.Supporter, texts(got))
	}
}
