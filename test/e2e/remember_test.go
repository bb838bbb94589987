//go:build e2e

package e2e

import (
	"image"
	"testing"
	"time"

	"aval/test/rig"
)

// TestFurtherSession: the person ticks that their yes holds for further sessions,
// and allows the first by their own hand. The next one of the same supporter is not
// asked about, and its record names that answer; through a restart, too. Whoever
// stops it takes the answer back: then they are asked again. Planted: let remembered
// find nothing, and the second asks; stopStream without revoke, and the last does not.
func TestFurtherSession(t *testing.T) {
	w := newWorld(t, `{"AllowMinutes": 60, "QuestionSeconds": 120}`)
	d := w.desktop("desk", rig.WithGL)
	id, q := w.begin(d, "first")
	w.picture(d.Display, "question")
	middle := q.Rect.Min.Add(q.Rect.Max).Div(2)
	w.must(d.HandScroll(middle, 12)) // the tick is the last of what is above the buttons
	w.picture(d.Display, "scrolled")
	w.must(d.HandClick(image.Pt(q.Rect.Min.X+36, q.No.Y-138)))
	w.picture(d.Display, "ticked")
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	w.must(w.Wait("the answer", 10*time.Second, func() (bool, error) { return w.stateOf(id) == "allowed", nil }))
	first := w.row(id)
	if first.Provenance != "P2" || !first.Test || first.Lasts.IsZero() {
		t.Fatalf("the first grant is %+v", first)
	}
	w.end(d, id)
	again := func(id string) rig.Consent {
		t.Helper()
		var begun struct{ Verdict, Outcome, Ending string }
		w.must(w.agent.JSON(&begun, "session", "begin", "--tool", "other", "--id", id, "--supporter", "Example", "--desktop", d.Name))
		row := w.row(id)
		if begun.Verdict != "ask" || row.Outcome != "allowed" || row.Ending != "earlier-answer" || row.Answer != first.ID || !row.Lasts.IsZero() {
			w.picture(d.Display, id)
			t.Fatalf("%s: %+v, its record %+v", id, begun, row)
		}
		w.recording(row.Session, true, 15*time.Second)
		if n := len(d.Find(rig.OfUI)); n != 0 {
			t.Errorf("%s: %d windows of Aval's", id, n)
		}
		return row
	}
	second := again("second")
	w.show(d, "CANARY-SECOND")
	w.until(second.Session, "CANARY-SECOND")
	w.end(d, "second")
	w.arrived(second.Session)
	w.agent.Kill()
	w.must(w.agent.Restart())
	w.must(w.agent.WaitLink(30 * time.Second))
	w.must(w.agent.WaitDesktop(d.Display, d.helper))
	third := again("third")
	w.picture(d.Display, "not-asked")
	w.press(d, barStop, third.Session, false)
	w.end(d, "third")
	id, q = w.begin(d, "fourth")
	w.must(q.Answer(false))
	w.must(w.Wait("the answer", 10*time.Second, func() (bool, error) { return w.stateOf(id) == "refused", nil }))
}
