package agent

import (
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/record"
)

// An account's company may ask about its person's own desktop and no other, and
// about outgoing sessions only where it has announced them. Planted: with
// isTheirs looking at the first of the people alone, "both" and "nobody" were the
// company's; without the condition in fillFor, a session that nobody announced
// was asked about as outgoing; without policy.Unmanaged there, what nobody had
// chosen was allowed.
func TestAccountOf(t *testing.T) {
	c := &company{Account: &account{UID: 1000}, options: record.Bundle{Until: time.Now().Add(time.Hour), Options: record.Options{
		Outgoing: consent.OutgoingAll, Incoming: consent.IncomingAll, IncomingEnforced: true, LogSessions: true}}}
	mine := &desktop{id: "1", uid: 1000, reg: ipc.DesktopRegister{}}
	other := &desktop{id: "2", uid: 1001, reg: ipc.DesktopRegister{}}
	a := &Agent{desktops: map[string]*desktop{"1": mine, "2": other}, company: c}
	a.policy.Effective = policy.Merge(nil)
	for name, row := range map[string]struct {
		targets []*desktop
		want    bool
	}{
		"their own": {[]*desktop{mine}, true},
		"another's": {[]*desktop{other}, false},
		"both":      {[]*desktop{mine, other}, false},
	} {
		if got := a.isTheirs(c, &live{}, row.targets); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	none := &Agent{desktops: map[string]*desktop{}, company: c}
	if none.isTheirs(c, &live{}, nil) {
		t.Error("nobody is there")
	}
	in := func(l *live) (in consent.Input) {
		in.ManagedByRequester, in.Local, in.Desktop = true, consent.AccessUnset, consent.DesktopAvailable
		a.fillFor(c, l, &in, time.Now())
		in.Direction = consent.Incoming
		return in
	}
	if in := in(&live{}); in.Outgoing != consent.OutgoingOff || in.Incoming != consent.IncomingAll || in.IncomingEnforced || consent.Decide(in).Verdict != consent.Ask {
		t.Errorf("%+v", in)
	}
	announced := &live{}
	announced.Request = "01X"
	if in := in(announced); in.Outgoing != consent.OutgoingAll {
		t.Errorf("announced: %+v", in)
	}
	c.options.Incoming = consent.IncomingPolicy
	if in := in(&live{}); in.Incoming != consent.IncomingOff {
		t.Errorf("by policy: %+v", in)
	}
	c.options.Until = time.Now()
	if in := in(announced); in.Incoming != consent.IncomingOff || in.Outgoing != consent.OutgoingOff {
		t.Errorf("lapsed: %+v", in)
	}
}
