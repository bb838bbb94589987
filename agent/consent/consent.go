// Package consent decides whether a remote session may be recorded for a
// summary, and carries one question from asked to its end.
//
// It is PURE: it reads nothing but its arguments: no files, no network, no
// clock. The one rule that must not be broken: doubt denies. An unknown value,
// a missing value or an unforeseen event never leads to Allow, and no path
// answers on anybody's behalf.
//
// The table that Decide implements is in docs/decision.md; Input and Decision
// are the names that `aval explain --json` reads and writes.
package consent

// Direction says which company wants the insights.
type Direction string

// The two directions of a request.
const (
	// Outgoing: wanted by the company whose user started the connection.
	Outgoing Direction = "outgoing"
	// Incoming: wanted by the company that manages this device.
	Incoming Direction = "incoming"
)

// OutgoingOption is the company's choice for "Summaries for outgoing connections".
type OutgoingOption string

// The values of OutgoingOption.
const (
	OutgoingOff     OutgoingOption = "off"
	OutgoingAll     OutgoingOption = "all"
	OutgoingModules OutgoingOption = "modules"
)

// IncomingOption is the company's choice for "Summaries for incoming connections".
type IncomingOption string

// The values of IncomingOption.
const (
	IncomingOff    IncomingOption = "off"
	IncomingAll    IncomingOption = "all"
	IncomingPolicy IncomingOption = "policy"
)

// PolicyState says how far the policy that was read can be trusted.
type PolicyState string

// The values of PolicyState.
const (
	// PolicyNone is a fact: not managed, or a signed "no policy assigned".
	PolicyNone  PolicyState = "none"
	PolicyFresh PolicyState = "fresh"
	// PolicyStale is the last good policy, not yet expired; it counts like a fresh one.
	PolicyStale PolicyState = "stale"
	// PolicyUnreadable: reading failed with no unexpired last good policy, or it expired.
	PolicyUnreadable PolicyState = "unreadable"
)

// Switch is a policy value that may be absent.
type Switch string

// The values of Switch.
const (
	SwitchUnset Switch = "unset"
	SwitchOff   Switch = "off"
	SwitchOn    Switch = "on"
)

// AccessControl is a value of the local setting for Session Insights, or of the
// policy that stands for it. AccessCorrupt is only valid for the local setting.
type AccessControl string

// The values of AccessControl.
const (
	AccessUnset             AccessControl = "unset"
	AccessAllowed           AccessControl = "allowed"
	AccessDenied            AccessControl = "denied"
	AccessAfterConfirmation AccessControl = "after-confirmation"
	AccessCorrupt           AccessControl = "corrupt"
)

// Desktop says whether the person at the viewed desktop session can be asked now.
type Desktop string

// The values of Desktop.
const (
	DesktopAvailable Desktop = "available"
	DesktopLocked    Desktop = "locked"
	// DesktopNobody only when the system's own session list shows no graphical user session.
	DesktopNobody Desktop = "nobody"
	// DesktopUnreachable: a session without aval-desktop, or one that cannot be told.
	DesktopUnreachable Desktop = "unreachable"
)

// Input is everything that Decide reads. The JSON names are a contract.
type Input struct {
	Direction Direction `json:"direction"`
	// LogSessions is the supporter's own switch; it counts for outgoing alone.
	LogSessions bool `json:"log_sessions"`
	// Outgoing is the option of the company whose user connects, ModuleEnabled the
	// switch of the module that the session goes through; false: through none.
	Outgoing      OutgoingOption `json:"outgoing"`
	ModuleEnabled bool           `json:"module_enabled"`
	// Incoming is the option of the company that asks as the device's manager, and
	// ManagedByRequester that it is. IncomingEnforced: people may not refuse under all.
	Incoming           IncomingOption `json:"incoming"`
	IncomingEnforced   bool           `json:"incoming_enforced"`
	ManagedByRequester bool           `json:"managed_by_requester"`
	// The values of the policy in force, each with its enforce flag; they count only
	// where PolicyState is fresh or stale.
	PolicyState           PolicyState   `json:"policy_state"`
	Reporting             Switch        `json:"reporting"`
	Insights              Switch        `json:"insights"`
	InsightsEnforced      bool          `json:"insights_enforced"`
	AccessControl         AccessControl `json:"access_control"`
	AccessControlEnforced bool          `json:"access_control_enforced"`
	// Local is the setting of the person whose desktop is viewed; of several who may
	// be, the Strictest.
	Local   AccessControl `json:"local"`
	Desktop Desktop       `json:"desktop"`
}

// Verdict is what a decision comes to.
type Verdict string

// The verdicts.
const (
	NotRequested Verdict = "not-requested"
	Deny         Verdict = "deny"
	Ask          Verdict = "ask"
	Allow        Verdict = "allow"
)

// Basis is the ground of an Allow. A policy is never called consent.
type Basis string

// The bases. Decide gives BasisNone, BasisStandingSetting, BasisPolicy or
// BasisEnforcedPolicy; BasisConsent comes only out of an answered question.
const (
	BasisNone            Basis = ""
	BasisConsent         Basis = "consent"
	BasisStandingSetting Basis = "standing-setting"
	BasisPolicy          Basis = "policy"
	BasisEnforcedPolicy  Basis = "enforced-policy"
)

// Reason is one word of the closed list below.
type Reason string

// The reasons of a Decision.
const (
	ReasonBadInput            Reason = "bad-input"
	ReasonOutgoingOff         Reason = "outgoing-off"
	ReasonModuleOff           Reason = "module-off"
	ReasonReportingOffForUser Reason = "reporting-off-for-user"
	ReasonIncomingOff         Reason = "incoming-off"
	ReasonNotManaged          Reason = "not-managed"
	ReasonPolicyUnreadable    Reason = "policy-unreadable"
	ReasonNoPolicy            Reason = "no-policy"
	ReasonPolicyOff           Reason = "policy-off"
	ReasonDeniedByPolicy      Reason = "denied-by-policy"
	ReasonDeniedBySetting     Reason = "denied-by-setting"
	ReasonSettingCorrupt      Reason = "setting-corrupt"
	ReasonAllowedByPolicy     Reason = "allowed-by-policy"
	ReasonAllowedBySetting    Reason = "allowed-by-setting"
	ReasonMustConfirm         Reason = "must-confirm"
	ReasonDesktopLocked       Reason = "desktop-locked"
	ReasonNobodyThere         Reason = "nobody-there"
	ReasonDesktopUnreachable  Reason = "desktop-unreachable"
)

// Decision is the outcome of Decide. Basis is empty and Notice false unless the
// verdict is Allow.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	Basis   Basis   `json:"basis"`
	Reason  Reason  `json:"reason"`
	Notice  bool    `json:"notice"`
}
