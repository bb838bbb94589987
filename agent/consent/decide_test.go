package consent_test

import (
	"reflect"
	"testing"

	"aval/agent/consent"
)

// TestDecideEqualsPage compares Decide with the tables of docs/decision.md over
// every input there is.
func TestDecideEqualsPage(t *testing.T) {
	o := readOracle(t)
	n := 0
	seen := map[consent.Reason]bool{}
	o.each(t, func(in consent.Input, want consent.Decision) bool {
		n++
		got := consent.Decide(in)
		if got != want {
			t.Errorf("%+v:\n decided %+v\n page    %+v", in, got, want)
		}
		seen[got.Reason] = true
		return !t.Failed()
	})
	if n != 3317760 && !t.Failed() {
		t.Errorf("%d inputs, not 3,317,760", n)
	}
	for _, r := range reasons {
		if !seen[r] && r != consent.ReasonBadInput && !t.Failed() {
			t.Errorf("reason %s never came up", r)
		}
	}
}

var reasons = []consent.Reason{
	consent.ReasonBadInput, consent.ReasonOutgoingOff, consent.ReasonModuleOff, consent.ReasonReportingOffForUser,
	consent.ReasonIncomingOff, consent.ReasonNotManaged, consent.ReasonPolicyUnreadable, consent.ReasonNoPolicy,
	consent.ReasonPolicyOff, consent.ReasonDeniedByPolicy, consent.ReasonDeniedBySetting, consent.ReasonSettingCorrupt,
	consent.ReasonAllowedByPolicy, consent.ReasonAllowedBySetting, consent.ReasonMustConfirm,
	consent.ReasonDesktopLocked, consent.ReasonNobodyThere, consent.ReasonDesktopUnreachable,
}

// TestPageCatchesFaults plants faults, one at a time, and requires that the
// comparison above sees each of them.
func TestPageCatchesFaults(t *testing.T) {
	o := readOracle(t)
	faults := map[string]func(consent.Input) consent.Decision{
		"stale policy is ignored": func(in consent.Input) consent.Decision {
			if in.PolicyState == consent.PolicyStale {
				in.PolicyState = consent.PolicyNone
			}
			return consent.Decide(in)
		},
		"unreadable policy counts as none": func(in consent.Input) consent.Decision {
			if in.PolicyState == consent.PolicyUnreadable {
				in.PolicyState = consent.PolicyNone
			}
			return consent.Decide(in)
		},
		"values count without a policy": func(in consent.Input) consent.Decision {
			if in.PolicyState == consent.PolicyNone {
				in.PolicyState = consent.PolicyFresh
			}
			return consent.Decide(in)
		},
		"enforcement is ignored": func(in consent.Input) consent.Decision {
			in.AccessControlEnforced = false
			return consent.Decide(in)
		},
		"an enforced incoming beats an enforced denied": func(in consent.Input) consent.Decision {
			if in.Direction == consent.Incoming && in.Insights == consent.SwitchOn && in.InsightsEnforced {
				in.AccessControlEnforced = false
			}
			return consent.Decide(in)
		},
		"incoming_enforced counts under policy": func(in consent.Input) consent.Decision {
			if in.Incoming == consent.IncomingPolicy && in.IncomingEnforced {
				in.InsightsEnforced = true
			}
			return consent.Decide(in)
		},
		"a corrupt setting is the default": func(in consent.Input) consent.Decision {
			if in.Local == consent.AccessCorrupt {
				in.Local = consent.AccessUnset
			}
			return consent.Decide(in)
		},
		"a locked screen is asked": func(in consent.Input) consent.Decision {
			if in.Desktop == consent.DesktopLocked {
				in.Desktop = consent.DesktopAvailable
			}
			return consent.Decide(in)
		},
		"covert recording": func(in consent.Input) consent.Decision {
			d := consent.Decide(in)
			if in.Desktop == consent.DesktopUnreachable {
				in.Desktop = consent.DesktopNobody
				if other := consent.Decide(in); other.Verdict == consent.Allow {
					return other
				}
			}
			return d
		},
		"no notice under a policy": func(in consent.Input) consent.Decision {
			d := consent.Decide(in)
			d.Notice = false
			return d
		},
		"a policy is called a setting": func(in consent.Input) consent.Decision {
			d := consent.Decide(in)
			if d.Basis == consent.BasisPolicy {
				d.Basis = consent.BasisStandingSetting
			}
			return d
		},
		"log_sessions is ignored": func(in consent.Input) consent.Decision {
			in.LogSessions = true
			return consent.Decide(in)
		},
		"any device is managed": func(in consent.Input) consent.Decision {
			in.ManagedByRequester = true
			return consent.Decide(in)
		},
		"insights alone are a policy": func(in consent.Input) consent.Decision {
			if in.Insights == consent.SwitchOn && in.Reporting == consent.SwitchUnset {
				in.Reporting = consent.SwitchOn
			}
			return consent.Decide(in)
		},
		"module-off and reporting-off are swapped": func(in consent.Input) consent.Decision {
			d := consent.Decide(in)
			if d.Reason == consent.ReasonModuleOff && !in.LogSessions {
				d.Reason = consent.ReasonReportingOffForUser
			}
			return d
		},
		"one single input is allowed": func(in consent.Input) consent.Decision {
			if in == (consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll,
				Incoming: consent.IncomingPolicy, PolicyState: consent.PolicyStale, Reporting: consent.SwitchOff,
				Insights: consent.SwitchOn, InsightsEnforced: true, AccessControl: consent.AccessDenied,
				Local: consent.AccessDenied, Desktop: consent.DesktopLocked}) {
				return consent.Decision{Verdict: consent.Allow, Basis: consent.BasisStandingSetting, Reason: consent.ReasonAllowedBySetting}
			}
			return consent.Decide(in)
		},
	}
	missed := make(map[string]bool, len(faults))
	for name := range faults {
		missed[name] = true
	}
	o.each(t, func(in consent.Input, want consent.Decision) bool {
		for name := range missed {
			if faults[name](in) != want {
				delete(missed, name)
			}
		}
		return len(missed) > 0
	})
	for name := range missed {
		t.Errorf("the page does not catch: %s", name)
	}
}

// Values of each text field with one that is in no list. The zero value stands
// for a missing one.
var (
	directions   = []consent.Direction{"outgoing", "incoming", "", "Outgoing"}
	outgoings    = []consent.OutgoingOption{"off", "all", "modules", "", "policy"}
	incomings    = []consent.IncomingOption{"off", "all", "policy", "", "modules"}
	policyStates = []consent.PolicyState{"none", "fresh", "stale", "unreadable", "", "ok"}
	switches     = []consent.Switch{"unset", "off", "on", "", "true"}
	policyAccess = []consent.AccessControl{"unset", "allowed", "denied", "after-confirmation", "", "corrupt"}
	locals       = []consent.AccessControl{"unset", "allowed", "denied", "after-confirmation", "corrupt", "", "ALLOWED"}
	desktops     = []consent.Desktop{"available", "locked", "nobody", "unreachable", "", "available "}
)

// TestUnknownValuesDeny: one value outside its list is enough, wherever it is
// and whatever the others are. In each list the last two are outside.
func TestUnknownValuesDeny(t *testing.T) {
	bad := consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonBadInput}
	check := func(in consent.Input, known bool) {
		d := consent.Decide(in)
		if known == (d.Reason == consent.ReasonBadInput) || (!known && d != bad) {
			t.Fatalf("%+v: %+v", in, d)
		}
	}
	for id, direction := range directions {
		for io, out := range outgoings {
			for ii, inc := range incomings {
				for ip, state := range policyStates {
					for ir, rep := range switches {
						for is, ins := range switches {
							for ia, acc := range policyAccess {
								for il, local := range locals {
									for ik, desk := range desktops {
										known := id < 2 && io < 3 && ii < 3 && ip < 4 && ir < 3 && is < 3 && ia < 4 && il < 5 && ik < 4
										in := consent.Input{Direction: direction, Outgoing: out, Incoming: inc, PolicyState: state,
											Reporting: rep, Insights: ins, AccessControl: acc, Local: local, Desktop: desk}
										in.LogSessions = il&1 == 0
										in.ManagedByRequester = ik&1 == 0
										in.AccessControlEnforced = ia&1 == 0
										check(in, known)
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

// TestDecideProperties are laws that hold for every input, said without the page.
func TestDecideProperties(t *testing.T) {
	o := readOracle(t)
	o.inputs(t, func(in consent.Input, _ []uint8) bool {
		d := consent.Decide(in)
		fail := func(law string) { t.Errorf("%s\n %+v\n %+v", law, in, d) }
		if d != consent.Decide(in) {
			fail("same input, same output")
		}
		if d.Reason == "" || (loose(d) == 0) != (d.Verdict == consent.Deny || d.Verdict == consent.NotRequested) {
			fail("every decision has a verdict and a reason")
		}
		if (d.Verdict == consent.Allow) != (d.Basis != "") || d.Basis == consent.BasisConsent {
			fail("a basis with Allow and only then, and never consent without an answer")
		}
		if d.Notice != (d.Basis == consent.BasisPolicy || d.Basis == consent.BasisEnforcedPolicy) {
			fail("a policy is announced, and nothing else")
		}
		if in.Desktop == consent.DesktopUnreachable && loose(d) > 0 {
			fail("nothing covert")
		}
		if d.Verdict == consent.Ask && in.Desktop != consent.DesktopAvailable {
			fail("only who is there is asked")
		}
		if in.PolicyState == consent.PolicyUnreadable && loose(d) > 0 {
			fail("an unreadable policy denies")
		}
		if d.Basis == consent.BasisStandingSetting && in.Local != consent.AccessAllowed {
			fail("a standing setting is the person's own act")
		}
		if d.Basis == consent.BasisEnforcedPolicy && in.Direction == consent.Outgoing && !(in.AccessControlEnforced && in.AccessControl == consent.AccessAllowed) {
			fail("outgoing is enforced by the device's policy alone")
		}
		// Adding a stricter source never loosens.
		stricter := func(law string, change func(*consent.Input)) {
			if d.Verdict == consent.Allow {
				return // nothing is looser
			}
			s := in
			change(&s)
			if sd := consent.Decide(s); loose(sd) > loose(d) {
				t.Errorf("%s loosens\n %+v\n %+v\n %+v", law, in, d, sd)
			}
		}
		stricter("an enforced denied", func(s *consent.Input) {
			if s.PolicyState != consent.PolicyUnreadable {
				s.PolicyState = consent.PolicyFresh
				if in.PolicyState == consent.PolicyNone {
					s.Reporting, s.Insights, s.InsightsEnforced = consent.SwitchUnset, consent.SwitchUnset, false
				}
			}
			s.AccessControl, s.AccessControlEnforced = consent.AccessDenied, true
		})
		stricter("a denied of the person", func(s *consent.Input) { s.Local = consent.AccessDenied })
		stricter("a corrupt setting", func(s *consent.Input) { s.Local = consent.AccessCorrupt })
		stricter("an unreadable policy", func(s *consent.Input) { s.PolicyState = consent.PolicyUnreadable })
		stricter("insights off", func(s *consent.Input) { s.Insights = consent.SwitchOff })
		stricter("reporting off", func(s *consent.Input) { s.Reporting = consent.SwitchOff })
		stricter("a suggested denied", func(s *consent.Input) {
			if !s.AccessControlEnforced {
				s.AccessControl = consent.AccessDenied
			}
		})
		stricter("an unreachable desktop", func(s *consent.Input) { s.Desktop = consent.DesktopUnreachable })
		stricter("a locked screen", func(s *consent.Input) {
			if d.Verdict == consent.Ask {
				s.Desktop = consent.DesktopLocked
			}
		})
		stricter("outgoing off", func(s *consent.Input) { s.Outgoing = consent.OutgoingOff })
		stricter("incoming off", func(s *consent.Input) { s.Incoming = consent.IncomingOff })
		if in.Local == consent.AccessAllowed {
			stricter("asking instead of a standing yes", func(s *consent.Input) { s.Local = consent.AccessAfterConfirmation })
		}
		return !t.Failed()
	})
}

func loose(d consent.Decision) int {
	switch d.Verdict {
	case consent.Ask:
		return 1
	case consent.Allow:
		return 2
	}
	return 0
}

func TestStrictest(t *testing.T) {
	base := consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff,
		PolicyState: consent.PolicyFresh, Reporting: "unset", Insights: "unset", AccessControl: "unset", Desktop: "available"}
	suggestDenied := base
	suggestDenied.AccessControl = consent.AccessDenied
	for _, c := range []struct {
		in     consent.Input
		locals []consent.AccessControl
		want   consent.AccessControl
	}{
		{base, nil, "unset"},
		{base, []consent.AccessControl{"allowed"}, "allowed"},
		{base, []consent.AccessControl{"allowed", "after-confirmation"}, "after-confirmation"},
		{base, []consent.AccessControl{"allowed", "unset"}, "unset"},
		{base, []consent.AccessControl{"after-confirmation", "denied", "allowed"}, "denied"},
		{base, []consent.AccessControl{"allowed", "corrupt"}, "corrupt"},
		{base, []consent.AccessControl{"corrupt", "denied"}, "denied"},
		{base, []consent.AccessControl{"allowed", "bogus"}, "bogus"},
		{suggestDenied, []consent.AccessControl{"after-confirmation", "unset"}, "unset"},
	} {
		if got := consent.Strictest(c.in, c.locals...); got != c.want {
			t.Errorf("%v: %s, not %s", c.locals, got, c.want)
		}
	}
}

func TestDecisionOutcome(t *testing.T) {
	for v, want := range map[consent.Verdict]consent.Outcome{
		consent.NotRequested: consent.OutcomeNotRequested, consent.Deny: consent.OutcomeDenied,
		consent.Ask: consent.OutcomeAsking, consent.Allow: consent.OutcomeAllowed, "": consent.OutcomeDenied, "yes": consent.OutcomeDenied,
	} {
		if got := (consent.Decision{Verdict: v}).Outcome(); got != want {
			t.Errorf("%q: %s, not %s", v, got, want)
		}
	}
}

// TestInputsAreComplete fails when Input grows a field that the page and the
// walk do not know.
func TestInputsAreComplete(t *testing.T) {
	typ := reflect.TypeFor[consent.Input]()
	for i := range typ.NumField() {
		if name := typ.Field(i).Tag.Get("json"); setters[name] == nil {
			t.Errorf("field %s (%s) is not walked", typ.Field(i).Name, name)
		}
	}
	if typ.NumField() != len(setters) {
		t.Errorf("%d fields, %d walked", typ.NumField(), len(setters))
	}
}
