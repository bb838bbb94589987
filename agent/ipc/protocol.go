// Package ipc is the local API between the service, the desktop helper, the
// windows and the command line: frames, messages, client and server.
//
// The one rule that must not be broken: who a peer is comes from the kernel
// alone (peer credentials of the socket), never from what it says; what it may
// do follows from the table in roles.go, whose default is to refuse.
//
// A frame is one line of JSON of at most 64 KiB, ended by a line feed. A client
// sends requests {id, method, params}; the service answers {id, result} or
// {id, error}, and pushes {push, data} at any time. The first request is hello.
// The example clients in docs/local-api.md show the whole of it.
package ipc

import (
	"encoding/json"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// Version of the protocol; a hello with another one is refused with a hint.
const Version = 1

// MaxFrame is the longest frame in bytes, its line feed included.
const MaxFrame = 64 << 10

// frame is one line on the socket, in either direction.
type frame struct {
	ID     uint64          `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
	Push   string          `json:"push,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// Error is what a caller is told: what happened, and what to do.
type Error struct {
	Code    string `json:"code"` // one of the Code constants
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Why is one word for windows, which have their own sentence for it: one of
	// the Why constants, of session.join; empty elsewhere.
	Why string `json:"why,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Codes of errors. The command line exits 2 for CodeBadRequest, 3 for
// CodeRefused, 1 for the rest.
const (
	CodeBadRequest = "bad-request"
	CodeRefused    = "refused" // rights or policy forbid it
	CodeNotFound   = "not-found"
	CodeConflict   = "conflict"
	CodeFailed     = "failed"
)

// Method names a request.
type Method string

// The methods.
const (
	MethodHello  Method = "hello"
	MethodStatus Method = "status"

	MethodSettingsGet Method = "settings.get"
	MethodSettingsSet Method = "settings.set"
	MethodPolicyShow  Method = "policy.show"
	MethodWatch       Method = "watch"
	MethodWelcome     Method = "welcome"

	MethodSessionBegin Method = "session.begin"
	MethodSessionEvent Method = "session.event"
	MethodSessionEnd   Method = "session.end"
	MethodSessionJoin  Method = "session.join"
	MethodSessionOpen  Method = "session.open" // pushes PushOpening, and answers when a supporter has taken it
	MethodSessionList  Method = "session.list"
	MethodSessionPAM   Method = "session.pam"

	MethodRecordingControl Method = "recording.control"

	MethodConsentList     Method = "consent.list"
	MethodConsentShow     Method = "consent.show"
	MethodConsentSummary  Method = "consent.summary"
	MethodConsentReceipt  Method = "consent.receipt"
	MethodConsentWithdraw Method = "consent.withdraw"
	MethodSent            Method = "sent"

	MethodEnroll   Method = "enroll"
	MethodUnenroll Method = "unenroll"
	MethodSignIn   Method = "account.sign-in" // pushes PushSignIn, and answers when the user has approved
	MethodSignOut  Method = "account.sign-out"

	// Of aval-desktop.
	MethodDesktopRegister  Method = "desktop.register"
	MethodDesktopIndicator Method = "desktop.indicator"
	MethodDesktopAlive     Method = "desktop.alive"
	MethodDesktopEvent     Method = "desktop.event"
	MethodDesktopPrompt    Method = "desktop.prompt"
	MethodDesktopHeard     Method = "desktop.heard"

	// Of the window or dialog that tells of a policy.
	MethodNoticeGet   Method = "notice.get"
	MethodNoticeShown Method = "notice.shown"

	// Of the window or dialog that asks.
	MethodQuestionClaim  Method = "question.claim"
	MethodQuestionShown  Method = "question.shown"
	MethodQuestionAnswer Method = "question.answer"
)

// Pushes from the service to a registered desktop.
const (
	PushPromptOpen  = "prompt.open"
	PushPromptClose = "prompt.close"
	PushNotice      = "notice"
	PushIndicator   = "indicator"
	PushSignIn      = "account.code"    // SignInCode
	PushOpening     = "session.opening" // Opening
	PushCapture     = "capture"
	PushListen      = "listen"
	PushWatch       = "watch"
	PushHear        = "hear"
	PushChanged     = "changed" // to a connection that called watch
)

// Hello opens a connection.
type Hello struct {
	Version int    `json:"version"`
	Program string `json:"program"` // aval, aval-desktop, aval-ui: for the log only
	Build   string `json:"build,omitempty"`
}

// HelloResult tells the peer whom it talks to.
type HelloResult struct {
	Version int    `json:"version"`
	Build   string `json:"build"`
	// DeviceKey is the Ed25519 public key that signs this computer's grants.
	DeviceKey []byte `json:"device_key"`
}

// Changed says that something that the peer may see is not what it was when
// watch, or the Changed before, was sent.
type Changed struct {
	What []What `json:"what"`
}

// What names a part of what a peer can see.
type What string

// The parts, by the methods that show them.
const (
	WhatStatus   What = "status"
	WhatSettings What = "settings" // and the policy
	WhatSessions What = "sessions"
	WhatRecords  What = "records" // consent.list, consent.summary
)

// Watching asks to be told of changes. Window is the X id of the caller's window,
// which the desktop then follows, so that presses in it can count; 0: it has none.
type Watching struct {
	Window uint32 `json:"window,omitempty"`
}

// Welcome says whether the main window should open once by itself.
type Welcome struct {
	Open bool `json:"open"`
}

// Empty is the parameter or result of methods that have none.
type Empty struct{}

// SettingsResult is the caller's own setting and what it comes to; nobody sees
// or sets another's.
type SettingsResult struct {
	// SessionInsights is the caller's own value.
	SessionInsights consent.AccessControl `json:"session_insights"`
	Since           time.Time             `json:"since,omitzero"`
	// Effective is the value in force now where no company's policy requires
	// that sessions are recorded (Status.Required), and Origin where it comes
	// from: setting, policy, enforced-policy or default.
	Effective consent.AccessControl `json:"effective"`
	Origin    string                `json:"origin"`
	Enforced  bool                  `json:"enforced"`
	// Default is what is in force for those who do not choose.
	Default consent.AccessControl `json:"default"`
	// Lasting are the caller's answers that hold for further sessions.
	Lasting []LastingAnswer `json:"lasting,omitempty"`
	// Groups says of each group whether it may be recorded, and why.
	Groups []GroupSetting `json:"groups"`
	// Gone are the groups that the caller's desktop could deliver before it changed
	// from X11 to Wayland, and cannot any more.
	Gone []event.Group `json:"gone,omitempty"`
	// Language is the caller's own choice; empty: the language of the desktop.
	Language string `json:"language,omitempty"`
}

// LastingAnswer is an answer that holds for further sessions until Until;
// consent.withdraw of ID takes it back.
type LastingAnswer struct {
	ID        string    `json:"id"`
	Supporter string    `json:"supporter"`
	Company   string    `json:"company"`
	At        time.Time `json:"at"`
	Until     time.Time `json:"until"`
}

// GroupSetting is one group of events in the settings.
type GroupSetting struct {
	Group event.Group `json:"group"`
	// Record: it may be recorded. Own is the caller's own choice.
	Record bool `json:"record"`
	Own    bool `json:"own"`
	// Barred: the policy does not let it be recorded, whatever the choice.
	Barred bool `json:"barred,omitempty"`
}

// SettingsSet sets the caller's own values; what is absent stays.
type SettingsSet struct {
	// SessionInsights "unset" returns to the default.
	SessionInsights consent.AccessControl `json:"session_insights,omitempty"`
	// Record are the groups that may be recorded, at least one.
	Record []event.Group `json:"record,omitempty"`
	// Language is a BCP 47 tag of Languages; "default": the desktop's.
	Language string `json:"language,omitempty"`
	// Press is where the window was pressed for it; nil: not told. While a
	// supporter is there, what loosens counts with the evidence of a hand alone.
	Press *Press `json:"press,omitempty"`
}

// Enroll makes this a managed device.
type Enroll struct {
	Server string `json:"server"`
	Token  string `json:"token"`
	Pin    string `json:"pin,omitempty"` // sha256:HEX of the server key's SPKI; empty: system roots
}

// EnrollResult says with whom the device is enrolled now.
type EnrollResult struct {
	Company     string `json:"company"`
	CompanyName string `json:"company_name"`
	Device      string `json:"device"`
	Server      string `json:"server"`
}

// Unenroll leaves the company.
type Unenroll struct {
	// Discard loses what could not be sent, and ends recordings.
	Discard bool `json:"discard,omitempty"`
}

// WhyUnsent: something waits to be sent, or a session is being recorded.
const WhyUnsent = "unsent"

// UnenrollResult says what became of it.
type UnenrollResult struct {
	Company string `json:"company"`
	Told    bool   `json:"told"` // its server knows; otherwise it is told later
	Lost    int    `json:"lost"` // events that were not sent, and are destroyed
}

// SignOutResult says what became of an account.
type SignOutResult struct {
	Company string `json:"company"`
	Told    bool   `json:"told"` // its server knows; otherwise it is told later
}

// PolicyResult is the policy in force and where each value comes from.
type PolicyResult struct {
	State   consent.PolicyState `json:"state"`
	Origin  string              `json:"origin"`
	SHA256  string              `json:"sha256,omitempty"`
	GoodAt  time.Time           `json:"good_at,omitzero"` // when it was last read without doubt
	Problem string              `json:"problem,omitempty"`
	// Server is what the company's server sent; nil: this computer is not enrolled.
	Server *PolicyServer     `json:"server,omitempty"`
	Keys   []json.RawMessage `json:"keys"` // policy.Resolved, one for each key
	Text   string            `json:"text"` // the same for people
}

// PolicyServer is the last good bundle of options and policy of the company's
// server, and the last one that was refused.
type PolicyServer struct {
	Version       int64     `json:"version"`          // of the bundle; 0: there is none
	Policy        string    `json:"policy,omitempty"` // name; empty: none is assigned
	PolicyVersion int64     `json:"policy_version,omitempty"`
	SignedAt      time.Time `json:"signed_at,omitzero"`
	Until         time.Time `json:"until,omitzero"` // when it stops being in force
	// What the company asks for, as it counts now: off where the options have
	// expired or never came.
	Outgoing         consent.OutgoingOption `json:"outgoing"`
	Incoming         consent.IncomingOption `json:"incoming"`
	IncomingEnforced bool                   `json:"incoming_enforced"`
	LogSessions      bool                   `json:"log_sessions"`
	// Releases says whose key counts for values that can allow without a
	// question: server, release-key or nobody.
	Releases  string    `json:"releases"`
	Refused   string    `json:"refused,omitempty"`
	RefusedAt time.Time `json:"refused_at,omitzero"`
}

// Status is what `aval status` shows.
type Status struct {
	Build     string    `json:"build"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Device    string    `json:"device,omitempty"`
	Company   string    `json:"company,omitempty"`
	Server    string    `json:"server,omitempty"`
	// Account: the company does not manage this computer, somebody here is signed
	// in to this user's account of it.
	Account string `json:"account,omitempty"`
	// Outgoing and Incoming are what the company asks for, as it counts now.
	Outgoing         consent.OutgoingOption `json:"outgoing,omitempty"`
	Incoming         consent.IncomingOption `json:"incoming,omitempty"`
	IncomingEnforced bool                   `json:"incoming_enforced,omitempty"`
	// Required: sessions are recorded even where the person has chosen Denied.
	Required bool `json:"required"`
	// Link is none, connecting, connected or refused.
	Link      string `json:"link"`
	LinkError string `json:"link_error,omitempty"`
	Waiting   uint64 `json:"waiting"` // events not yet acknowledged
	// Guests are companies that ask for one session by a code, while that is open
	// or something waits for them.
	Guests []GuestStatus `json:"guests,omitempty"`
	// Module is the one that the service runs for; nil: it is installed.
	Module *ModuleStatus `json:"module,omitempty"`
	// Opening is the session that the module has opened; nil: there is none.
	Opening   *Opening        `json:"opening,omitempty"`
	Desktops  []DesktopStatus `json:"desktops"`
	Sessions  int             `json:"sessions"`
	Recording int             `json:"recording"`
	// AuditBreak: the company's audit log does not continue what this computer saw of
	// it; nil: it does, as far as is known.
	AuditBreak *AuditBreak `json:"audit_break,omitempty"`
	Notes      []string    `json:"notes,omitempty"` // sentences: quarantined files and the like
	// Troubles are the last warnings and errors of the service's log, for administrators.
	Troubles []Trouble `json:"troubles,omitempty"`
}

// AuditBreak are the two heads of a company's audit log of which the later one does
// not continue the earlier one. Both are kept, signed by the company.
type AuditBreak struct {
	At      time.Time `json:"at"`      // when the first that does not came
	SeenAt  time.Time `json:"seen_at"` // of the last that continued those before it
	Seen    int64     `json:"seen"`    // rows
	ShownAt time.Time `json:"shown_at"`
	Shown   int64     `json:"shown"`
}

// Trouble is a warning or error of the service's log.
type Trouble struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"` // WARN or ERROR
	Text  string    `json:"text"`
}

// ModuleStatus is the module that a service runs for.
type ModuleStatus struct {
	Name    string `json:"name"`
	Company string `json:"company"` // the name that it gives itself
	Server  string `json:"server"`  // host name, as TLS has verified it
}

// GuestStatus is a company that asks for one session by a code.
type GuestStatus struct {
	Company   string    `json:"company"` // the name that it gives itself
	Server    string    `json:"server"`  // host name, as TLS has verified it
	Supporter string    `json:"supporter"`
	Open      bool      `json:"open"`  // its session has not ended
	Until     time.Time `json:"until"` // when its request ends at the latest
	Link      string    `json:"link"`  // none, connecting, connected or refused
	LinkError string    `json:"link_error,omitempty"`
}

// DesktopStatus is one graphical session known to the service.
type DesktopStatus struct {
	Desktop string          `json:"desktop"`
	User    string          `json:"user"`
	State   consent.Desktop `json:"state"`
	Helper  bool            `json:"helper"` // aval-desktop is there
	Display string          `json:"display,omitempty"`
	Type    string          `json:"type,omitempty"` // x11, wayland or mir
	Seat    string          `json:"seat,omitempty"`
	// Gone are the groups that this desktop could deliver before it changed from
	// X11 to Wayland, and cannot any more.
	Gone []event.Group `json:"gone,omitempty"`
	// StartLine starts aval-desktop where it is missing: a line to add to
	// StartFile, or, without a file, a command for the user to run once.
	StartFile string `json:"start_file,omitempty"`
	StartLine string `json:"start_line,omitempty"`
}
