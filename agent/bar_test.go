package agent_test

import (
	"testing"

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

// TestEndedBar: the bar says what became of the recording.
func TestEndedBar(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":75", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	_, err := call[ipc.Empty](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	p.shows("the end", func(s ipc.IndicatorSession) bool { return s.Session == "test/1" && s.Ended && !s.Erased && s.Items > 0 })
	r.begin(c, ipc.SessionBegin{ID: "2", Hold: true})
	_, err = call[ipc.WithdrawResult](r, p.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/2", Action: "stop-and-delete"})
	must(t, err)
	p.shows("the deletion", func(s ipc.IndicatorSession) bool { return s.Session == "test/2" && s.Ended && s.Erased })
}
