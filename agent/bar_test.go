package agent_test

import (
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
)

// shows waits until the person's bar shows the session so.
func (p *person) shows(what string, ok func(ipc.IndicatorSession) bool) {
	p.r.t.Helper()
	p.r.eventually(what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.ind.Sessions {
			if ok(s) {
				return true
			}
		}
		return false
	})
}

// TestObjection: under an enforced policy no button of the bar ends a recording;
// the objection is on record at once, and the recording goes on.
// Planted bug: leave out Enforced in showEnded, and the ended bar offers to delete.
func TestObjection(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/p.json": `{"AccessControl": "allowed"}`})
	c := r.dial()
	p := r.sit(":76", nil)
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	p.shows("the bar without Stop", func(s ipc.IndicatorSession) bool { return s.Enforced && !s.Ended })
	for _, action := range []string{"pause", "resume"} {
		if _, err := call[ipc.WithdrawResult](r, p.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: action}); err == nil {
			t.Errorf("%s under an enforced policy", action)
		}
	}
	for _, action := range []string{"object", "stop", "stop-and-delete"} {
		out, err := call[ipc.WithdrawResult](r, p.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: action})
		must(t, err)
		if out.Outcome != consent.OutcomeObjected {
			t.Errorf("%s: %+v", action, out)
		}
	}
	if res := r.note(c, "1", "after the objection"); !res.Recorded {
		t.Errorf("note after the objection: %+v", res)
	}
	if list := r.consents(c); len(list) != 1 || list[0].Outcome != consent.OutcomeObjected || list[0].Basis != consent.BasisEnforcedPolicy {
		t.Errorf("consents: %+v", list)
	}
	_, err := call[ipc.Empty](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	p.shows("the ended bar", func(s ipc.IndicatorSession) bool { return s.Ended && s.Enforced && s.Items > 0 })
}

// TestEndedBar: the bar says what became of the recording; nothing was sent, for
// there is no server. Planted bug: waits is always false.
func TestEndedBar(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	c := r.dial()
	p := r.sit(":75", hand(true))
	p.hears(ipc.Heard{From: consent.FromTest, Device: "mouse"})
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	_, err := call[ipc.Empty](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	p.shows("the end", func(s ipc.IndicatorSession) bool {
		return s.Session == "test/1" && s.Ended && !s.Erased && s.Items > 0 && s.Waiting
	})
	r.begin(c, ipc.SessionBegin{ID: "2", Hold: true})
	_, err = call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/2", Action: "stop-and-delete", Press: press})
	must(t, err)
	p.shows("the deletion", func(s ipc.IndicatorSession) bool {
		return s.Session == "test/2" && s.Ended && s.Erased && !s.DeleteAsked
	})
	r.begin(c, ipc.SessionBegin{ID: "3", Hold: true})
	_, err = call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/3", Action: "stop-and-delete"})
	must(t, err)
	p.shows("that it is asked about later", func(s ipc.IndicatorSession) bool {
		return s.Session == "test/3" && s.Ended && !s.Erased && s.DeleteAsked
	})
}

// TestEndedBarMakesRoom: a session that is over leaves the bar when somebody is
// asked something, so that the bar does not grow over the question.
// Planted bug: leave out the look at asks in showIndicator.
func TestEndedBarMakesRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":74", func(p *person, open ipc.PromptOpen) {
		p.mu.Lock()
		first := len(p.asked) == 0
		p.mu.Unlock()
		if first {
			says(true)(p, open)
		}
	})
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	_, err := call[ipc.Empty](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	p.shows("the end", func(s ipc.IndicatorSession) bool { return s.Session == "test/1" && s.Ended })
	asked := time.Now()
	r.begin(c, ipc.SessionBegin{ID: "2"})
	r.eventually("an empty bar", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.ind.Sessions) == 0
	})
	if took := time.Since(asked); took > 8*time.Second {
		t.Errorf("the bar made room only after %s, when its time was up anyway", took)
	}
	if list := r.consents(c); list[0].Outcome != consent.OutcomeAsking {
		t.Errorf("the bar was emptied by something else: %+v", list)
	}
}

// TestWindowEndsWithItsHelper: the window that asks is let go when the helper that
// started it is gone; nobody else would end it.
// Planted bug: leave out the closing in lostDesktop.
func TestWindowEndsWithItsHelper(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	windows := make(chan *ipc.Client, 1)
	p := r.sit(":73", func(p *person, o ipc.PromptOpen) {
		if c, _, err := p.open(o); err == nil {
			windows <- c
		}
	})
	r.begin(r.dial(), ipc.SessionBegin{ID: "1"})
	w := <-windows
	defer w.Close()
	p.c.Close()
	r.eventually("the end of the window's connection", func() bool {
		select {
		case _, open := <-w.Pushes():
			return !open
		default:
			return false
		}
	})
}
