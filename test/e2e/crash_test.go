//go:build e2e

package e2e

import (
	"testing"
	"time"

	"aval/test/rig"
	"aval/test/torture"
)

// Agent and summarizer are killed at random moments of a recorded session: every
// note that its source was told is recorded arrives once, in order. Fifty times
// here; `make torture` does it more often.
func TestKilled(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	torture.Kill(t, w.Rig, w.agent, w.summarizer, d.Display, 50)
}

// The summarizer is away for a whole session: nothing changes but the delay.
func TestSummarizerAway(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	w.must(w.summarizer.Stop(10 * time.Second))
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	note(w, row.Session, "written while the server was away")
	w.must(s.Leave())
	w.recording(row.Session, false, 15*time.Second)
	st, err := w.agent.Status()
	w.must(err)
	if st.Waiting == 0 || st.Link == "connected" {
		t.Errorf("the status does not tell that events wait: %+v", st)
	}
	w.must(w.agent.Stop(5 * time.Second))
	w.must(w.agent.Restart())
	w.must(w.summarizer.Restart())
	got := w.arrived(row.Session)
	for i, e := range got.Events {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has the number %d", i+1, e.Seq)
		}
	}
	if n := len(got.Events); n == 0 || got.Events[n-1].Kind != "session-ended" {
		t.Errorf("the session is not whole: %s", texts(got))
	}
}

// The session ends while the service is dead: no recording outlives it.
func TestEndsWhileDead(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	w.agent.Kill()
	w.must(s.Leave())
	w.open(d, "CANARY-AFTER-THE-END")
	w.must(w.agent.Restart())
	w.recording(row.Session, false, 15*time.Second)
	got := w.arrived(row.Session)
	last := got.Events[len(got.Events)-1]
	if last.Kind != "session-ended" || last.Fields["reason"] != "lost" {
		t.Errorf("the last event is %+v", last)
	}
	w.nowhere("CANARY-AFTER-THE-END")
}

// The other way round: the supporter is still there after the restart, so the
// session goes on under the same grant, and a gap tells of the time between.
func TestGoesOnAfterRestart(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	w.agent.Kill()
	w.open(d, "CANARY-WHILE-DEAD")
	w.must(w.agent.Restart())
	w.recording(row.Session, true, 40*time.Second)
	w.show(d, "CANARY-ALIVE-AGAIN")
	w.until(row.Session, "CANARY-ALIVE-AGAIN")
	w.must(s.Leave())
	got := w.arrived(row.Session)
	gaps := 0
	for _, e := range got.Events {
		if e.Kind == "gap" && e.Fields["reason"] == "agent-restarted" {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("%d gaps tell of the restart:\n%s", gaps, texts(got))
	}
	w.nowhere("CANARY-WHILE-DEAD")
}
