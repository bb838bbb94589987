package agent_test

import (
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
)

func (p *person) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.notices...)
}

// TestNotice: a session that a policy allows is told of, once, on the desktop
// that is viewed; where nobody is there, when somebody comes. An objection goes
// into the record at once and stays beside the grant, and records nothing less.
func TestNotice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, policy string
		enforced     bool
	}{
		{"enforced", "managed/test.json", true},
		{"recommended", "recommended/test.json", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{tt.policy: `{"AccessControl": "allowed"}`})
			c := r.dial()
			p := r.sit(":77", says(true))
			b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
			if b.Outcome != consent.OutcomeAllowed || p.questions() != 0 {
				t.Fatalf("%+v, asked %d times", b, p.questions())
			}
			r.eventually("told", func() bool { return len(p.told()) == 1 })
			of := ipc.NoticeOf{Session: p.told()[0]}
			n, err := call[ipc.Notice](r, p.c, ipc.MethodNoticeGet, of)
			must(t, err)
			if n.Session != "test/1" || n.Supporter != "Alex" || n.Company.Name != "Example Support" || n.Enforced != tt.enforced || len(n.Groups) == 0 {
				t.Errorf("%+v", n)
			}
			_, err = call[ipc.Empty](r, p.c, ipc.MethodNoticeShown, of)
			must(t, err)
			p.c.Close() // a helper that comes back does not tell it again
			p = r.sit(":77", nil)
			r.eventually("the bar is back", func() bool { s, _ := r.session(c, "test/1"); return s.Recording })
			if got := p.told(); len(got) != 0 {
				t.Errorf("told again: %v", got)
			}
			out, err := call[ipc.WithdrawResult](r, p.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "object"})
			must(t, err)
			want := consent.OutcomeWithdrawn // who may stop it need not object
			if tt.enforced {
				want = consent.OutcomeObjected
			}
			if out.Outcome != want {
				t.Errorf("%+v, want %s", out, want)
			}
			if res := r.note(c, "1", "after"); res.Recorded != tt.enforced {
				t.Errorf("note: %+v", res)
			}
			show, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: "test/1"})
			must(t, err)
			if show.Outcome != want || len(show.Later) != 1 {
				t.Fatalf("%+v", show)
			}
			if typ, _, err := record.Peek(show.Later[0]); err != nil || (typ == record.TypeObjection) != tt.enforced {
				t.Errorf("%s, %v", typ, err)
			}
		})
	}
}

// TestNoticeWaits: a helper that could not show it, and went, is told again.
func TestNoticeWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": `{"AccessControl": "allowed"}`})
	c := r.dial()
	p := r.sit(":77", nil)
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	r.eventually("told", func() bool { return len(p.told()) == 1 })
	p.c.Close()
	p = r.sit(":77", nil)
	r.eventually("told again", func() bool { return len(p.told()) == 1 })
	if _, err := call[ipc.Notice](r, p.c, ipc.MethodNoticeGet, ipc.NoticeOf{Session: "test/2"}); err == nil {
		t.Error("there is a notice of a session that is not")
	}
	// Nothing is told of what the person allowed themselves.
	r2 := newRig(t, nil)
	p2 := r2.sit(":77", says(true))
	r2.begin(r2.dial(), ipc.SessionBegin{ID: "1", Hold: true})
	if _, err := call[ipc.Notice](r2, p2.c, ipc.MethodNoticeGet, ipc.NoticeOf{Session: "test/1"}); err == nil || len(p2.told()) != 0 {
		t.Errorf("a notice of what was asked: %v, %v", p2.told(), err)
	}
}
