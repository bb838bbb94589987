package consent

import (
	"slices"
	"time"
)

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
	// EndingEarlier: nobody was asked, because an earlier answer holds for this
	// session too. A question itself never ends so.
	EndingEarlier Ending = "earlier-answer"
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
	// LastAt is the time of the latest event, so that time cannot go backwards.
	LastAt time.Time
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

// Bounds of a question's times.
const (
	// MaxShow is how long the whole ladder of rungs may take to show the question.
	MaxShow = 20 * time.Second
	// MinAnswer, MaxAnswer and DefaultAnswer bound the time for an answer.
	MinAnswer     = 10 * time.Second
	MaxAnswer     = 300 * time.Second
	DefaultAnswer = 30 * time.Second
)

// NewQuestion is a question that was asked at at. An answerFor outside
// MinAnswer to MaxAnswer is moved to the nearer bound, zero is DefaultAnswer.
// Pass times that carry a monotonic reading (time.Now() as it is), so that a
// clock that is set meanwhile neither ends nor prolongs the question.
//
// With nothing on offer, or without a time, there is nothing to ask: the
// question has then already ended as could-not-ask.
func NewQuestion(at time.Time, answerFor time.Duration, offered []string) Question {
	if answerFor == 0 {
		answerFor = DefaultAnswer
	}
	q := Question{
		Phase:     PhaseAsked,
		AskedAt:   at,
		LastAt:    at,
		ShowBy:    at.Add(MaxShow),
		AnswerFor: min(max(answerFor, MinAnswer), MaxAnswer),
		Offered:   unique(offered),
		Outcome:   OutcomeAsking,
	}
	switch {
	case at.IsZero():
		return q.end(QuestionEvent{At: at}, OutcomeCouldNotAsk, EndingBadEvent)
	case len(q.Offered) == 0:
		return q.end(QuestionEvent{At: at}, OutcomeCouldNotAsk, EndingNotShown)
	}
	return q
}

// Next is the question after e. It never changes q, and an ended question
// stays as it is whatever happens.
//
// A yes grants only once: after shown, before the deadline, for groups that
// were offered, at least one, with provenance P0 to P3. A yes that is known to
// be injected (PX), or one with nothing ticked, changes nothing: the question
// stays open until its time is up. A yes that cannot be (not shown yet, groups
// that were not offered, unknown provenance, time going backwards) ends the
// question as could-not-ask, because its sender cannot be trusted. A no counts
// always, from any hand, and also when it comes late.
//
// Silence is no-answer when the question was shown, and so is a remote session
// that ended before an answer; whatever kept the person from seeing or
// answering it is could-not-ask.
func Next(q Question, e QuestionEvent) Question {
	if q.Phase == PhaseEnded {
		return q
	}
	if !q.valid() {
		return q.end(e, OutcomeCouldNotAsk, EndingBadEvent)
	}
	if e.Kind == EventAnswerNo {
		q.Provenance = e.Provenance
		if !q.Provenance.known() {
			q.Provenance = P0
		}
		return q.end(e, OutcomeRefused, EndingAnsweredNo)
	}
	backwards := e.At.Before(q.LastAt)
	if !backwards && q.late(e.At) {
		return q.timeUp(e)
	}
	switch e.Kind {
	case EventShown, EventAnswerYes, EventTick:
		if backwards {
			return q.end(e, OutcomeCouldNotAsk, EndingBadEvent)
		}
		q.LastAt = e.At
		switch e.Kind {
		case EventShown:
			return q.shown(e)
		case EventAnswerYes:
			return q.yes(e)
		}
		return q
	case EventRungsUsedUp:
		if q.Phase == PhaseShown {
			return q.end(e, OutcomeCouldNotAsk, EndingUILost)
		}
		return q.end(e, OutcomeCouldNotAsk, EndingNotShown)
	case EventUILost:
		return q.end(e, OutcomeCouldNotAsk, EndingUILost)
	case EventLocked:
		return q.end(e, OutcomeCouldNotAsk, EndingLocked)
	case EventLoggedOff:
		return q.end(e, OutcomeCouldNotAsk, EndingLoggedOff)
	case EventSwitched:
		return q.end(e, OutcomeCouldNotAsk, EndingSwitched)
	case EventStopped:
		return q.end(e, OutcomeCouldNotAsk, EndingStopped)
	case EventSessionOver:
		if q.Phase == PhaseShown {
			return q.end(e, OutcomeNoAnswer, EndingSessionOver)
		}
		return q.end(e, OutcomeCouldNotAsk, EndingSessionOver)
	}
	return q.end(e, OutcomeCouldNotAsk, EndingBadEvent)
}

// shown starts the time for an answer. A second shown (a dialog that asks once
// more) does not prolong it.
func (q Question) shown(e QuestionEvent) Question {
	if q.Phase == PhaseAsked {
		q.Phase = PhaseShown
		q.ShownAt = e.At
		q.Deadline = e.At.Add(q.AnswerFor)
	}
	return q
}

func (q Question) yes(e QuestionEvent) Question {
	if q.Phase != PhaseShown || !e.Provenance.known() {
		return q.end(e, OutcomeCouldNotAsk, EndingBadEvent)
	}
	for _, g := range e.Groups {
		if !slices.Contains(q.Offered, g) {
			return q.end(e, OutcomeCouldNotAsk, EndingBadEvent)
		}
	}
	if e.Provenance == PX || len(e.Groups) == 0 {
		return q
	}
	for _, g := range q.Offered {
		if slices.Contains(e.Groups, g) {
			q.Granted = append(q.Granted, g)
		}
	}
	q.Provenance = e.Provenance
	return q.end(e, OutcomeAllowed, EndingAnsweredYes)
}

func (q Question) timeUp(e QuestionEvent) Question {
	if q.Phase == PhaseShown {
		return q.end(e, OutcomeNoAnswer, EndingTimedOut)
	}
	return q.end(e, OutcomeCouldNotAsk, EndingNotShown)
}

// late tells whether the time to show or to answer is up at at. The wall clock
// counts besides the monotonic one, because the latter stands still while a
// computer sleeps (see package time, "Monotonic Clocks").
func (q Question) late(at time.Time) bool {
	until := q.ShowBy
	if q.Phase == PhaseShown {
		until = q.Deadline
	}
	return !at.Before(until) || !at.Round(0).Before(until.Round(0))
}

func (q Question) end(e QuestionEvent, o Outcome, why Ending) Question {
	q.Phase, q.Outcome, q.Ending = PhaseEnded, o, why
	q.EndedAt = e.At
	if e.At.Before(q.LastAt) {
		q.EndedAt = q.LastAt
	}
	q.LastAt = q.EndedAt
	if o != OutcomeAllowed {
		q.Granted = nil
	}
	return q
}

// valid refuses questions that NewQuestion did not make.
func (q Question) valid() bool {
	ok := !q.AskedAt.IsZero() && !q.LastAt.Before(q.AskedAt) && len(q.Offered) > 0 && len(q.Granted) == 0 &&
		q.AnswerFor >= MinAnswer && q.AnswerFor <= MaxAnswer && q.Outcome == OutcomeAsking
	switch q.Phase {
	case PhaseAsked:
		return ok && !q.ShowBy.IsZero() && !q.ShowBy.After(q.AskedAt.Add(MaxShow))
	case PhaseShown:
		return ok && !q.ShownAt.IsZero() && !q.Deadline.IsZero() && !q.Deadline.After(q.ShownAt.Add(q.AnswerFor))
	}
	return false
}

func (p Provenance) known() bool {
	return p == P3 || p == P2 || p == P1 || p == P0 || p == PX
}

// unique keeps the first of equal groups and leaves empty names out.
func unique(groups []string) []string {
	var out []string
	for _, g := range groups {
		if g != "" && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}
