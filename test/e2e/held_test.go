//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"image"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// stopAndDelete presses ⋯, Stop and delete, and that once more, with a hand of the
// caller's. The bar's buttons count only a moment after they came.
func (w *world) stopAndDelete(d *desk, session string, click func(image.Point) error) {
	w.t.Helper()
	bar := func(tall bool) (b rig.Window, err error) {
		err = w.Wait("the bar", 3*time.Second, func() (bool, error) {
			b, err = d.WaitWindow("the bar", 5*time.Second, rig.OfDesktop)
			return err == nil && b.Rect.Dy() > 60 == tall, err
		})
		never := func() (bool, error) { return false, nil }
		_ = w.Wait("the buttons", 1200*time.Millisecond, never)
		return b, err
	}
	for range 5 {
		b, err := bar(false)
		if err == nil {
			w.must(click(image.Pt(b.Rect.Max.X-24, b.Rect.Min.Y+23)))
			b, err = bar(true)
		}
		if err == nil {
			w.must(click(image.Pt(b.Rect.Max.X-66, b.Rect.Max.Y-23)))
			b, err = bar(false)
		}
		if err == nil {
			w.picture(d.Display, "stop-and-delete")
			w.must(click(image.Pt(b.Rect.Max.X-150, b.Rect.Min.Y+23)))
			err = w.Wait("the stop", 3*time.Second, func() (bool, error) { return !w.records(session), nil })
		}
		if err == nil {
			return
		}
	}
	w.picture(d.Display, "no-stop-and-delete")
	w.t.Fatal("Stop and delete did not stop")
}

// TestDeleteByAnotherHand: a supporter presses Stop and delete. It stops at once and
// not one more byte leaves, and nothing is destroyed; when they have left the person
// is asked, whom a program cannot answer for, and what they say is done. Pressed by
// the person's own hand it is deleted at once. Planted: let agent.withdraw not look
// at Proven, and the record is gone while the supporter is there; let uplink and
// Read not look at DeleteAsked, and its end arrives before the answer.
func TestDeleteByAnotherHand(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	const through, xtest, own = "x11vnc", "xtest", "hand"
	for i, tt := range []struct {
		how  string
		keep bool
	}{{through, true}, {xtest, false}, {own, false}} {
		s, row := w.begun(d)
		canary := fmt.Sprintf("CANARY-DELETE-%d", i)
		w.show(d, canary)
		w.until(row.Session, canary)
		w.must(w.Wait("the title at the summarizer", 20*time.Second, func() (bool, error) {
			e, err := w.summarizer.Export()
			return strings.Contains(fmt.Sprint(e), canary), err
		}))
		w.stopAndDelete(d, row.Session, map[string]func(image.Point) error{
			through: func(p image.Point) error { return s.Click(p, 1) },
			xtest:   func(p image.Point) error { return d.Click(p, 1) },
			own:     d.HandClick,
		}[tt.how])
		w.picture(d.Display, tt.how+"-pressed")
		if tt.how == own {
			w.must(w.Wait("the deletion", 10*time.Second, func() (bool, error) { return w.decidedNow().Outcome == "erased", nil }))
			w.forgotten(canary)
			w.handOfEnd(row, "P2", true)
			w.must(s.Leave())
			continue
		}
		if now := w.decidedNow(); now.Outcome != "withdrawn" || !now.Held {
			t.Errorf("%s: the decision is %+v", tt.how, now)
		}
		w.show(d, canary+"-AFTER")
		w.stillThere(row.Session, canary)
		w.must(s.Leave())
		q := w.question(d)
		w.picture(d.Display, tt.how+"-asked")
		// The service is killed and comes back: it asks again.
		w.agent.Kill()
		w.must(w.agent.Restart())
		w.must(w.agent.WaitLink(30 * time.Second))
		w.must(d.WaitNoWindow("the old question", 20*time.Second, func(x rig.Window) bool { return x.ID == q.ID }))
		q = w.question(d)
		w.must(q.WaitReady())
		w.must(errors.Join(d.Click(q.No, 1), d.Click(q.Yes, 1))) // a program's, which do not count
		w.picture(d.Display, tt.how+"-forged")
		w.stillThere(row.Session, canary)
		w.must(q.WaitReady())
		w.must(q.Answer(tt.keep))
		if tt.keep {
			if got := texts(w.arrived(row.Session)); !strings.Contains(got, canary) {
				t.Errorf("what was kept has not arrived:\n%s", got)
			}
			if now := w.decidedNow(); now.Outcome != "allowed" || now.Held {
				t.Errorf("the decision is %+v", now)
			}
		} else {
			w.must(w.Wait("the deletion", 20*time.Second, func() (bool, error) { return w.decidedNow().Outcome == "erased", nil }))
			w.forgotten(canary)
			w.handOfEnd(row, "P2", true)
		}
		w.nowhere(canary + "-AFTER")
	}
}

// stillThere proves that a session is with the company as far as it had left, and
// that its end is not.
func (w *world) stillThere(session, canary string) {
	w.t.Helper()
	e, err := w.summarizer.Export()
	w.must(err)
	for _, s := range e.Sessions {
		if s.ID == session {
			if text := texts(s); !strings.Contains(text, canary) || strings.Contains(text, "stopped") || s.HasSummary() {
				w.t.Errorf("the summarizer has\n%s", text)
			}
			return
		}
	}
	w.t.Errorf("the summarizer does not have %s", session)
}

// forgotten waits until the company has erased what holds the canary.
func (w *world) forgotten(canary string) {
	w.t.Helper()
	w.must(w.Wait("the deletion at the summarizer", 20*time.Second, func() (bool, error) {
		e, err := w.summarizer.Export()
		return err == nil && !strings.Contains(fmt.Sprint(e), canary), err
	}))
}

// handOfEnd looks at whose hand the receipt says ended a recording.
func (w *world) handOfEnd(row rig.Consent, provenance string, test bool) {
	w.t.Helper()
	var receipt struct {
		Later []struct {
			Type       string `json:"aval:type"`
			Provenance string `json:"aval:provenance"`
			Test       bool   `json:"aval:test"`
		} `json:"aval:later"`
	}
	w.must(w.agent.JSON(&receipt, "consent", "receipt", row.ID))
	for _, l := range receipt.Later {
		if strings.Contains(l.Type, "withdrawal") || strings.Contains(l.Type, "objection") {
			if l.Provenance != provenance || l.Test != test {
				w.t.Errorf("the receipt says %+v", l)
			}
			return
		}
	}
	w.t.Errorf("the receipt says %+v", receipt.Later)
}
