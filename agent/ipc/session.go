package ipc

import (
	"encoding/json"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

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

// SessionOpen opens a session by the module that the service runs for: it waits for
// a supporter of the module's company.
type SessionOpen struct {
	// Desktop names the desktop session viewed; empty: all of the caller's.
	Desktop string `json:"desktop,omitempty"`
}

// Opening is a session that a module has opened, or, with Why, what became of it.
type Opening struct {
	Number string    `json:"number,omitempty"` // six digits, to be read out to the support
	Until  time.Time `json:"until,omitzero"`
	Why    string    `json:"why,omitempty"`
}

// Why a session code could not be used, or nobody be signed in.
const (
	WhyBad      = "bad"      // it is no code, or no server's address
	WhyUnknown  = "unknown"  // its server does not know it
	WhyUsed     = "used"     // it was used already
	WhyExpired  = "expired"  // its ten minutes are over
	WhyTries    = "tries"    // too many wrong ones came from this address
	WhyServer   = "server"   // its server cannot be reached, or is not who it says it is
	WhyDenied   = "denied"   // nothing is recorded here, so the server was not asked
	WhyManaged  = "managed"  // the computer is enrolled with that company
	WhyImpostor = "impostor" // the server says that it is a company which it is not
	WhyRefused  = "refused"  // the support has turned the opened session away
	WhyModule   = "module"   // the module does not stand any more
	// Why a module is not started, beside WhyBad, WhyExpired, WhyServer, WhyModule and
	// WhyImpostor.
	WhyChanged   = "changed"   // after it was signed
	WhyClock     = "clock"     // it is from a day that is yet to come
	WhyInstalled = "installed" // Aval is installed on the computer
	WhyClosed    = "closed"    // the person has closed its window
	WhyWaiting   = "waiting"   // a session waits for the support already
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
	// Hand is whose hand the withdrawal, the wish to delete or the objection came from,
	// which Outcome tells of; empty: nobody's, or it was not noted.
	Hand consent.Provenance `json:"hand,omitempty"`
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
	// Reads is how often the company has read what it has of the session, as its
	// server says; nil: it does not say. It may be there without a summary.
	Reads *Reads `json:"reads,omitempty"`
}

// Reads is how often people and programs have read something: a reader's looks
// within one hour count as one. It names nobody.
type Reads struct {
	Times    uint64    `json:"times"`
	People   uint64    `json:"people"`
	Programs uint64    `json:"programs"`
	Last     time.Time `json:"last,omitzero"`
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
