package agent

import (
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
)

// An account's company may ask about its person's own desktop and no other, and
// about outgoing sessions only where it has announced them. Planted: with
// isTheirs looking at the first of the people alone, "both" and "nobody" were the
// company's; without the condition in fillFor, a session that nobody announced
// was asked about as outgoing.
func TestAccountOf(t *testing.T) {
	c := &company{Account: &account{UID: 1000}, options: record.Bundle{Until: time.Now().Add(time.Hour), Options: record.Options{
		Outgoing: consent.OutgoingAll, Incoming: consent.IncomingAll, IncomingEnforced: true, LogSessions: true}}}
	mine := &desktop{id: "1", uid: 1000, reg: ipc.DesktopRegister{}}
	other := &desktop{id: "2", uid: 1001, reg: ipc.DesktopRegister{}}
	a := &Agent{desktops: map[string]*desktop{"1": mine, "2": other}, company: c}
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
	var in consent.Input
	if c.fillFor(&live{}, &in, time.Now()); in.Outgoing != consent.OutgoingOff || in.Incoming != consent.IncomingAll || in.IncomingEnforced || in.ManagedByRequester {
		t.Errorf("%+v", in)
	}
	announced := &live{}
	announced.Request = "01X"
	if c.fillFor(announced, &in, time.Now()); in.Outgoing != consent.OutgoingAll {
		t.Errorf("announced: %+v", in)
	}
	c.options.Incoming = consent.IncomingPolicy
	if c.fillFor(&live{}, &in, time.Now()); in.Incoming != consent.IncomingOff {
		t.Errorf("by policy: %+v", in)
	}
	c.options.Until = time.Now()
	if c.fillFor(announced, &in, time.Now()); in.Incoming != consent.IncomingOff || in.Outgoing != consent.OutgoingOff {
		t.Errorf("lapsed: %+v", in)
	}
}
