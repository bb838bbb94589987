package policy_test

import (
	"testing"

	"aval/agent/consent"
	"aval/agent/policy"
)

// TestWhyNamesTheValueThatDecides goes through every setting, policy and state:
// exactly one step wins unless the policy cannot be read, and where the
// supporter's company asks, its value is what the decision comes from.
func TestWhyNamesTheValueThatDecides(t *testing.T) {
	verdict := map[consent.AccessControl]consent.Verdict{
		consent.AccessAllowed: consent.Allow, consent.AccessDenied: consent.Deny,
		consent.AccessAfterConfirmation: consent.Ask, consent.AccessCorrupt: consent.Deny,
	}
	basis := map[string]consent.Basis{"enforced-policy": consent.BasisEnforcedPolicy, "setting": consent.BasisStandingSetting, "policy": consent.BasisPolicy}
	for _, state := range []consent.PolicyState{consent.PolicyNone, consent.PolicyFresh, consent.PolicyStale, consent.PolicyUnreadable} {
		for _, pol := range []string{"", "allowed", "denied", "after-confirmation"} {
			for _, enforced := range []bool{false, true} {
				for _, own := range []consent.AccessControl{consent.AccessUnset, consent.AccessAllowed, consent.AccessDenied, consent.AccessAfterConfirmation, consent.AccessCorrupt} {
					if pol == "" && enforced || pol != "" && state == consent.PolicyNone {
						continue
					}
					var layers []policy.Layer
					if pol != "" {
						layers = []policy.Layer{{Origin: policy.Origin{Name: policy.FromFile, Scope: policy.Machine, File: "/p.json"},
							Values: []policy.Value{{Name: policy.AccessControl, Text: pol, Enforced: enforced}}}}
					}
					acc := policy.Why(state, policy.Merge(layers).All(), own, nil)
					var won []policy.Step
					for _, s := range acc.Steps {
						if s.Wins {
							won = append(won, s)
						}
						if s.Why == "" || s.Value == "" {
							t.Fatalf("%s %s %s: %+v says nothing", state, pol, own, s)
						}
					}
					out := acc.Cases[0].Decision
					if state == consent.PolicyUnreadable {
						if len(won) != 0 || out.Reason != consent.ReasonPolicyUnreadable {
							t.Fatalf("unreadable: %+v %+v", won, out)
						}
						continue
					}
					if len(acc.Steps) != 4 || len(won) != 1 {
						t.Fatalf("%s %q %v %s: %d steps win", state, pol, enforced, own, len(won))
					}
					if out.Verdict != verdict[won[0].Value] || out.Verdict == consent.Allow && out.Basis != basis[won[0].Name] {
						t.Fatalf("%s %q %v %s: %+v wins, but decided is %+v", state, pol, enforced, own, won[0], out)
					}
					if len(acc.Cases) != 4 {
						t.Fatalf("%d cases", len(acc.Cases))
					}
					for _, c := range acc.Cases {
						if c.Decision.Reason == consent.ReasonBadInput || c.Decision != consent.Decide(c.Input) {
							t.Fatalf("%+v", c)
						}
					}
				}
			}
		}
	}
}

// TestWhyKnowsEnforcedInsights: an enforced recording of incoming sessions
// stands above the person's own setting, and only for them.
func TestWhyKnowsEnforcedInsights(t *testing.T) {
	e := policy.Merge([]policy.Layer{{Origin: policy.Origin{Name: policy.FromFile, Scope: policy.Machine}, Values: []policy.Value{
		{Name: policy.Insights, Text: "on", Enforced: true}, {Name: policy.Reporting, Text: "on"}}}})
	acc := policy.Why(e.State, e.All(), consent.AccessDenied, nil)
	if d := acc.Cases[0].Decision; d.Verdict != consent.Deny {
		t.Errorf("outgoing: %+v", d)
	}
	for _, c := range acc.Cases[1:] {
		if c.Decision.Verdict != consent.Allow || c.Decision.Basis != consent.BasisEnforcedPolicy {
			t.Errorf("%s: %+v", c.When, c.Decision)
		}
	}
}

// TestWhyOfTheCompany: with a company, what it really asks for is explained, and
// whether it requires recordings.
func TestWhyOfTheCompany(t *testing.T) {
	must := policy.Merge([]policy.Layer{{Origin: policy.Origin{Name: policy.FromServer, Scope: policy.Machine}, Values: []policy.Value{
		{Name: policy.Insights, Text: "on", Enforced: true}, {Name: policy.Reporting, Text: "on"}}}})
	none := policy.Merge(nil)
	for name, c := range map[string]struct {
		e                    policy.Effective
		asks                 policy.Asks
		verdicts             []consent.Verdict // of somebody who has not chosen
		required, needNotAsk bool
	}{
		"nothing":       {none, policy.Asks{Outgoing: consent.OutgoingOff, Incoming: consent.IncomingOff}, []consent.Verdict{consent.NotRequested, consent.NotRequested}, false, false},
		"outgoing":      {must, policy.Asks{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, LogSessions: true}, []consent.Verdict{consent.NotRequested, consent.Ask}, false, false},
		"policy, none":  {none, policy.Asks{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingPolicy, IncomingEnforced: true, LogSessions: true}, []consent.Verdict{consent.NotRequested, consent.Ask}, false, false},
		"policy, must":  {must, policy.Asks{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingPolicy, LogSessions: true}, []consent.Verdict{consent.Allow}, true, true},
		"all":           {none, policy.Asks{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingAll, LogSessions: true}, []consent.Verdict{consent.Allow}, false, true},
		"all, enforced": {none, policy.Asks{Outgoing: consent.OutgoingOff, Incoming: consent.IncomingAll, IncomingEnforced: true}, []consent.Verdict{consent.Allow}, true, true},
	} {
		acc := policy.Why(c.e.State, c.e.All(), consent.AccessUnset, &c.asks)
		if len(acc.Cases) != len(c.verdicts) {
			t.Fatalf("%s: %+v", name, acc.Cases)
		}
		for i, v := range c.verdicts {
			if acc.Cases[i].Decision.Verdict != v {
				t.Errorf("%s: %s: %+v", name, acc.Cases[i].When, acc.Cases[i].Decision)
			}
		}
		if policy.Requires(c.e, c.asks) != c.required || policy.NeedNotAsk(c.e, c.asks) != c.needNotAsk {
			t.Errorf("%s: required %v, need not ask %v", name, !c.required, !c.needNotAsk)
		}
		if last := acc.Steps[3]; last.Wins != true || (last.Value == consent.AccessAllowed) != c.needNotAsk {
			t.Errorf("%s: %+v", name, last)
		}
	}
}
