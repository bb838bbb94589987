package consent_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
)

var (
	t0      = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	offered = []string{"windows", "commands", "chat"}
)

// after is an event so many seconds after t0.
func after(seconds float64, kind consent.QuestionEventKind) consent.QuestionEvent {
	return consent.QuestionEvent{Kind: kind, At: t0.Add(time.Duration(seconds * float64(time.Second)))}
}

func yesAfter(seconds float64, p consent.Provenance, groups ...string) consent.QuestionEvent {
	e := after(seconds, consent.EventAnswerYes)
	e.Provenance, e.Groups = p, groups
	return e
}

func TestNext(t *testing.T) {
	shown := after(1, consent.EventShown)
	no := after(5, consent.EventAnswerNo)
	injectedNo := no
	injectedNo.Provenance = consent.PX
	type events = []consent.QuestionEvent
	for name, c := range map[string]struct {
		events  events
		outcome consent.Outcome
		ending  consent.Ending
	}{
		"nothing yet":                {nil, "asking", ""},
		"shown":                      {events{shown}, "asking", ""},
		"yes":                        {events{shown, yesAfter(5, "P2", "chat")}, "allowed", "answered-yes"},
		"yes by unknown hand":        {events{shown, yesAfter(5, "P0", "chat")}, "allowed", "answered-yes"},
		"yes at the last moment":     {events{shown, yesAfter(30.999, "P2", "chat")}, "allowed", "answered-yes"},
		"yes at the deadline":        {events{shown, yesAfter(31, "P2", "chat")}, "no-answer", "timed-out"},
		"yes after it":               {events{shown, yesAfter(99, "P2", "chat")}, "no-answer", "timed-out"},
		"yes before shown":           {events{yesAfter(1, "P2", "chat"), shown}, "could-not-ask", "bad-event"},
		"yes back in time":           {events{shown, after(9, consent.EventTick), yesAfter(8, "P2", "chat")}, "could-not-ask", "bad-event"},
		"yes without a time":         {events{shown, {Kind: consent.EventAnswerYes, Groups: []string{"chat"}, Provenance: "P2"}}, "could-not-ask", "bad-event"},
		"yes to what is not offered": {events{shown, yesAfter(5, "P2", "chat", "files")}, "could-not-ask", "bad-event"},
		"yes to nothing":             {events{shown, yesAfter(5, "P2")}, "asking", ""},
		"yes to nothing, then more":  {events{shown, yesAfter(5, "P2"), yesAfter(6, "P2", "chat")}, "allowed", "answered-yes"},
		"injected yes":               {events{shown, yesAfter(5, "PX", "chat")}, "asking", ""},
		"injected yes, then silence": {events{shown, yesAfter(5, "PX", "chat"), after(31, consent.EventTick)}, "no-answer", "timed-out"},
		"yes of unheard provenance":  {events{shown, yesAfter(5, "P9", "chat")}, "could-not-ask", "bad-event"},
		"yes without provenance":     {events{shown, yesAfter(5, "", "chat")}, "could-not-ask", "bad-event"},
		"no":                         {events{shown, no}, "refused", "answered-no"},
		"no before shown":            {events{no}, "refused", "answered-no"},
		"no by an injected click":    {events{shown, injectedNo}, "refused", "answered-no"},
		"late no":                    {events{shown, after(40, consent.EventAnswerNo)}, "refused", "answered-no"},
		"yes after no":               {events{shown, no, yesAfter(6, "P3", "chat")}, "refused", "answered-no"},
		"no after yes":               {events{shown, yesAfter(5, "P2", "chat"), after(6, consent.EventAnswerNo)}, "allowed", "answered-yes"},
		"silence":                    {events{shown, after(30, consent.EventTick), after(31, consent.EventTick)}, "no-answer", "timed-out"},
		"never shown":                {events{after(20, consent.EventTick)}, "could-not-ask", "not-shown"},
		"shown too late":             {events{after(20, consent.EventShown)}, "could-not-ask", "not-shown"},
		"shown twice":                {events{shown, after(20, consent.EventShown), after(31, consent.EventTick)}, "no-answer", "timed-out"},
		"no rung left":               {events{after(3, consent.EventRungsUsedUp)}, "could-not-ask", "not-shown"},
		"window gone":                {events{shown, after(3, consent.EventUILost)}, "could-not-ask", "ui-lost"},
		"window gone, no rung left":  {events{shown, after(3, consent.EventRungsUsedUp)}, "could-not-ask", "ui-lost"},
		"locked":                     {events{shown, after(3, consent.EventLocked), yesAfter(5, "P3", "chat")}, "could-not-ask", "locked"},
		"signed out":                 {events{shown, after(3, consent.EventLoggedOff)}, "could-not-ask", "logged-off"},
		"switched away":              {events{shown, after(3, consent.EventSwitched)}, "could-not-ask", "switched-away"},
		"stopped":                    {events{shown, after(3, consent.EventStopped)}, "could-not-ask", "agent-stopped"},
		"session over":               {events{shown, after(3, consent.EventSessionOver)}, "no-answer", "session-ended"},
		"session over before shown":  {events{after(3, consent.EventSessionOver)}, "could-not-ask", "session-ended"},
		"locked after the deadline":  {events{shown, after(40, consent.EventLocked)}, "no-answer", "timed-out"},
		"unheard event":              {events{shown, after(3, "granted")}, "could-not-ask", "bad-event"},
	} {
		t.Run(name, func(t *testing.T) {
			q := consent.NewQuestion(t0, 30*time.Second, offered)
			for _, e := range c.events {
				q = consent.Next(q, e)
			}
			if q.Outcome != c.outcome || q.Ending != c.ending {
				t.Errorf("%s, %s; want %s, %s", q.Outcome, q.Ending, c.outcome, c.ending)
			}
		})
	}
}

func TestNextGrantsWhatWasTicked(t *testing.T) {
	q := consent.Next(consent.NewQuestion(t0, 0, offered), after(1, consent.EventShown))
	q = consent.Next(q, yesAfter(2, consent.P1, "chat", "windows", "chat"))
	if !slices.Equal(q.Granted, []string{"windows", "chat"}) || q.Provenance != consent.P1 || !q.EndedAt.Equal(t0.Add(2*time.Second)) {
		t.Errorf("%+v", q)
	}
}

func TestNewQuestion(t *testing.T) {
	for give, want := range map[time.Duration]time.Duration{
		0: 30 * time.Second, -1: 10 * time.Second, time.Second: 10 * time.Second, 10 * time.Second: 10 * time.Second,
		90 * time.Second: 90 * time.Second, 300 * time.Second: 300 * time.Second, time.Hour: 300 * time.Second,
	} {
		if q := consent.NewQuestion(t0, give, offered); q.AnswerFor != want || q.Phase != consent.PhaseAsked {
			t.Errorf("%s: %s, not %s", give, q.AnswerFor, want)
		}
	}
	q := consent.NewQuestion(t0, 0, nil)
	if q.Outcome != consent.OutcomeCouldNotAsk || q.Ending != consent.EndingNotShown {
		t.Errorf("nothing on offer: %+v", q)
	}
	q = consent.NewQuestion(time.Time{}, 0, offered)
	if q.Outcome != consent.OutcomeCouldNotAsk || q.Ending != consent.EndingBadEvent {
		t.Errorf("no time: %+v", q)
	}
	q = consent.Next(consent.Question{}, after(1, consent.EventShown))
	if q.Outcome != consent.OutcomeCouldNotAsk {
		t.Errorf("question from nowhere: %+v", q)
	}
}

// TestLateAfterSleep: the monotonic clock stands still while a computer sleeps,
// so the wall clock must be looked at too.
func TestLateAfterSleep(t *testing.T) {
	now := time.Now()
	q := consent.Next(consent.NewQuestion(now, 0, offered), consent.QuestionEvent{Kind: consent.EventShown, At: now})
	slept := now.Round(0).Add(time.Hour)
	q = consent.Next(q, consent.QuestionEvent{Kind: consent.EventAnswerYes, At: slept, Groups: offered, Provenance: consent.P3})
	if q.Outcome != consent.OutcomeNoAnswer {
		t.Errorf("%+v", q)
	}
}

var (
	kinds = []consent.QuestionEventKind{consent.EventShown, consent.EventShown, consent.EventAnswerYes, consent.EventAnswerYes,
		consent.EventAnswerYes, consent.EventAnswerNo, consent.EventTick, consent.EventTick, consent.EventRungsUsedUp,
		consent.EventUILost, consent.EventLocked, consent.EventLoggedOff, consent.EventSwitched, consent.EventSessionOver,
		consent.EventStopped, "", "other"}
	provenances = []consent.Provenance{consent.P3, consent.P2, consent.P1, consent.P0, consent.PX, "", "P9"}

	anyEvents = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) consent.QuestionEvent {
		return consent.QuestionEvent{
			Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
			At:         t0.Add(time.Duration(rapid.IntRange(-5, 60).Draw(t, "seconds")) * time.Second),
			Provenance: rapid.SampledFrom(provenances).Draw(t, "provenance"),
			Groups:     rapid.SliceOfN(rapid.SampledFrom([]string{"windows", "commands", "chat", "files"}), 0, 3).Draw(t, "groups"),
		}
	}), 1, 8)
	// forward sorts the times, so that most sequences get somewhere.
	forward = rapid.Custom(func(t *rapid.T) []consent.QuestionEvent {
		es := anyEvents.Draw(t, "events")
		if rapid.IntRange(0, 9).Draw(t, "order") > 0 {
			slices.SortStableFunc(es, func(a, b consent.QuestionEvent) int { return a.At.Compare(b.At) })
		}
		return es
	})
)

type nextFunc func(consent.Question, consent.QuestionEvent) consent.Question

// laws runs a question through events and says which law was broken. The laws
// know the history, not how next works.
func laws(next nextFunc, events []consent.QuestionEvent) error {
	q := consent.NewQuestion(t0, 30*time.Second, offered)
	var shownAt time.Time
	latest := t0
	saidNo := false
	for _, e := range events {
		before := q
		q = next(q, e)
		if before.Phase == consent.PhaseEnded {
			if fmt.Sprint(q) != fmt.Sprint(before) {
				return fmt.Errorf("an ended question changed: %+v → %+v", before, q)
			}
			continue
		}
		ordered := !e.At.Before(latest)
		if ordered {
			latest = e.At
		}
		if e.Kind == consent.EventShown && ordered && shownAt.IsZero() && e.At.Before(t0.Add(consent.MaxShow)) {
			shownAt = e.At
		}
		saidNo = saidNo || e.Kind == consent.EventAnswerNo
		if (q.Phase == consent.PhaseEnded) == (q.Outcome == consent.OutcomeAsking) || (q.Phase == consent.PhaseEnded) == (q.Ending == "") {
			return fmt.Errorf("ended without outcome and reason, or these without the end: %+v", q)
		}
		if (q.Outcome == consent.OutcomeAllowed) != (len(q.Granted) > 0) {
			return fmt.Errorf("groups and outcome disagree: %+v", q)
		}
		switch q.Outcome {
		case consent.OutcomeAllowed:
			switch {
			case e.Kind != consent.EventAnswerYes:
				return errors.New("a grant without a yes")
			case shownAt.IsZero():
				return errors.New("a grant before shown")
			case !ordered || e.At.Before(shownAt) || !e.At.Before(shownAt.Add(30*time.Second)):
				return fmt.Errorf("a grant out of time: %s after shown", e.At.Sub(shownAt))
			case e.Provenance != consent.P0 && e.Provenance != consent.P1 && e.Provenance != consent.P2 && e.Provenance != consent.P3:
				return fmt.Errorf("a grant by provenance %q", e.Provenance)
			case q.Provenance != e.Provenance:
				return errors.New("another provenance was recorded")
			}
			for _, g := range e.Groups {
				if !slices.Contains(offered, g) || !slices.Contains(q.Granted, g) {
					return fmt.Errorf("ticked %v, granted %v", e.Groups, q.Granted)
				}
			}
			for _, g := range q.Granted {
				if !slices.Contains(e.Groups, g) {
					return fmt.Errorf("ticked %v, granted %v", e.Groups, q.Granted)
				}
			}
		case consent.OutcomeRefused:
			if !saidNo {
				return errors.New("a refusal that nobody spoke")
			}
		case consent.OutcomeNoAnswer:
			if shownAt.IsZero() {
				return errors.New("no answer to what was never shown")
			}
		case consent.OutcomeAsking:
			if e.Kind == consent.EventAnswerNo {
				return errors.New("a no that was not heard")
			}
			if ordered && (shownAt.IsZero() && !e.At.Before(t0.Add(consent.MaxShow)) || !shownAt.IsZero() && !e.At.Before(shownAt.Add(30*time.Second))) {
				return errors.New("a question that outlived its time")
			}
		case consent.OutcomeCouldNotAsk:
		default:
			return fmt.Errorf("outcome %q", q.Outcome)
		}
	}
	q = next(q, consent.QuestionEvent{Kind: consent.EventTick, At: t0.Add(time.Hour)})
	if q.Phase != consent.PhaseEnded {
		return errors.New("a question that never ends")
	}
	return nil
}

func TestNextLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := laws(consent.Next, forward.Draw(t, "events")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLawsCatchFaults plants faults in Next and requires that the laws see them.
func TestLawsCatchFaults(t *testing.T) {
	wrap := func(change func(*consent.Question, *consent.QuestionEvent)) nextFunc {
		return func(q consent.Question, e consent.QuestionEvent) consent.Question {
			change(&q, &e)
			return consent.Next(q, e)
		}
	}
	for name, faulty := range map[string]nextFunc{
		"injected input grants": wrap(func(_ *consent.Question, e *consent.QuestionEvent) {
			if e.Provenance == consent.PX {
				e.Provenance = consent.P0
			}
		}),
		"a tick grants": wrap(func(_ *consent.Question, e *consent.QuestionEvent) {
			if e.Kind == consent.EventTick {
				e.Kind, e.Groups, e.Provenance = consent.EventAnswerYes, offered, consent.P0
			}
		}),
		"the deadline is not looked at": wrap(func(q *consent.Question, e *consent.QuestionEvent) {
			if e.Kind == consent.EventAnswerYes && q.Phase == consent.PhaseShown && e.At.After(q.LastAt) {
				e.At = q.LastAt
			}
		}),
		"a yes counts before shown": wrap(func(q *consent.Question, e *consent.QuestionEvent) {
			if q.Phase == consent.PhaseAsked && e.Kind == consent.EventAnswerYes {
				*q = consent.Next(*q, consent.QuestionEvent{Kind: consent.EventShown, At: e.At})
			}
		}),
		"nothing ticked is all": wrap(func(_ *consent.Question, e *consent.QuestionEvent) {
			if len(e.Groups) == 0 {
				e.Groups = offered
			}
		}),
		"silence is a refusal": wrap(func(q *consent.Question, e *consent.QuestionEvent) {
			if q.Phase == consent.PhaseShown && e.Kind == consent.EventTick && !e.At.Before(q.Deadline) {
				e.Kind = consent.EventAnswerNo
			}
		}),
		"a second shown prolongs": wrap(func(q *consent.Question, e *consent.QuestionEvent) {
			if q.Phase == consent.PhaseShown && e.Kind == consent.EventShown {
				q.ShownAt, q.Deadline = e.At, e.At.Add(q.AnswerFor)
			}
		}),
		"a refused question can be asked again": wrap(func(q *consent.Question, e *consent.QuestionEvent) {
			if q.Outcome == consent.OutcomeRefused && e.Kind == consent.EventShown {
				*q = consent.NewQuestion(t0, 30*time.Second, offered)
			}
		}),
		"time may go backwards": wrap(func(q *consent.Question, e *consent.QuestionEvent) {
			if e.At.Before(q.LastAt) {
				e.At = q.LastAt
			}
		}),
	} {
		caught := false
		for seed := 0; seed < 20000 && !caught; seed++ {
			caught = laws(faulty, forward.Example(seed)) != nil
		}
		if !caught {
			t.Errorf("the laws do not catch: %s", name)
		}
	}
}
