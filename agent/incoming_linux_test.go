package agent_test

import (
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/session/watch/logindtest"
)

// TestIncomingWithNobodyThere: an enforced policy records a session that nobody
// watches, and tells who comes; but never beside a desktop that could not show it.
func TestIncomingWithNobodyThere(t *testing.T) {
	for _, tt := range []struct {
		name string
		list map[string]map[string]any
		want consent.Verdict
	}{
		{"nobody signed in", nil, consent.Allow},
		{"locked", map[string]map[string]any{"2": locked(seatOf(":77", "seat0"))}, consent.Allow},
		{"no helper", map[string]map[string]any{"2": seatOf(":77", "seat0")}, consent.Deny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := logindtest.Start(t)
			m.Serve(t)
			for id, props := range tt.list {
				m.Set(t, id, props)
			}
			r := newRigOf(t, nil, func(o *record.Options) { o.Incoming, o.IncomingEnforced = consent.IncomingAll, true })
			c := r.dial()
			if tt.name == "locked" {
				r.sit(":77", nil)
			}
			b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
			if b.Verdict != tt.want {
				t.Fatalf("%+v", b)
			}
			if res := r.note(c, "1", "canary"); res.Recorded != (tt.name == "nobody signed in") {
				t.Errorf("note: %+v", res)
			}
			if tt.want == consent.Deny {
				return
			}
			e := r.about(c, b.Session)
			if e.Direction != consent.Incoming || e.Basis != consent.BasisEnforcedPolicy {
				t.Errorf("%+v", e)
			}
			if tt.name == "nobody signed in" { // somebody comes whom nothing can tell
				m.Set(t, "2", seatOf(":77", "seat0"))
				r.eventually("nothing more is recorded", func() bool { return !r.note(c, "1", "later").Recorded })
			}
		})
	}
}
