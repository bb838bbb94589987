package consent

import "slices"

// Decide says whether one company's request to record one session is not
// wanted, denied, to be asked, or allowed. It reads nothing but in, and the
// first rule that fits wins. An Input with any value outside its list, or with
// one missing, is denied with ReasonBadInput.
func Decide(in Input) Decision {
	if !in.valid() {
		return deny(ReasonBadInput)
	}
	pol := in.policyValues()
	if d, done := in.wanted(pol); done {
		return d
	}
	if in.PolicyState == PolicyUnreadable {
		return deny(ReasonPolicyUnreadable)
	}
	value, basis := in.inForce(pol)
	switch value {
	case AccessAllowed:
		return in.allow(basis)
	case AccessAfterConfirmation:
		return in.ask()
	case AccessCorrupt:
		return deny(ReasonSettingCorrupt)
	case AccessDenied:
		if basis == BasisStandingSetting {
			return deny(ReasonDeniedBySetting)
		}
		return deny(ReasonDeniedByPolicy)
	}
	return deny(ReasonBadInput)
}

// Outcome is what a decision means for the request right after it was made.
func (d Decision) Outcome() Outcome {
	switch d.Verdict {
	case NotRequested:
		return OutcomeNotRequested
	case Ask:
		return OutcomeAsking
	case Allow:
		return OutcomeAllowed
	}
	return OutcomeDenied
}

// Strictest returns the one of locals, the settings of several desktop users
// that could be concerned, that leads to the strictest decision for in (whose
// own Local is not looked at). No locals at all: AccessUnset. A value outside
// the list is the strictest of all, since it ends in ReasonBadInput.
//
// A fixed order of the values would not do: unset is stricter than
// after-confirmation where the policy's default is denied, and looser where a
// company asks incoming.
func Strictest(in Input, locals ...AccessControl) AccessControl {
	if len(locals) == 0 {
		return AccessUnset
	}
	ties := []AccessControl{AccessDenied, AccessCorrupt, AccessAfterConfirmation, AccessUnset, AccessAllowed}
	return slices.MinFunc(locals, func(a, b AccessControl) int {
		in.Local = a
		da := Decide(in)
		in.Local = b
		db := Decide(in)
		if c := da.Verdict.looseness() - db.Verdict.looseness(); c != 0 {
			return c
		}
		return slices.Index(ties, a) - slices.Index(ties, b)
	})
}

// looseness orders verdicts from those that record nothing to Allow.
func (v Verdict) looseness() int {
	switch v {
	case Ask:
		return 1
	case Allow:
		return 2
	}
	return 0
}

// policy is the five values that a policy gives, after the look at its state.
type policy struct {
	reporting, insights Switch
	insightsEnforced    bool
	access              AccessControl
	accessEnforced      bool
}

// policyValues are the policy's values as far as its state lets them count.
func (in Input) policyValues() policy {
	if in.PolicyState != PolicyFresh && in.PolicyState != PolicyStale {
		return policy{reporting: SwitchUnset, insights: SwitchUnset, access: AccessUnset}
	}
	return policy{in.Reporting, in.Insights, in.InsightsEnforced, in.AccessControl, in.AccessControlEnforced}
}

// wanted ends the decision where nobody asks for insights in the first place.
func (in Input) wanted(pol policy) (d Decision, done bool) {
	if in.Direction == Outgoing {
		switch {
		case in.Outgoing == OutgoingOff:
			return notRequested(ReasonOutgoingOff)
		case in.Outgoing == OutgoingModules && !in.ModuleEnabled:
			return notRequested(ReasonModuleOff)
		case !in.LogSessions:
			return notRequested(ReasonReportingOffForUser)
		}
		return Decision{}, false
	}
	switch {
	case in.Incoming == IncomingOff:
		return notRequested(ReasonIncomingOff)
	case !in.ManagedByRequester:
		return notRequested(ReasonNotManaged)
	case in.PolicyState == PolicyUnreadable:
		return deny(ReasonPolicyUnreadable), true
	case in.Incoming == IncomingPolicy && (pol.reporting != SwitchOn || pol.insights != SwitchOn):
		return notRequested(ReasonNoPolicy)
	case in.Incoming == IncomingAll && (pol.reporting == SwitchOff || pol.insights == SwitchOff):
		return notRequested(ReasonPolicyOff)
	}
	return Decision{}, false
}

// inForce is the value of access control that counts, and what it rests on.
func (in Input) inForce(pol policy) (AccessControl, Basis) {
	if pol.accessEnforced && pol.access != AccessUnset {
		return pol.access, BasisEnforcedPolicy
	}
	if in.Direction == Incoming {
		byPolicy := pol.insights == SwitchOn && pol.insightsEnforced
		byOption := in.Incoming == IncomingAll && in.IncomingEnforced
		if byPolicy || byOption {
			return AccessAllowed, BasisEnforcedPolicy
		}
	}
	switch {
	case in.Local != AccessUnset:
		return in.Local, BasisStandingSetting
	case pol.access != AccessUnset:
		return pol.access, BasisPolicy
	case in.Direction == Incoming:
		return AccessAllowed, BasisPolicy
	}
	return AccessAfterConfirmation, BasisNone
}

// allow refuses only where the indicator could not be shown: nothing covert.
func (in Input) allow(basis Basis) Decision {
	switch {
	case in.Desktop == DesktopUnreachable:
		return deny(ReasonDesktopUnreachable)
	case basis == BasisStandingSetting:
		return Decision{Verdict: Allow, Basis: basis, Reason: ReasonAllowedBySetting}
	}
	return Decision{Verdict: Allow, Basis: basis, Reason: ReasonAllowedByPolicy, Notice: true}
}

func (in Input) ask() Decision {
	switch in.Desktop {
	case DesktopAvailable:
		return Decision{Verdict: Ask, Reason: ReasonMustConfirm}
	case DesktopLocked:
		return deny(ReasonDesktopLocked)
	case DesktopNobody:
		return deny(ReasonNobodyThere)
	}
	return deny(ReasonDesktopUnreachable)
}

// valid tells whether every value is one of its list.
func (in Input) valid() bool {
	switch in.Direction {
	case Outgoing, Incoming:
	default:
		return false
	}
	switch in.Outgoing {
	case OutgoingOff, OutgoingAll, OutgoingModules:
	default:
		return false
	}
	switch in.Incoming {
	case IncomingOff, IncomingAll, IncomingPolicy:
	default:
		return false
	}
	switch in.PolicyState {
	case PolicyNone, PolicyFresh, PolicyStale, PolicyUnreadable:
	default:
		return false
	}
	switch in.Local {
	case AccessUnset, AccessAllowed, AccessDenied, AccessAfterConfirmation, AccessCorrupt:
	default:
		return false
	}
	switch in.AccessControl {
	case AccessUnset, AccessAllowed, AccessDenied, AccessAfterConfirmation:
	default:
		return false
	}
	switch in.Desktop {
	case DesktopAvailable, DesktopLocked, DesktopNobody, DesktopUnreachable:
	default:
		return false
	}
	return in.Reporting.valid() && in.Insights.valid()
}

func (s Switch) valid() bool { return s == SwitchUnset || s == SwitchOff || s == SwitchOn }

func deny(r Reason) Decision { return Decision{Verdict: Deny, Reason: r} }

func notRequested(r Reason) (Decision, bool) {
	return Decision{Verdict: NotRequested, Reason: r}, true
}
