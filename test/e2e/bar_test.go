//go:build e2e

package e2e

import (
	"image"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// Places on the bar, counted from its right end: Stop, and Pause,
// which turns into Resume.
const (
	barStop  = 80
	barPause = 156
)

// press clicks a place of the bar by hand until the session records, or does not:
// a bar that has only just appeared, or changed, does not take a click yet.
func (w *world) press(d *desk, fromRight int, session string, want bool) {
	w.t.Helper()
	for range 5 {
		bar, err := d.WaitWindow("the bar", 10*time.Second, rig.OfDesktop)
		w.must(err)
		w.must(d.HandClick(image.Pt(bar.Rect.Max.X-fromRight, bar.Rect.Min.Y+bar.Rect.Dy()/2)))
		if w.Wait("the bar's button", 900*time.Millisecond, func() (bool, error) { return w.records(session) == want, nil }) == nil {
			return
		}
	}
	w.t.Fatalf("recording did not turn to %v after five clicks", want)
}

// records tells whether a session is being recorded now.
func (w *world) records(session string) bool {
	all, err := w.agent.Sessions()
	w.must(err)
	for _, s := range all {
		if s.Session == session {
			return s.Recording
		}
	}
	return false
}

// begun starts a session that is recorded.
func (w *world) begun(d *desk) (*rig.Supporter, rig.Consent) {
	w.t.Helper()
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	return s, row
}

func TestStop(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	s, row := w.begun(d)
	w.show(d, "CANARY-BEFORE-STOP")
	w.until(row.Session, "CANARY-BEFORE-STOP")
	w.press(d, barStop, row.Session, false)
	w.show(d, "CANARY-AFTER-STOP")
	w.goesOn(d, s)
	w.must(s.Leave())
	got := w.arrived(row.Session)
	// Stop takes the permission back, so not even the mark of an end leaves after it.
	if w.state() != "withdrawn" {
		t.Errorf("the decision now says %s", w.state())
	}
	if !strings.Contains(texts(got), "CANARY-BEFORE-STOP") {
		t.Error("what was recorded before Stop is gone, although nobody asked to delete it")
	}
	w.nowhere("CANARY-AFTER-STOP")
}

func TestPause(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	s, row := w.begun(d)
	w.press(d, barPause, row.Session, false)
	w.picture(d.Display, "paused")
	win := w.open(d, "CANARY-PAUSED")
	w.must(d.HandClick(centre(win)))
	w.must(d.SetTitle(win.ID, "CANARY-PAUSED-AGAIN"))
	w.press(d, barPause, row.Session, true)
	w.show(d, "CANARY-RESUMED")
	w.until(row.Session, "CANARY-RESUMED")
	w.must(s.Leave())
	got := texts(w.arrived(row.Session))
	for _, want := range []string{"paused", "resumed", "CANARY-RESUMED"} {
		if !strings.Contains(got, want) {
			t.Errorf("the record lacks %q:\n%s", want, got)
		}
	}
	w.nowhere("CANARY-PAUSED")
}
