package link_test

import (
	"encoding/json"
	"testing"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// TestIncomingGrants: a grant for an incoming session is taken only where it
// comes out of the options and the policy that were published to this device.
// To see it fail, let ingest.incomingFollows be true always, or not ask for the
// policy that stands in the options.
func TestIncomingGrants(t *testing.T) {
	s := startServer(t, nil)
	db, err := store.OpenBeside(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	co, err := loadHome(t, db, company.Options{})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	before := enrol(t, s.dir, nil) // its options say that incoming is off
	_, err = co.CreatePolicy(t.Context(), "Offices")
	must(err)
	must(co.SetPolicy(t.Context(), "Offices", []policy.Setting{{Key: policy.Reporting, Value: json.RawMessage(`"on"`), Enforce: true},
		{Key: policy.Insights, Value: json.RawMessage(`"on"`), Enforce: true}}, nil))
	_, err = co.PublishPolicy(t.Context(), "Offices", nil)
	must(err)
	must(co.AssignPolicy(t.Context(), "Offices", company.ToAll))
	only, yes := consent.IncomingPolicy, true
	must(co.SetOptions(t.Context(), company.Change{Incoming: &only, IncomingEnforced: &yes}))
	d := enrol(t, s.dir, nil)

	body := func(d *computer, session string, change func(*record.Grant)) []byte {
		g := d.body(session)
		g.Direction, g.Basis, g.Notice, g.PolicyOrigin = consent.Incoming, consent.BasisEnforcedPolicy, true, "server:Offices version 1"
		g.Input = consent.Input{Direction: consent.Incoming, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingPolicy,
			IncomingEnforced: true, ManagedByRequester: true, PolicyState: consent.PolicyFresh, Reporting: consent.SwitchOn, Insights: consent.SwitchOn,
			InsightsEnforced: true, AccessControl: consent.AccessUnset, Local: consent.AccessDenied, Desktop: consent.DesktopAvailable}
		g.Decision = consent.Decision{Verdict: consent.Allow, Basis: consent.BasisEnforcedPolicy, Reason: consent.ReasonAllowedByPolicy, Notice: true}
		change(&g)
		return sign(d, record.TypeGrant, g)
	}
	// One whose policy denies, where the company asks about all of its computers.
	_, err = co.CreatePolicy(t.Context(), "Strict")
	must(err)
	must(co.SetPolicy(t.Context(), "Strict", []policy.Setting{{Key: policy.AccessControl, Value: json.RawMessage(`"denied"`), Enforce: true}}, nil))
	_, err = co.PublishPolicy(t.Context(), "Strict", nil)
	must(err)
	must(co.AssignPolicy(t.Context(), "Strict", company.ToAll))
	all := consent.IncomingAll
	must(co.SetOptions(t.Context(), company.Change{Incoming: &all, IncomingEnforced: &yes}))
	strict := enrol(t, s.dir, nil)
	noPolicy := func(g *record.Grant) {
		g.Input.Incoming, g.Input.PolicyState, g.Input.InsightsEnforced = all, consent.PolicyNone, false
		g.Input.Reporting, g.Input.Insights = consent.SwitchUnset, consent.SwitchUnset
		if g.Decision = consent.Decide(g.Input); g.Decision.Verdict != consent.Allow {
			t.Fatalf("%+v", g.Decision)
		}
	}

	for name, row := range map[string]struct {
		d      *computer
		change func(*record.Grant)
		want   string
	}{
		"the options ask for none":       {before, func(g *record.Grant) { g.PolicyOrigin = "none" }, "unknown-policy"},
		"no options":                     {d, func(g *record.Grant) { g.PolicyVersion, g.PolicyOrigin = 0, "none" }, "unknown-policy"},
		"options never given":            {d, func(g *record.Grant) { g.PolicyVersion = 9 }, "unknown-policy"},
		"another option":                 {d, func(g *record.Grant) { g.Input.Incoming = consent.IncomingAll }, "unknown-policy"},
		"enforced otherwise":             {d, func(g *record.Grant) { g.Input.IncomingEnforced = false }, "unknown-policy"},
		"decided as outgoing":            {d, func(g *record.Grant) { g.Input.Direction = consent.Outgoing }, "unknown-policy"},
		"it does not manage the device":  {d, func(g *record.Grant) { g.Input.ManagedByRequester = false }, "unknown-policy"},
		"the policy enforces nothing":    {d, func(g *record.Grant) { g.Input.InsightsEnforced, g.Input.Local = false, consent.AccessUnset }, "unknown-policy"},
		"another policy":                 {d, func(g *record.Grant) { g.PolicyOrigin = "server:Shops version 1" }, "unknown-policy"},
		"a policy where there is none":   {d, func(g *record.Grant) { g.PolicyOrigin = "none" }, "unknown-policy"},
		"no policy, and as none decides": {strict, func(g *record.Grant) { noPolicy(g); g.PolicyOrigin = "none" }, "unknown-policy"},
		"a file alone decides":           {strict, func(g *record.Grant) { noPolicy(g); g.PolicyOrigin = "file:/etc/aval/a.json" }, "unknown-policy"},
		"no direction":                   {d, func(g *record.Grant) { g.Direction = "" }, "bad-grant"},
		"another direction":              {d, func(g *record.Grant) { g.Direction = "inbound" }, "bad-grant"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := welcome(t, s.addr, row.d).code(openFrame(body(row.d, "x/1", row.change))); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
	holds(t, s, 0, 0)
	if got := welcome(t, s.addr, d).code(openFrame(body(d, "x/1", func(*record.Grant) {}))); got != "" {
		t.Errorf("the good one: %q", got)
	}
	holds(t, s, 1, 0)
}
