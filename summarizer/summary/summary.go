// Package summary writes the summary of one recorded session out of its typed
// events: data to text by fixed rules, in the language asked for.
//
// It is PURE: it reads nothing but its arguments. The one rule that must not be
// broken: nothing is invented. Every sentence names the events (or the record)
// that it rests on, words out of events are quoted as plain text, and what no
// event says is "not stated".
package summary

import (
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// Names and versions that a summary carries.
const (
	// Engine is never called AI: it is a set of rules.
	Engine = consent.EngineRules
	// EngineVersion changes whenever the same events would give other sentences.
	EngineVersion = "2"
	// Version is the version of the JSON shape.
	Version = 1
)

// Session is one session as the summarizer holds it: what its grant says, and
// the events in any order.
type Session struct {
	ID                string // TOOL/ID
	Tool              string
	Supporter         string
	SupporterVerified bool
	Basis             consent.Basis
	Provenance        consent.Provenance
	// Grant, Objection and Withdrawal are the ids of these records; the last two
	// are empty where there is none.
	Grant, Objection, Withdrawal string
	// Engine is what writes the summary by all grants of the session, as the person
	// was told; empty: they do not agree. No other model may read the events.
	Engine string
	Events []event.Event
}

// Summary is what was done in a session. The names Name, Summary,
// IssueTypeLabels, ApplicationLabels and Steps{Application, Action, Commands}
// are those of `GET /reports/connections/{id}/ai-summary` of the TeamViewer Web
// API v1 (OpenAPI document of that API); the others are our own.
type Summary struct {
	Name              string   `json:"Name"`
	Text              string   `json:"Summary"`
	IssueTypeLabels   []string `json:"IssueTypeLabels"`
	ApplicationLabels []string `json:"ApplicationLabels"`
	Steps             []Step   `json:"Steps"`

	// Sentences are those of Text, one by one, with their evidence.
	Sentences    []Sentence    `json:"sentences"`
	Issue        Issue         `json:"issue"`
	Outcome      Outcome       `json:"outcome"`
	FollowUps    []Sentence    `json:"follow_ups"`
	Participants []Participant `json:"participants"`
	IssueTypes   []Label       `json:"issue_types"`
	Applications []Label       `json:"applications"`
	Stats        Stats         `json:"stats"`

	Language      string `json:"language"`
	Engine        string `json:"engine"`
	EngineVersion string `json:"engine_version"`
	Version       int    `json:"version"`
	// Fallback is why the rules wrote although the company uses a model.
	Fallback Why `json:"fallback,omitempty"`
	// Made is what writing by a model took.
	Made *Made `json:"made,omitempty"`
}

// Made is what is known of how a model wrote a summary.
type Made struct {
	InputHash  string `json:"input_sha256"` // of what was sent
	Shown      int    `json:"events_shown"`
	LeftOut    int    `json:"events_left_out"`
	Kept       int    `json:"claims_kept"`
	Dropped    int    `json:"claims_dropped"`
	TokensIn   int64  `json:"tokens_in,omitempty"` // as the model's server counts
	TokensOut  int64  `json:"tokens_out,omitempty"`
	MilliTaken int64  `json:"milliseconds"`
}

// Evidence is what a sentence rests on: the sequence numbers of events of the
// session, ascending, and the id of a record where the sentence tells of it.
type Evidence struct {
	Events []uint64 `json:"evidence"`
	Record string   `json:"record,omitempty"`
}

// Sentence is one sentence of the summary.
type Sentence struct {
	Text string `json:"text"`
	Evidence
}

// Step is what was done with one application, in the order of first use.
type Step struct {
	Application string   `json:"Application"`
	Action      string   `json:"Action"`
	Commands    []string `json:"Commands"`
	Evidence
}

// State tells whether something was said in the session.
type State string

// The states of Issue and Outcome.
const (
	NotStated   State = "not-stated"
	Stated      State = "stated"       // of an issue
	Resolved    State = "resolved"     // of an outcome
	NotResolved State = "not-resolved" // of an outcome
)

// Issue is why help was asked for, in the words of somebody who was there.
type Issue struct {
	State State `json:"state"`
	Sentence
}

// Outcome is how it went, only where somebody said so.
type Outcome struct {
	State State `json:"state"`
	Sentence
}

// Participant is somebody in the session.
type Participant struct {
	Role     string `json:"role"` // supporter or person
	Name     string `json:"name,omitempty"`
	Verified bool   `json:"verified,omitempty"` // the company vouched for the name
}

// Label is a short name for what a session was about or used.
type Label struct {
	Key   string `json:"key,omitempty"` // the same in every language
	Label string `json:"label"`
	Evidence
}

// Stats counts what was recorded. Noise (the desktop's own panels, shells,
// repeated windows) counts in Events only.
type Stats struct {
	DurationSeconds int64 `json:"duration_seconds"`
	Events          int   `json:"events"`
	Applications    int   `json:"applications"`
	Windows         int   `json:"windows"`
	Programs        int   `json:"programs"`
	Commands        int   `json:"commands"`
	Files           int   `json:"files"`
	Messages        int   `json:"messages"`
	Notes           int   `json:"notes"`
	Gaps            int   `json:"gaps"`
}

// span is the time from a to b, never below zero: clocks may be set back.
func span(a, b time.Time) time.Duration { return max(0, b.Sub(a)) }
