package viewmodel

import (
	"slices"

	"aval/agent/consent"
	"aval/assets"
)

// The words of the three closed lists, in the order of their declaration. A
// test compares them with the declarations in agent/consent.
var (
	reasons = []consent.Reason{
		consent.ReasonBadInput, consent.ReasonOutgoingOff, consent.ReasonModuleOff,
		consent.ReasonReportingOffForUser, consent.ReasonIncomingOff, consent.ReasonNotManaged,
		consent.ReasonPolicyUnreadable, consent.ReasonNoPolicy, consent.ReasonPolicyOff,
		consent.ReasonDeniedByPolicy, consent.ReasonDeniedBySetting, consent.ReasonSettingCorrupt,
		consent.ReasonAllowedByPolicy, consent.ReasonAllowedBySetting, consent.ReasonMustConfirm,
		consent.ReasonDesktopLocked, consent.ReasonNobodyThere, consent.ReasonDesktopUnreachable,
	}
	endings = []consent.Ending{
		consent.EndingAnsweredYes, consent.EndingAnsweredNo, consent.EndingTimedOut,
		consent.EndingNotShown, consent.EndingUILost, consent.EndingLocked, consent.EndingLoggedOff,
		consent.EndingSwitched, consent.EndingSessionOver, consent.EndingStopped, consent.EndingBadEvent,
		consent.EndingEarlier,
	}
	outcomes = []consent.Outcome{
		consent.OutcomeAsking, consent.OutcomeAllowed, consent.OutcomeRefused, consent.OutcomeNoAnswer,
		consent.OutcomeCouldNotAsk, consent.OutcomeDenied, consent.OutcomeNotRequested,
		consent.OutcomeObjected, consent.OutcomeWithdrawn, consent.OutcomeExpired, consent.OutcomeErased,
	}
)

// Reason says in a sentence why a decision came out as it did.
func Reason(cat *assets.Catalog, r consent.Reason) string { return word(cat, "reason.", reasons, r) }

// Ending says in a sentence how a question ended; one that has not ended is open.
func Ending(cat *assets.Catalog, e consent.Ending) string {
	if e == consent.EndingNone {
		return cat.T("ending.none", nil)
	}
	return word(cat, "ending.", endings, e)
}

// Outcome names the state of a session's request in a word or two.
func Outcome(cat *assets.Catalog, o consent.Outcome) string {
	return word(cat, "outcome.", outcomes, o)
}

// word looks up a word of a closed list. What is not on the list may come from
// outside, so it is never a key.
func word[W ~string](cat *assets.Catalog, area string, list []W, w W) string {
	if !slices.Contains(list, w) {
		return cat.T(area+"unknown", nil)
	}
	return cat.T(area+string(w), nil)
}
