package consent

import "time"

// Outcome is how a session's request ended, as `aval consent list` shows it.
type Outcome string

// The outcomes.
const (
	OutcomeAsking       Outcome = "asking"
	OutcomeAllowed      Outcome = "allowed"
	OutcomeRefused      Outcome = "refused"
	OutcomeNoAnswer     Outcome = "no-answer"
	OutcomeCouldNotAsk  Outcome = "could-not-ask"
	OutcomeDenied       Outcome = "denied"
	OutcomeNotRequested Outcome = "not-requested"
	OutcomeObjected     Outcome = "objected"
	OutcomeWithdrawn    Outcome = "withdrawn"
	OutcomeExpired      Outcome = "expired"
	OutcomeErased       Outcome = "erased"
)

// Provenance says how sure it is that the person at the computer answered.
type Provenance string

// The provenances, from the strongest to the one that never grants.
const (
	P3 Provenance = "P3" // presence verified
	P2 Provenance = "P2" // hardware evidence
	P1 Provenance = "P1" // a code that the supporter cannot see
	P0 Provenance = "P0" // unknown
	PX Provenance = "PX" // known to be injected: never a grant
)

// Phase is where one question stands.
type Phase string

// The phases. A question moves asked → shown → ended, or asked → ended.
const (
	PhaseAsked Phase = "asked"
	PhaseShown Phase = "shown"
	PhaseEnded Phase = "ended"
)

// Ending says why a question ended; it is recorded beside the outcome.
type Ending string

// The endings.
const (
	EndingNone        Ending = ""
	EndingAnsweredYes Ending = "answered-yes"
	EndingAnsweredNo  Ending = "answered-no"
	EndingTimedOut    Ending = "timed-out"     // shown, and nobody answered in time
	EndingNotShown    Ending = "not-shown"     // no rung of the ladder could show it
	EndingUILost      Ending = "ui-lost"       // shown, then its window or helper was gone
	EndingLocked      Ending = "locked"        // the screen was locked meanwhile
	EndingLoggedOff   Ending = "logged-off"    // the person signed out meanwhile
	EndingSwitched    Ending = "switched-away" // another user's session came to the front
	EndingSessionOver Ending = "session-ended" // the remote session ended first
	EndingStopped     Ending = "agent-stopped" // the service was stopped or restarted
	EndingBadEvent    Ending = "bad-event"     // an event that cannot be: doubt denies
)

// Question is one question in flight. The zero value is not valid: use NewQuestion.
type Question struct {
	Phase   Phase
	AskedAt time.Time
	ShownAt time.Time
	// ShowBy is when a rung must have reported a visible window at the latest.
	ShowBy time.Time
	// AnswerFor is how long an answer is awaited once shown: 10 s to 300 s.
	AnswerFor time.Duration
	// Deadline is ShownAt + AnswerFor; zero until shown.
	Deadline time.Time
	// Offered are the groups that can be ticked.
	Offered []string

	Outcome    Outcome // OutcomeAsking until ended
	Ending     Ending
	EndedAt    time.Time
	Granted    []string // groups ticked with a yes
	Provenance Provenance
}

// QuestionEventKind names what happened to a question.
type QuestionEventKind string

// What can happen to a question.
const (
	EventShown       QuestionEventKind = "shown"
	EventAnswerYes   QuestionEventKind = "answer-yes"
	EventAnswerNo    QuestionEventKind = "answer-no"
	EventTick        QuestionEventKind = "tick" // time has passed: deadlines are looked at
	EventRungsUsedUp QuestionEventKind = "rungs-used-up"
	EventUILost      QuestionEventKind = "ui-lost"
	EventLocked      QuestionEventKind = "locked"
	EventLoggedOff   QuestionEventKind = "logged-off"
	EventSwitched    QuestionEventKind = "switched-away"
	EventSessionOver QuestionEventKind = "session-ended"
	EventStopped     QuestionEventKind = "agent-stopped"
)

// QuestionEvent is one thing that happened to a question, with its time.
type QuestionEvent struct {
	Kind       QuestionEventKind
	At         time.Time
	Groups     []string   // with EventAnswerYes: the groups left ticked
	Provenance Provenance // with an answer
}
