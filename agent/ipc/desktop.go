package ipc

import (
	"encoding/json"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

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
	Why      string `json:"why"` // not-installed, no-opengl, no-window, exited, screen-reader
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
	// Host is the name of the server of a company that does not manage this computer,
	// as TLS has verified it; Name is then the company's own choice. Empty: the
	// computer is enrolled with it.
	Host string `json:"host,omitempty"`
	// Account: it asks because somebody here is signed in to an account of it.
	// Otherwise a company with a Host asks by a session code.
	Account bool `json:"account,omitempty"`
	// Module: it asks by a module that runs here, which may hold the fingerprint.
	Module bool `json:"module,omitempty"`
	// Pinned: nothing but a fingerprint that was given here vouches for Host. First:
	// the company has never asked on this computer before.
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
