//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// show opens a titled window on a desktop and brings it to the front.
func (w *world) show(d *desk, title string) {
	w.t.Helper()
	w.must(d.HandClick(centre(w.open(d, title))))
}

// texts is everything that a session's events say.
func texts(s rig.ExportSession) string {
	var b strings.Builder
	for _, e := range s.Events {
		fmt.Fprintln(&b, e.Kind, e.Fields)
	}
	return b.String()
}

// Two desktops, two supporters: one is allowed, the other denied.
func TestTwoDesktops(t *testing.T) {
	w := newWorld(t, "")
	a, b := w.desktop("first", rig.WithGL), w.desktop("second", rig.WithGL)
	sa := w.connect(a)
	w.must(w.question(a).Answer(true))
	w.must(sa.WaitConnected(20 * time.Second))
	yes := w.decided(10 * time.Second)
	w.recording(yes.Session, true, 15*time.Second)

	sb := w.connect(b)
	w.must(w.question(b).Answer(false))
	w.goesOn(b, sb)
	no := w.decided(10 * time.Second)
	if yes.Outcome != "allowed" || no.Outcome != "refused" || yes.Session == no.Session {
		t.Fatalf("decisions: %+v, %+v", yes, no)
	}
	// What happens on the other desktop is no reason to stop here.
	w.recording(yes.Session, true, 5*time.Second)
	w.show(a, "CANARY-FIRST-DESKTOP")
	w.show(b, "CANARY-SECOND-DESKTOP")
	w.must(sb.Click(centre(b.Find(rig.Classed("xterm"))[0]), 1))
	w.must(sb.Type("xmessage -name CANARY-SECOND-PROGRAM -geometry +600+100 x &\n"))
	if _, err := b.WaitWindow("the program on the second desktop", 15*time.Second, rig.Classed("CANARY-SECOND-PROGRAM")); err != nil {
		t.Fatal(err)
	}
	w.show(a, "CANARY-FIRST-LATER")
	w.must(sa.Leave())
	w.must(sb.Leave())
	got := w.arrived(yes.Session)
	for _, want := range []string{"CANARY-FIRST-DESKTOP", "CANARY-FIRST-LATER"} {
		if !strings.Contains(texts(got), want) {
			t.Errorf("the allowed session lacks %q:\n%s", want, texts(got))
		}
	}
	w.nowhere("CANARY-SECOND-DESKTOP", "CANARY-SECOND-PROGRAM")
	e, err := w.summarizer.Export()
	w.must(err)
	for _, s := range e.Sessions {
		if s.ID != yes.Session && len(s.Events) > 0 {
			t.Errorf("events of the denied session: %s", texts(s))
		}
	}
}

// Two supporters on one desktop: while the second is unanswered or denied,
// nothing that shows the desktop is recorded for the first.
func TestOneDesktopTwice(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	first := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(first.WaitConnected(20 * time.Second))
	yes := w.decided(10 * time.Second)
	w.recording(yes.Session, true, 15*time.Second)
	w.show(d, "CANARY-ALONE")
	w.until(yes.Session, "CANARY-ALONE")

	second := w.connect(d)
	q := w.question(d)
	w.open(d, "CANARY-UNANSWERED")
	w.must(q.Answer(false))
	w.must(second.WaitConnected(20 * time.Second))
	w.show(d, "CANARY-DENIED")
	// What does not show the desktop goes on.
	note(w, yes.Session, "a note of the first supporter")

	w.must(second.Leave())
	w.must(w.Wait("the end of the second session", 10*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		return err == nil && len(all) == 1, err
	}))
	w.show(d, "CANARY-ALONE-AGAIN")
	w.until(yes.Session, "CANARY-ALONE-AGAIN")
	w.must(first.Leave())
	got := texts(w.arrived(yes.Session))
	for _, want := range []string{"CANARY-ALONE", "a note of the first supporter", "other-session", "CANARY-ALONE-AGAIN"} {
		if !strings.Contains(got, want) {
			t.Errorf("the allowed session lacks %q:\n%s", want, got)
		}
	}
	w.nowhere("CANARY-UNANSWERED", "CANARY-DENIED")
}

// until waits until an event of the session says text.
func (w *world) until(session, text string) {
	w.t.Helper()
	w.must(w.Wait(text+" in the record", 15*time.Second, func() (bool, error) {
		sent, err := w.agent.Sent(session)
		return strings.Contains(fmt.Sprint(sent), text), err
	}))
}

// The bar's process dies: recording stops within two seconds, and goes on only
// once a bar is visible again.
func TestIndicatorLost(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	killed := time.Now()
	d.helper.Kill()
	w.recording(row.Session, false, 5*time.Second)
	if took := time.Since(killed); took > 2500*time.Millisecond {
		t.Errorf("it went on for %s without a visible bar", took)
	}
	w.show(d, "CANARY-NO-BAR")
	helper, err := w.agent.StartDesktop(d.Display)
	w.must(err)
	d.helper = helper
	w.recording(row.Session, true, 15*time.Second)
	w.must(s.Leave())
	got := texts(w.arrived(row.Session))
	if !strings.Contains(got, "indicator-lost") {
		t.Errorf("no gap tells that the bar was gone:\n%s", got)
	}
	w.nowhere("CANARY-NO-BAR")
}

// Withdrawn and deleted: nothing of the session is left anywhere.
func TestWithdrawAndDelete(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	w.show(d, "CANARY-TO-DELETE")
	w.until(row.Session, "CANARY-TO-DELETE")
	w.must(w.Wait("the title at the summarizer", 15*time.Second, func() (bool, error) {
		e, err := w.summarizer.Export()
		return strings.Contains(fmt.Sprint(e), "CANARY-TO-DELETE"), err
	}))
	// While the supporter is there, a command line may be theirs: it would only be asked for.
	w.must(s.Leave())
	w.gone(row.Session)
	res, err := w.agent.CLI("consent", "withdraw", row.ID, "--delete")
	w.must(err)
	if res.Code != 0 {
		t.Fatalf("withdraw: status %d: %s%s", res.Code, res.Stdout, res.Stderr)
	}
	w.must(w.Wait("the deletion at the summarizer", 20*time.Second, func() (bool, error) {
		e, err := w.summarizer.Export()
		return err == nil && !strings.Contains(fmt.Sprint(e), "CANARY-TO-DELETE"), err
	}))
	sent, err := w.agent.Sent(row.Session)
	w.must(err)
	if len(sent) != 0 {
		t.Errorf("aval sent still lists %v", sent)
	}
	if !strings.HasPrefix(w.state(), "e") && w.state() != "withdrawn" {
		t.Errorf("the newest decision is %s", w.state())
	}
}

// A supporter is connected already when the service starts, its hook having found
// nobody to tell: the person is asked then, by the real x11vnc's word, and nothing
// from before the answer is captured. Fault planted once: adopt does nothing.
func TestRunningSession(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	w.must(w.agent.Stop(10 * time.Second))
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	w.show(d, before)
	w.must(w.agent.Restart())
	q, err := w.WaitQuestion(d.Display, 40*time.Second) // x11vnc takes seconds to answer
	w.must(err)
	w.show(d, before+"-ASKED")
	w.must(q.Answer(true))
	row := w.decided(15 * time.Second)
	if row.Outcome != "allowed" || row.Tool != "x11vnc" {
		t.Fatalf("the decision is %+v", row)
	}
	w.recording(row.Session, true, 15*time.Second)
	w.show(d, "CANARY-AFTER-THE-ANSWER")
	w.until(row.Session, "CANARY-AFTER-THE-ANSWER")
	w.must(s.Leave()) // its end is heard from the hook
	w.recording(row.Session, false, 15*time.Second)
	w.nowhere(before)
}
