//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"aval/test/rig"
)

// TestAfterLeaving: where it cannot be told whose hand allowed it, nothing leaves
// this computer until the supporter has left and the person says so. To see it
// fail, let the store open such a stream with OpenStream, or let the uplink and
// Read not look at Held.
func TestAfterLeaving(t *testing.T) {
	for _, send := range []bool{true, false} {
		t.Run(map[bool]string{true: "send", false: "delete"}[send], func(t *testing.T) {
			w := newWorld(t, "")
			// No device is named for tests: the hand's is then one of which nothing is known.
			w.must(os.Remove(filepath.Join(w.agent.Policy, "managed", "hands.json")))
			d := w.desktop("desk", rig.WithGL)
			id, first := w.begin(d, "left")
			w.must(first.Answer(true))
			w.must(w.Wait("the answer", 15*time.Second, func() (bool, error) { return w.stateOf(id) == "allowed", nil }))
			row := w.row(id)
			if row.Outcome != "allowed" || row.Provenance != "P0" || !row.Held {
				t.Fatalf("the decision is %+v", row)
			}
			w.recording(row.Session, true, 15*time.Second)
			const canary = "CANARY-HELD-4713"
			note(w, row.Session, canary)
			res, err := w.agent.CLI("session", "end", "--id", id)
			w.must(err)
			if res.Code != 0 {
				t.Fatal(res.Stderr)
			}
			q := w.question(d)
			w.picture(d.Display, "after-leaving")
			w.nothingAtTheServer(canary)
			// The service dies and comes back: it asks again, and still nothing has left.
			w.agent.Kill()
			w.must(w.agent.Restart())
			w.must(w.agent.WaitLink(30 * time.Second))
			w.must(d.WaitNoWindow("the old question", 20*time.Second, func(x rig.Window) bool { return x.ID == q.ID }))
			q = w.question(d)
			w.nothingAtTheServer(canary)
			w.must(q.WaitReady())
			w.must(q.Answer(send))
			if send {
				if got := w.arrived(row.Session); len(got.Events) < 3 {
					t.Errorf("%d events arrived", len(got.Events))
				}
				return
			}
			w.must(w.Wait("the deletion", 20*time.Second, func() (bool, error) { return w.decidedNow().Outcome == "erased", nil }))
			w.nothingAtTheServer(canary)
			w.nowhere(canary)
		})
	}
}

func (w *world) decidedNow() rig.Consent {
	w.t.Helper()
	rows, err := w.agent.Consents()
	w.must(err)
	return rows[0]
}

// nothingAtTheServer proves that the company has no session at all.
func (w *world) nothingAtTheServer(canary string) {
	w.t.Helper()
	e, err := w.summarizer.Export()
	w.must(err)
	if len(e.Sessions) != 0 {
		w.t.Fatalf("the summarizer has %+v", e.Sessions)
	}
	for _, where := range w.search(canary) {
		if len(where) > 10 && where[:10] == "summarizer" {
			w.t.Fatalf("%q is in %s", canary, where)
		}
	}
}
