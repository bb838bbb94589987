// Package prompt is the ladder on which one question is asked on one desktop:
// the window, then the native dialog, then nobody could be asked. Its
// sub-packages are what the desktop does for it: native dialogs, and launching
// programs.
//
// The one rule that must not be broken: only the connection that fetched the
// question with its single-use nonce, and reported it shown, can answer it; and
// the ladder ends in a denial, never in an answer on anybody's behalf.
package prompt

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// Rung is one way to show a question.
type Rung string

// The rungs, in the order in which they are tried.
const (
	Window Rung = "window"
	Native Rung = "native"
)

// Rungs is the whole ladder; after it nobody could be asked.
var Rungs = []Rung{Window, Native}

// ShowWithin is how long a rung may take until its window is really visible.
const ShowWithin = 5 * time.Second

// Desk is what the ladder asks of a desktop. The calls must not block.
type Desk interface {
	// Open shows the question on a rung; the nonce is for whoever will fetch it.
	Open(question string, rung Rung, nonce string)
	// Close ends whatever shows the question.
	Close(question string, outcome consent.Outcome)
}

// Errors for peers that are not entitled to what they try.
var (
	ErrNotYours = errors.New("this question is not for this program")
	ErrOver     = errors.New("this question has ended")
	ErrNotShown = errors.New("the question must be reported as shown before it is answered")
)

// Ask is one question on one desktop. It is not safe for concurrent use: the
// service's owner goroutine drives it.
type Ask struct {
	ID   string
	desk Desk

	// waits: another question is on the desktop, and this one is not there yet.
	waits     bool
	answerFor time.Duration

	q      consent.Question
	rung   int // index into Rungs
	rungBy time.Time
	nonce  string
	holder any // the connection that fetched the question; nil: not yet

	shownOn    Rung
	locale     string
	textSHA256 string
}

// New makes a question that waits for its turn on the desktop; Open shows it.
func New(id string, desk Desk, now time.Time, answerFor time.Duration, offered []event.Group) *Ask {
	names := make([]string, len(offered))
	for i, g := range offered {
		names[i] = string(g)
	}
	return &Ask{ID: id, desk: desk, waits: true, answerFor: answerFor, q: consent.NewQuestion(now, answerFor, names)}
}

// Open shows a question that waited on its first rung. All its times begin now.
func (a *Ask) Open(now time.Time) {
	if a.waits && !a.Over() {
		a.restart(now)
		a.waits = false
		a.open(now)
	}
}

// Waits tells whether the question is still to be opened.
func (a *Ask) Waits() bool { return a.waits && !a.Over() }

// restart has the question's times begin at now: waiting for a turn is not time
// in which it could have been shown.
func (a *Ask) restart(now time.Time) {
	a.q = consent.NewQuestion(now, a.answerFor, a.q.Offered)
}

func (a *Ask) open(now time.Time) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails: crypto/rand ends the program instead
	a.nonce, a.holder, a.rungBy = hex.EncodeToString(raw), nil, now.Add(ShowWithin)
	a.desk.Open(a.ID, Rungs[a.rung], a.nonce)
}

// Question is where the question stands.
func (a *Ask) Question() consent.Question { return a.q }

// Rung is the rung that the question stands on.
func (a *Ask) Rung() Rung { return Rungs[min(a.rung, len(Rungs)-1)] }

// ShownOn is the rung that was really seen, with the language and the hash of
// the text as it was shown; empty: none was.
func (a *Ask) ShownOn() (rung Rung, locale, textSHA256 string) {
	return a.shownOn, a.locale, a.textSHA256
}

// ShownAs notes the language and text that were on the screen at the answer: the
// person may have changed the language since it was shown.
func (a *Ask) ShownAs(locale, textSHA256 string) {
	if locale != "" && textSHA256 != "" {
		a.locale, a.textSHA256 = locale, textSHA256
	}
}

// Holder is the connection that fetched the question; nil: none has.
func (a *Ask) Holder() any { return a.holder }

// Over tells whether the question has ended.
func (a *Ask) Over() bool { return a.q.Phase == consent.PhaseEnded }

// Wake is when Tick has something to do next; zero while the question waits for
// its turn and once it is over.
func (a *Ask) Wake() time.Time {
	if a.waits {
		return time.Time{}
	}
	switch a.q.Phase {
	case consent.PhaseAsked:
		return a.rungBy
	case consent.PhaseShown:
		return a.q.Deadline
	}
	return time.Time{}
}

// Claim hands the question to a connection. The nonce counts once.
func (a *Ask) Claim(nonce string, holder any) error {
	switch {
	case a.Over():
		return ErrOver
	case a.waits || a.holder != nil || nonce == "" || nonce != a.nonce:
		return ErrNotYours
	}
	a.nonce, a.holder = "", holder
	return nil
}

// Shown reports the first frame of a really visible window; it returns until
// when an answer is awaited.
func (a *Ask) Shown(holder any, locale, textSHA256 string, now time.Time) (time.Time, error) {
	switch {
	case a.Over():
		return time.Time{}, ErrOver
	case holder == nil || a.holder != holder:
		return time.Time{}, ErrNotYours
	}
	a.Tick(now) // too late is too late, even when nobody ticked in between
	if a.Over() || a.holder != holder {
		return time.Time{}, ErrOver
	}
	a.happened(consent.QuestionEvent{Kind: consent.EventShown, At: now})
	a.shownOn, a.locale, a.textSHA256 = a.Rung(), locale, textSHA256
	return a.q.Deadline, nil
}

// Holds tells whether a connection is the one that fetched the question, which
// has been shown and is open.
func (a *Ask) Holds(holder any) bool {
	return holder != nil && a.holder == holder && a.q.Phase == consent.PhaseShown
}

// Answer takes the person's answer.
func (a *Ask) Answer(holder any, allow bool, groups []event.Group, by consent.Provenance, now time.Time) error {
	switch {
	case a.Over():
		return ErrOver
	case holder == nil || a.holder != holder:
		return ErrNotYours
	case a.q.Phase != consent.PhaseShown && allow:
		return ErrNotShown
	}
	e := consent.QuestionEvent{Kind: consent.EventAnswerNo, At: now, Provenance: by}
	if allow {
		e.Kind = consent.EventAnswerYes
		for _, g := range groups {
			e.Groups = append(e.Groups, string(g))
		}
	}
	a.happened(e)
	return nil
}

// Failed reports that a rung could not show the question: the next one is tried.
// A report of a rung that is not the current one, or after it was shown, is late
// and changes nothing.
func (a *Ask) Failed(rung Rung, now time.Time) {
	if !a.waits && a.q.Phase == consent.PhaseAsked && a.Rung() == rung {
		a.climb(now)
	}
}

// Lost reports that a connection has ended.
func (a *Ask) Lost(holder any, now time.Time) {
	if a.Over() || holder == nil || a.holder != holder {
		return
	}
	if a.q.Phase == consent.PhaseShown {
		a.happened(consent.QuestionEvent{Kind: consent.EventUILost, At: now})
		return
	}
	a.climb(now)
}

// Tick lets time pass.
func (a *Ask) Tick(now time.Time) {
	if a.waits {
		return
	}
	if a.q.Phase == consent.PhaseAsked && !now.Before(a.rungBy) {
		a.climb(now)
	}
	if !a.Over() {
		a.happened(consent.QuestionEvent{Kind: consent.EventTick, At: now})
	}
}

// Happened passes on what befell the desktop or the session.
func (a *Ask) Happened(kind consent.QuestionEventKind, now time.Time) {
	a.happened(consent.QuestionEvent{Kind: kind, At: now})
}

func (a *Ask) climb(now time.Time) {
	a.desk.Close(a.ID, consent.OutcomeAsking) // a rung is ended before the next one opens
	a.rung++
	if a.rung < len(Rungs) {
		a.open(now)
		return
	}
	a.happened(consent.QuestionEvent{Kind: consent.EventRungsUsedUp, At: now})
}

func (a *Ask) happened(e consent.QuestionEvent) {
	if a.Over() {
		return
	}
	if a.waits {
		a.restart(e.At)
	}
	a.q = consent.Next(a.q, e)
	if a.Over() {
		a.nonce = ""
		if !a.waits { // nothing shows it
			a.desk.Close(a.ID, a.q.Outcome)
		}
	}
}

// Groups are the groups that a yes left ticked, in the order of the question.
func (a *Ask) Groups() []event.Group {
	var out []event.Group
	for _, g := range event.Groups {
		if slices.Contains(a.q.Granted, string(g)) {
			out = append(out, g)
		}
	}
	return out
}
