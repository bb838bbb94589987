//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// begin registers a session of the command line and waits for its question. A
// window that a busy machine does not paint in time is asked for once more: what
// it is attacked with here needs one.
func (w *world) begin(d *desk, name string) (id string, q *rig.Question) {
	w.t.Helper()
	for i := range 3 {
		id = fmt.Sprintf("%s-%d", name, i)
		var begun struct{ Verdict, Reason string }
		w.must(w.agent.JSON(&begun, "session", "begin", "--tool", "other", "--id", id, "--supporter", "Example", "--desktop", d.Name))
		if begun.Verdict != "ask" {
			w.t.Fatalf("decided %+v", begun)
		}
		q, err := w.WaitQuestion(d.Display, 10*time.Second)
		if err == nil {
			err = q.WaitReady()
		}
		if err == nil {
			return id, q
		}
		w.t.Logf("%s: %v", id, err)
		w.end(d, id)
	}
	w.t.Fatalf("no question for %s", name)
	return "", nil
}

// end ends such a session; its question goes.
func (w *world) end(d *desk, id string) {
	w.t.Helper()
	res, err := w.agent.CLI("session", "end", "--id", id)
	w.must(err)
	if res.Code != 0 {
		w.t.Fatal(res.Stderr)
	}
	w.must(d.WaitNoWindow("the question", 10*time.Second, rig.OfUI))
}

// attempts is how often each attack is tried here; the long run does it more
// often, and in more windows.
const attempts = 3

// TestHands: nobody but the person in front of the computer says yes. Each way
// to say it for them is tried several times on one question, and then the
// person's own hand still counts. Let Weigh count an injected press, leave out
// the look at what is in front of the window, or do without Press.Led, and its
// line fails.
func TestHands(t *testing.T) {
	w := newWorld(t, `{"QuestionSeconds": 300}`)
	d := w.desktop("desk", rig.WithGL)
	vnc, err := w.StartVNC(d.Display, rig.Hooks{})
	w.must(err)
	s, err := w.StartSupporter(vnc, d.Display)
	w.must(err)
	w.must(s.WaitConnected(20 * time.Second))
	scene := &rig.Scene{R: w.Rig, A: w.agent, D: d.Display, S: s}
	for i, answer := range []func(*rig.Question) error{
		func(q *rig.Question) error { return q.Answer(true) }, (*rig.Question).HandAllow,
	} {
		var id string
		id, scene.Q = w.begin(d, fmt.Sprintf("question-%d", i))
		for _, a := range rig.Attacks {
			before := w.refused()
			for n := range attempts {
				w.must(scene.Q.WaitReady())
				if err := a.Try(scene); err != nil {
					t.Fatalf("%s: attempt %d: %v; the question is %s", a.Name, n+1, err, w.stateOf(id))
				}
				if state := w.stateOf(id); state != "asking" {
					w.picture(d.Display, a.Name)
					t.Fatalf("%s: after attempt %d the question is %s", a.Name, n+1, state)
				}
			}
			w.picture(d.Display, fmt.Sprintf("%d-%s", i, a.Name))
			after := w.refused()
			t.Logf("%s: %d attempts, %d of them a yes that did not count", a.Name, attempts, after-before)
			if a.Reaches && after == before {
				t.Errorf("%s: no attempt reached the button: it shows nothing", a.Name)
			}
		}
		// The person's own hand still counts, by mouse and by keyboard.
		w.must(scene.Q.WaitReady())
		w.must(answer(scene.Q))
		w.must(w.Wait("the answer", 10*time.Second, func() (bool, error) { return w.stateOf(id) == "allowed", nil }))
		if row := w.row(id); row.Provenance != "P2" || !row.Test {
			t.Errorf("the grant is %+v", row)
		}
		w.end(d, id)
	}
}

// TestPlayedDesktop: with the programs installed, another program of the same
// user plays the desktop and the window over the socket, with all that the
// service tells the real ones, and gets nowhere; the real ones go on. Take
// barred out of register or claim, and it fails.
func TestPlayedDesktop(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give programs to a group")
	}
	w := newWorldOf(t, `{"QuestionSeconds": 120}`, func(r *rig.Rig) error { return r.Install("games") })
	d := w.desktop("desk", rig.WithGL)
	id, q := w.begin(d, "played")
	for n := range attempts {
		if said, err := rig.PlayDesktop(t.Context(), w.agent.Socket, d.Name); err == nil {
			t.Fatalf("attempt %d: %s", n+1, said)
		} else if n == 0 {
			t.Log(err)
		}
		if state := w.stateOf(id); state != "asking" {
			t.Fatalf("attempt %d: the question is %s", n+1, state)
		}
	}
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	w.must(w.Wait("the answer", 10*time.Second, func() (bool, error) { return w.stateOf(id) == "allowed", nil }))
	if row := w.row(id); row.Provenance != "P2" || !row.Test {
		t.Errorf("%+v", row)
	}
}

// refused counts the yeses that did not count, as the service's log tells them.
func (w *world) refused() int { return w.logged("a yes that does not count") }

// logged counts what the service's log says of something.
func (w *world) logged(what string) int {
	w.t.Helper()
	raw, err := os.ReadFile(w.agent.Log)
	w.must(err)
	return strings.Count(string(raw), what)
}

// row is the newest decision on a session of begin.
func (w *world) row(id string) rig.Consent {
	w.t.Helper()
	rows, err := w.agent.Consents()
	w.must(err)
	for _, r := range rows {
		if strings.HasSuffix(r.Session, "/"+id) {
			return r
		}
	}
	w.t.Fatal(fmt.Errorf("no decision on %s", id))
	return rig.Consent{}
}

func (w *world) stateOf(id string) string { return w.row(id).Outcome }
