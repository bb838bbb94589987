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
	PushSignIn      = "account.code" // SignInCode
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

// SessionBegin registers a session of a remote tool.
type SessionBegin struct {
	Tool      string `json:"tool"`
	ID        string `json:"id"`
	Supporter string `json:"supporter"`
	Address   string `json:"address,omitempty"`
	Company   string `json:"company,omitempty"`
	Code      string `json:"code,omitempty"`
	// Desktop names the desktop session viewed: a display (":10") or a logind
	// session id; empty: unknown.
	Desktop string `json:"desktop,omitempty"`
	// PID is a process whose end ends the session, and whose life confirms it
	// after a restart of the service; 0: none.
	PID int `json:"pid,omitempty"`
	// Hold waits with the answer until the question has ended.
	Hold bool `json:"hold,omitempty"`
}

// SessionJoin redeems a session code: XXXX-XXXX@server or its link.
type SessionJoin struct {
	Code string `json:"code"`
	// Desktop names the desktop session viewed; empty: all of the caller's.
	Desktop string `json:"desktop,omitempty"`
	// Hold waits with the answer until the question has ended.
	Hold bool `json:"hold,omitempty"`
}

// Why a session code could not be used.
const (
	WhyBad      = "bad"      // it is no code
	WhyUnknown  = "unknown"  // its server does not know it
	WhyUsed     = "used"     // it was used already
	WhyExpired  = "expired"  // its ten minutes are over
	WhyTries    = "tries"    // too many wrong ones came from this address
	WhyServer   = "server"   // its server cannot be reached, or is not who it says it is
	WhyDenied   = "denied"   // nothing is recorded here, so the server was not asked
	WhyManaged  = "managed"  // the computer is enrolled with that company
	WhyImpostor = "impostor" // the server says that it is a company which it is not
)

// SessionBeginResult is what was decided. Outcome is asking while a question is open.
type SessionBeginResult struct {
	Session string          `json:"session"`
	Verdict consent.Verdict `json:"verdict"`
	Reason  consent.Reason  `json:"reason"`
	Outcome consent.Outcome `json:"outcome"`
	Ending  consent.Ending  `json:"ending,omitempty"`
	Groups  []event.Group   `json:"groups,omitempty"`
	Desktop string          `json:"desktop,omitempty"`
	Company string          `json:"company,omitempty"`
}

// SessionEvent reports one event of a session that the caller began.
type SessionEvent struct {
	ID     string            `json:"id"` // ID or TOOL/ID
	Kind   event.Kind        `json:"kind"`
	Fields map[string]string `json:"fields"`
}

// SessionEventResult says whether the event was recorded. Recorded true means:
// it is on disk and will be delivered exactly once.
type SessionEventResult struct {
	Recorded bool   `json:"recorded"`
	Seq      uint64 `json:"seq,omitempty"`
	Reason   string `json:"reason,omitempty"` // why not: no-grant, not-covered, paused, ended, …
}

// SessionEnd ends a session that the caller began.
type SessionEnd struct {
	ID string `json:"id"`
}

// SessionInfo is one row of session list.
type SessionInfo struct {
	Session   string `json:"session"`
	Tool      string `json:"tool"`
	Supporter string `json:"supporter"`
	Verified  bool   `json:"verified"`
	Company   string `json:"company"`
	Desktop   string `json:"desktop"`
	// Kinds are what the supporter may do, as far as the tool says it: view,
	// control, terminal, files.
	Kinds     []string        `json:"kinds,omitempty"`
	StartedAt time.Time       `json:"started_at"`
	Verdict   consent.Verdict `json:"verdict"`
	Reason    consent.Reason  `json:"reason"`
	Outcome   consent.Outcome `json:"outcome"`
	Recording bool            `json:"recording"`
	Paused    bool            `json:"paused"`
	// Why says why nothing is recorded although there is a grant: paused,
	// other-session, indicator-lost, desktop-locked, waiting-for-indicator, disk-full.
	Why    string `json:"why,omitempty"`
	Events uint64 `json:"events"`
}

// SessionPAM is what pam_exec(8) gives a hook in its environment.
type SessionPAM struct {
	Type       string `json:"type"` // open_session or close_session
	User       string `json:"user"`
	RHost      string `json:"rhost"`
	Service    string `json:"service"`
	TTY        string `json:"tty"`
	AuthInfo   string `json:"auth_info"`  // SSH_AUTH_INFO_0
	Connection string `json:"connection"` // SSH_CONNECTION
	LogindID   string `json:"logind_id"`  // XDG_SESSION_ID
	ParentPID  int    `json:"parent_pid"` // the process that called pam_exec
}

// RecordingControl is what the indicator's buttons do.
type RecordingControl struct {
	Session string `json:"session"`
	Action  string `json:"action"` // pause, resume, stop, stop-and-delete, object
	// Press is where the bar was pressed for it. Resume counts with the evidence
	// of a hand alone, as a yes does; everything else counts from any hand, see
	// Withdraw.
	Press *Press `json:"press,omitempty"`
}

// ConsentEntry is one row of consent list.
type ConsentEntry struct {
	ID         string             `json:"id"`
	Session    string             `json:"session"`
	Tool       string             `json:"tool"`
	Supporter  string             `json:"supporter"`
	Company    string             `json:"company"`
	Direction  consent.Direction  `json:"direction"`
	Verdict    consent.Verdict    `json:"verdict"`
	Basis      consent.Basis      `json:"basis"`
	Reason     consent.Reason     `json:"reason"`
	Outcome    consent.Outcome    `json:"outcome"`
	Ending     consent.Ending     `json:"ending,omitempty"`
	Provenance consent.Provenance `json:"provenance"`
	// Test: the answer came from a device that a policy names for tests.
	Test   bool          `json:"test,omitempty"`
	Groups []event.Group `json:"groups,omitempty"`
	// Held: nothing more of it is sent; it waits for the person's word. Before it
	// ends nothing of it has been, unless somebody asked to delete it: withdrawn.
	Held bool      `json:"held,omitempty"`
	At   time.Time `json:"at"`
	// Lasts is until when the answer holds for further sessions, where it still
	// does; Answer names the record of the answer that this one rests on.
	Lasts  time.Time `json:"lasts,omitzero"`
	Answer string    `json:"answer,omitempty"`
}

// ConsentListPage asks for the list, newest first, in pages.
type ConsentListPage struct {
	After string `json:"after,omitempty"` // cursor of the page before
}

// ConsentListResult is one page.
type ConsentListResult struct {
	Entries []ConsentEntry `json:"entries"`
	Next    string         `json:"next,omitempty"`
}

// ConsentShow is one record whole.
type ConsentShow struct {
	ConsentEntry
	Envelope json.RawMessage `json:"envelope"`
	LogIndex int64           `json:"log_index"`
	// Later are the signed objection, withdrawal and erasure of a grant, the
	// first of each, oldest first.
	Later []json.RawMessage `json:"later,omitempty"`
	// Copies is the fate of each copy of an erased session, as it stands now.
	Copies []consent.Copy `json:"copies,omitempty"`
}

// ByID names a record or session.
type ByID struct {
	ID string `json:"id"`
}

// ReceiptOf asks for the receipt of a decision.
type ReceiptOf struct {
	ID       string `json:"id"`
	Language string `json:"language,omitempty"` // of the page; empty: English
}

// Receipt is a decision's receipt: a page to read, and the JSON-LD that can be
// verified anywhere.
type Receipt struct {
	Page string          `json:"page"`
	JSON json.RawMessage `json:"json"`
}

// Summary is a session's summary as the company has it. All texts in it come
// from outside: show them as plain text only.
type Summary struct {
	Session string `json:"session"`
	Company string `json:"company"` // its name
	// Version counts up with each change; 0: the company has none (yet, or any
	// more), and what follows is empty.
	Version      uint64        `json:"version"`
	Name         string        `json:"name,omitempty"`
	Text         string        `json:"text,omitempty"`
	IssueTypes   []string      `json:"issue_types,omitempty"`
	Applications []string      `json:"applications,omitempty"`
	Steps        []SummaryStep `json:"steps,omitempty"`
	FollowUps    []string      `json:"follow_ups,omitempty"`
	Language     string        `json:"language,omitempty"`
	Engine       string        `json:"engine,omitempty"` // rules, or the name of a model
	Edited       bool          `json:"edited,omitempty"` // by a person at the company
	At           time.Time     `json:"at,omitzero"`
	// Cut: the end is missing, because the whole is too long to be sent back.
	Cut bool `json:"cut,omitempty"`
}

// SummaryStep is what was done with one application.
type SummaryStep struct {
	Application string   `json:"application"`
	Action      string   `json:"action"`
	Commands    []string `json:"commands,omitempty"`
}

// Withdraw ends a grant, and with Delete also erases what was recorded. It stops
// from any hand; while a supporter is there, what is to be deleted without the
// evidence of a hand is held, and the person is asked once they have left.
type Withdraw struct {
	ID     string `json:"id"`
	Delete bool   `json:"delete"`
	Press  *Press `json:"press,omitempty"` // where it was pressed for; nil: not told
}

// WithdrawResult says what became of it.
type WithdrawResult struct {
	Outcome consent.Outcome `json:"outcome"` // withdrawn, erased or objected
	Copies  []consent.Copy  `json:"copies,omitempty"`
	// Held: it has stopped and nothing more of it leaves; the person is asked
	// after the supporter has left whether it is deleted.
	Held bool `json:"held,omitempty"`
}

// Sent asks for the events of a session as they left, oldest first, in pages.
type Sent struct {
	Session string `json:"session,omitempty"` // empty: all
	After   string `json:"after,omitempty"`   // cursor of the page before
}

// SentResult is one page.
type SentResult struct {
	Events []SentEvent `json:"events"`
	Next   string      `json:"next,omitempty"`
}

// SentEvent is one event as it left, or waits to leave (Acked false).
type SentEvent struct {
	Session string            `json:"session"`
	Seq     uint64            `json:"seq"`
	Kind    event.Kind        `json:"kind"`
	At      time.Time         `json:"at"`
	Fields  map[string]string `json:"fields"`
	Acked   bool              `json:"acked"`
}

// Enroll makes this a managed device.
type Enroll struct {
	Server string `json:"server"`
	Token  string `json:"token"`
	Pin    string `json:"pin,omitempty"` // sha256:HEX of the server key's SPKI; empty: system roots
}

// SignIn signs the caller in to a user's account of a company.
type SignIn struct {
	Server string `json:"server"` // https://HOST[:PORT][#sha256:HEX]
}

// SignInCode is pushed to who signs in: the code that the user enters at URL.
type SignInCode struct {
	Code    string    `json:"code"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// SignInResult says to which account.
type SignInResult struct {
	Company string `json:"company"`
	User    string `json:"user"`
	Server  string `json:"server"`
	Device  string `json:"device"`
}

// EnrollResult says with whom the device is enrolled now.
type EnrollResult struct {
	Company     string `json:"company"`
	CompanyName string `json:"company_name"`
	Device      string `json:"device"`
	Server      string `json:"server"`
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
	Guests    []GuestStatus   `json:"guests,omitempty"`
	Desktops  []DesktopStatus `json:"desktops"`
	Sessions  int             `json:"sessions"`
	Recording int             `json:"recording"`
	Notes     []string        `json:"notes,omitempty"` // sentences: quarantined files and the like
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
	// StartLine starts aval-desktop where it is missing: a line to add to
	// StartFile, or, without a file, a command for the user to run once.
	StartFile string `json:"start_file,omitempty"`
	StartLine string `json:"start_line,omitempty"`
}

// DesktopRegister announces a desktop session. What it says is used only to
// show things on it; whose desktop it is comes from the kernel.
type DesktopRegister struct {
	Display  string `json:"display"`             // ":10"; the socket or name of the server
	Type     string `json:"type"`                // x11 or wayland
	LogindID string `json:"logind_id,omitempty"` // checked against logind
	Locale   string `json:"locale"`
	// Offers are the groups that this desktop can deliver.
	Offers []event.Group `json:"offers"`
}

// Listening tells the desktop whether to hear the presses of its devices, and
// which devices, by name, count in tests.
type Listening struct {
	On      bool     `json:"on"`
	Devices []string `json:"devices,omitempty"`
}

// Watch tells the desktop of a window of ours in which answers are given.
type Watch struct {
	PID    int    `json:"pid"`
	Window uint32 `json:"window"`
}

// Press is where an answer was given in a window.
type Press struct {
	Window uint32 `json:"window"` // its X id
	// X, Y, Width and Height are the place of the button, in pixels of the
	// window; all 0 with Key.
	X      int  `json:"x,omitempty"`
	Y      int  `json:"y,omitempty"`
	Width  int  `json:"width,omitempty"`
	Height int  `json:"height,omitempty"`
	Key    bool `json:"key,omitempty"` // by the keyboard
}

// Hear asks the desktop where a press came from; it answers with Heard.
type Hear struct {
	ID  string `json:"id"`
	PID int    `json:"pid"` // whose window it is, by the kernel
	Press
}

// Heard is the desktop's answer.
type Heard struct {
	ID     string         `json:"id"`
	From   consent.Origin `json:"from"`
	Device string         `json:"device,omitempty"`
	Doubt  string         `json:"doubt,omitempty"` // why it does not count all the same
	// Server is the process id of the X server that was heard, as the kernel names
	// the other end of those very connections; 0: there is none, or it cannot be told.
	Server int `json:"server,omitempty"`
}

// DesktopRegisterResult names the desktop as the service knows it.
type DesktopRegisterResult struct {
	Desktop string `json:"desktop"`
}

// PromptOpen asks the desktop to show a question on one rung of the ladder.
type PromptOpen struct {
	Question string `json:"question"`
	Rung     string `json:"rung"` // window or native
	Nonce    string `json:"nonce"`
}

// PromptClose ends whatever shows the question.
type PromptClose struct {
	Question string          `json:"question"`
	Outcome  consent.Outcome `json:"outcome"`
}

// DesktopPrompt reports that a rung failed before it was shown, or ended.
type DesktopPrompt struct {
	Question string `json:"question"`
	Rung     string `json:"rung"`
	Why      string `json:"why"` // not-installed, no-window, exited, screen-reader
}

// QuestionClaim fetches a question; from then on only this connection may
// report it shown and answer it.
type QuestionClaim struct {
	Question string `json:"question"`
	Nonce    string `json:"nonce"`
}

// Question is what the window shows. All texts in it come from outside: show
// them as plain text only.
type Question struct {
	Question          string            `json:"question"`
	Rung              string            `json:"rung"`
	Session           string            `json:"session"`
	Tool              string            `json:"tool"`
	Supporter         string            `json:"supporter"`
	SupporterVerified bool              `json:"supporter_verified"`
	Address           string            `json:"address,omitempty"`
	ConnectedAt       time.Time         `json:"connected_at"`
	Companies         []QuestionCompany `json:"companies"`
	Offered           []event.Group     `json:"offered"`
	// Leave makes it the question after the supporter has left.
	Leave *QuestionLeave `json:"leave,omitempty"`
	// AnswerSeconds is how long an answer is awaited from shown on.
	AnswerSeconds int `json:"answer_seconds"`
	// AllowMinutes is for how long further sessions may be allowed with this
	// answer; 0: that is not offered.
	AllowMinutes int `json:"allow_minutes,omitempty"`
	// Languages by policy, best first, for a person whose locale is none of ours.
	Languages []string `json:"languages,omitempty"`
	// Language is what the person chose in the settings; empty: nothing.
	Language string `json:"language,omitempty"`
}

// QuestionLeave is a recording of which nobody knows whose hand allowed it, or
// asked to delete it: it waits on this computer for the person's word.
type QuestionLeave struct {
	Items uint64    `json:"items"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // without an answer it is deleted then
	// DeleteAsked: it was allowed, and then somebody asked to delete it. What had
	// left by then, the company has.
	DeleteAsked bool `json:"delete_asked,omitempty"`
}

// QuestionCompany is a company that asks.
type QuestionCompany struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Verified      bool   `json:"verified"`
	Engine        string `json:"engine"` // rules, or the name of a model
	RetentionDays int    `json:"retention_days"`
	Readers       string `json:"readers,omitempty"`
	// Host is the name of the server of a company that asks by a session code, as
	// TLS has verified it; Name is then the company's own choice. Empty: the
	// computer is enrolled with it.
	Host string `json:"host,omitempty"`
	// Pinned: nothing but the fingerprint in the code vouches for Host. First: the
	// company has never asked on this computer before.
	Pinned bool `json:"pinned,omitempty"`
	First  bool `json:"first,omitempty"`
}

// NoticeOf names the session that a notice is about: the push that has it
// shown, and the parameters of notice.get and notice.shown.
type NoticeOf struct {
	Session string `json:"session"`
}

// Notice is what a person is told of a session that a policy has recorded. All
// texts in it come from outside.
type Notice struct {
	Session   string          `json:"session"`
	Tool      string          `json:"tool"`
	Supporter string          `json:"supporter"`
	Address   string          `json:"address,omitempty"`
	Company   QuestionCompany `json:"company"`
	Groups    []event.Group   `json:"groups"`
	// Enforced: the person can object, and nothing else.
	Enforced  bool     `json:"enforced"`
	Languages []string `json:"languages,omitempty"`
}

// QuestionShown reports the first frame of a really visible window.
type QuestionShown struct {
	Question   string `json:"question"`
	Locale     string `json:"locale"`
	TextSHA256 string `json:"text_sha256"`      // of the text as shown
	Window     uint32 `json:"window,omitempty"` // its X id; 0: it has none
}

// QuestionShownResult carries the deadline that the window counts down to.
type QuestionShownResult struct {
	Deadline time.Time `json:"deadline"`
}

// QuestionAnswer is the person's answer.
type QuestionAnswer struct {
	Question string        `json:"question"`
	Allow    bool          `json:"allow"`
	Groups   []event.Group `json:"groups,omitempty"` // ticked; only with Allow
	// ForMinutes is the question's AllowMinutes where the person chose it; else 0.
	ForMinutes int `json:"for_minutes,omitempty"`
	// Locale and TextSHA256 are of the text on the screen at the answer: the
	// person may have changed the language since QuestionShown.
	Locale     string `json:"locale,omitempty"`
	TextSHA256 string `json:"text_sha256,omitempty"`
	Press      *Press `json:"press,omitempty"` // how it was given; nil: not told
}

// QuestionAnswerResult says what became of the answer. While Outcome is asking
// it did not count, and Refused says why.
type QuestionAnswerResult struct {
	Outcome consent.Outcome `json:"outcome"`
	Refused string          `json:"refused,omitempty"`
}

// Why an answer did not count.
const (
	RefusedRemote    = "remote"    // not by a hand at this computer, as far as is known
	RefusedDisturbed = "disturbed" // the window was covered or moved just before
)

// Indicator is the whole state of the indicator on one desktop; every change
// sends it whole, with a higher revision.
type Indicator struct {
	Revision uint64             `json:"revision"`
	Sessions []IndicatorSession `json:"sessions"` // empty: hide
	// Language is what the person chose in the settings; empty: nothing.
	Language string `json:"language,omitempty"`
}

// IndicatorSession is one recorded session.
type IndicatorSession struct {
	Session   string    `json:"session"`
	Supporter string    `json:"supporter"`
	Company   string    `json:"company"`
	Since     time.Time `json:"since"`
	// AllowedAt is when the answer was given that this session rests on, where
	// nobody was asked anew.
	AllowedAt time.Time `json:"allowed_at,omitzero"`
	Paused    bool      `json:"paused"`
	// Held says why nothing is recorded now although it is not paused: disk-full,
	// unconfirmed; empty: it is recorded.
	Held string `json:"held,omitempty"`
	// Enforced: no Pause and Stop, but Object.
	Enforced bool `json:"enforced"`
	// Ended: shown for 10 s after the end, with Items. Erased: it was deleted.
	// Waiting: some of it has not arrived at the company. DeleteAsked: the person
	// is asked about that after the supporter has left.
	Ended       bool   `json:"ended"`
	Erased      bool   `json:"erased,omitempty"`
	Waiting     bool   `json:"waiting,omitempty"`
	DeleteAsked bool   `json:"delete_asked,omitempty"`
	Items       uint64 `json:"items"`
}

// DesktopIndicator acknowledges a revision as really visible, or says why not.
type DesktopIndicator struct {
	Revision uint64 `json:"revision"`
	Visible  bool   `json:"visible"`
	Why      string `json:"why,omitempty"`
}

// Capture tells the desktop which grants allow it to watch windows, and with
// which epoch to mark what it sees; no grants: stop, and forget everything.
type Capture struct {
	Epoch  uint64            `json:"epoch"`
	Grants []json.RawMessage `json:"grants"` // signed envelopes, verified again by the desktop
}

// DesktopEvent is one event seen on the desktop. Events of an old epoch are dropped.
type DesktopEvent struct {
	Epoch  uint64            `json:"epoch"`
	Kind   event.Kind        `json:"kind"`
	At     time.Time         `json:"at"`
	Fields map[string]string `json:"fields"`
}
