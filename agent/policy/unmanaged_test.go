package policy_test

import (
	"testing"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/policy"
)

// For a company that manages nothing here nothing allows but the person's own
// setting, whatever policies there are and whatever it asks for; nothing becomes
// looser; and a second time changes nothing. Planted: without the case of
// PolicyNone a computer without a policy allowed; with AccessAllowed left as it is, a
// policy did.
func TestUnmanaged(t *testing.T) {
	pick := func(t *rapid.T, what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	access := []string{"unset", "allowed", "denied", "after-confirmation"}
	loose := map[consent.Verdict]int{consent.Ask: 1, consent.Allow: 2}
	rapid.Check(t, func(t *rapid.T) {
		in := consent.Input{
			Direction:   consent.Direction(pick(t, "direction", "incoming", "outgoing")),
			LogSessions: rapid.Bool().Draw(t, "log"), ModuleEnabled: rapid.Bool().Draw(t, "module"),
			Outgoing: consent.OutgoingOption(pick(t, "outgoing", "off", "all", "modules")), Incoming: consent.IncomingOption(pick(t, "incoming", "off", "all", "policy")),
			IncomingEnforced: rapid.Bool().Draw(t, "incoming enforced"), ManagedByRequester: rapid.Bool().Draw(t, "managed"),
			PolicyState: consent.PolicyState(pick(t, "state", "none", "fresh", "stale", "unreadable")),
			Reporting:   consent.Switch(pick(t, "reporting", "unset", "off", "on")), Insights: consent.Switch(pick(t, "insights", "unset", "off", "on")),
			InsightsEnforced: rapid.Bool().Draw(t, "insights enforced"),
			AccessControl:    consent.AccessControl(pick(t, "access", access...)), AccessControlEnforced: rapid.Bool().Draw(t, "access enforced"),
			Local:   consent.AccessControl(pick(t, "local", append(access, "corrupt")...)),
			Desktop: consent.Desktop(pick(t, "desktop", "available", "locked", "nobody", "unreachable")),
		}
		before := consent.Decide(in)
		policy.Unmanaged(&in)
		after := consent.Decide(in)
		if after.Reason == consent.ReasonBadInput {
			t.Fatalf("bad input: %+v", in)
		}
		if after.Verdict == consent.Allow && (in.Local != consent.AccessAllowed || after.Basis != consent.BasisStandingSetting) {
			t.Fatalf("%+v allows by %s", in, after.Basis)
		}
		if loose[after.Verdict] > loose[before.Verdict] {
			t.Fatalf("%+v: %s became %s", in, before.Verdict, after.Verdict)
		}
		again := in
		if policy.Unmanaged(&again); again != in {
			t.Fatalf("%+v, then %+v", in, again)
		}
	})
}
