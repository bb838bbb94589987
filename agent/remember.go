package agent

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/prompt"
	"aval/agent/record"
	"aval/agent/store"
)

// lasting is an answer that holds for further sessions.
type lasting struct {
	consent.Answered
	test    bool
	company string // its name
	// seen is when this process first knew of it: its monotonic reading cannot be
	// set, as the wall clock can.
	seen time.Time
}

// elapsed is how long ago the answer was given at least.
func (y *lasting) elapsed() time.Duration {
	return max(0, y.seen.Round(0).Sub(y.At)) + time.Since(y.seen)
}

// until is until when it holds, to be shown; zero: it is over.
func (y *lasting) until() time.Time {
	left := min(y.For, consent.MaxRemember) - y.elapsed()
	if left <= 0 {
		return time.Time{}
	}
	return time.Now().Add(left).UTC().Truncate(time.Second)
}

// lastingFor lists a user's answers that hold for further sessions, oldest first.
func (a *Agent) lastingFor(uid uint32) []ipc.LastingAnswer {
	var out []ipc.LastingAnswer
	for id, y := range a.answers {
		if until := y.until(); !until.IsZero() && y.Party.Subject == a.subjectOf(uid) {
			out = append(out, ipc.LastingAnswer{ID: id, Supporter: y.Party.Supporter, Company: y.company, At: y.At, Until: until})
		}
	}
	slices.SortFunc(out, func(x, y ipc.LastingAnswer) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.ID, y.ID)) })
	return out
}

// allowedAt is when the answer was given that a grant rests on; zero: its own.
func (a *Agent) allowedAt(g record.Grant) time.Time {
	if y := a.answers[g.Answer]; y != nil {
		return y.At
	}
	return time.Time{}
}

// answer is what a grant is to rest on besides its decision: an earlier answer,
// or for how long the person allowed further sessions with this one.
type answer struct {
	earlier *lasting
	until   time.Time
	minutes int
}

// loadRecords reads what the records of before say to what comes: the names that
// sessions had, the newest time, and the answers that still hold. An answer is
// over with its own withdrawal, and with that of any session that rested on it,
// of which the mark of its stream is enough: the record may not have been written.
// So it is where one of these was to be deleted, whatever was said of that afterwards.
func (a *Agent) loadRecords() error {
	now := time.Now()
	revoked := map[string]bool{}
	streams, err := a.store.Streams()
	if err != nil {
		return err
	}
	for _, s := range streams {
		revoked[s.GrantID] = s.DeleteAsked || s.Withdrawn
	}
	return a.store.Records(func(e store.Entry) bool { // newest first
		a.used[e.Session] = true
		if e.At.After(a.latest) {
			a.latest = e.At
		}
		switch e.Type {
		case record.TypeWithdrawal, record.TypeErasure, record.TypeConfirmation:
			var b struct {
				Grant string `json:"grant"`
			}
			if _, payload, err := record.Peek(e.Envelope); err == nil && json.Unmarshal(payload, &b) == nil {
				revoked[b.Grant] = true
			}
		case record.TypeGrant:
			if now.Sub(e.At) > consent.MaxRemember {
				return true
			}
			g, _, err := record.OpenGrant(e.Envelope, a.ownKey())
			switch {
			case err != nil:
				a.log.Error("a grant in the log is damaged: its answer does not count", "id", e.ID, "err", err)
			case g.Answer != "" && revoked[g.ID]:
				revoked[g.Answer] = true
			case !g.Lasts().IsZero() && !revoked[g.ID]:
				a.lastingOf(g)
			}
		}
		return true
	})
}

// lastingOf keeps the answer of a grant for further sessions, where it is one.
func (a *Agent) lastingOf(g record.Grant) {
	if !g.Lasts().IsZero() {
		a.answers[g.ID] = &lasting{Answered: g.Answered(), test: g.Test, company: g.CompanyName, seen: time.Now()}
	}
}

// revoke takes an answer back: its own grant's, and that on which a withdrawn
// grant rested, so that whoever stops a session is asked at the next one.
func (a *Agent) revoke(g record.Grant) {
	delete(a.answers, g.ID)
	delete(a.answers, g.Answer)
}

// onePerson tells whether a session is about one user's desktops and that user
// is known: an answer for further sessions is one person's.
func onePerson(l *live, targets []*desktop) bool {
	return len(targets) > 0 && !slices.ContainsFunc(targets, func(d *desktop) bool { return d.uid != targets[0].uid })
}

// party is whom an answer about l concerns.
func (l *live) party() consent.Party {
	return consent.Party{Supporter: l.Supporter, Identity: l.Identity, Company: l.decided.Company, Subject: l.decided.Subject}
}

// mayAllowFor is for how many minutes l's question may offer a yes to hold for
// further sessions; 0: it does not offer it.
func (a *Agent) mayAllowFor(l *live, targets []*desktop) int {
	if l.Identity == "" || l.Guest != "" || !onePerson(l, targets) {
		return 0
	}
	return int(min(a.policy.Effective.AllowFor(), consent.MaxRemember) / time.Minute)
}

// remembered looks for an earlier answer that holds for l. A session that is
// asked about once more, because it has lasted long, is asked.
func (a *Agent) remembered(l *live, targets []*desktop) (*answer, []event.Group) {
	if l.awaiting != nil || l.Guest != "" || !onePerson(l, targets) {
		return nil, nil
	}
	d := l.decided
	w := consent.Wish{Party: l.party(), At: time.Now().UTC().Round(0), Latest: a.latest, Offer: a.policy.Effective.AllowFor(),
		Terms: record.Terms(d.Engine, d.RetentionDays)}
	for _, g := range d.Offered {
		w.Offered = append(w.Offered, string(g))
	}
	var earlier []consent.Answered
	for id, y := range a.answers {
		y.Elapsed = y.elapsed()
		if y.Elapsed >= y.For {
			delete(a.answers, id)
			continue
		}
		earlier = append(earlier, y.Answered)
	}
	yes, ok := consent.Remember(d.Decision, w, earlier)
	if !ok {
		return nil, nil
	}
	var groups []event.Group
	for _, g := range yes.Groups {
		groups = append(groups, event.Group(g))
	}
	return &answer{earlier: a.answers[yes.Record], until: yes.Until}, groups
}

// allowAgain records a session without a new question, by an answer that the
// person gave for it in advance.
func (a *Agent) allowAgain(l *live, y *answer, groups []event.Group) {
	l.outcome, l.ending, l.answer = consent.OutcomeAllowed, consent.EndingEarlier, y
	a.log.Info("allowed by an earlier answer", "session", l.Name, "answer", y.earlier.Record)
	a.grant(l, consent.BasisConsent, groups, nil, y.earlier.Provenance, y.earlier.test)
}

// answeredFor is for how many minutes an answer holds: what was chosen in the
// window by a hand at this computer, and 0 for any other.
func answeredFor(l *live, chosen int, rung prompt.Rung, by consent.Provenance) int {
	if rung != prompt.Window || !by.Proven() || chosen != l.decided.AllowMinutes {
		return 0
	}
	return chosen
}

// rest writes into a grant what it rests on, and until when it is valid.
func (a *Agent) rest(l *live, g *record.Grant) {
	if g.Basis != consent.BasisConsent {
		return
	}
	if again := a.policy.Effective.AskAgain(); again > 0 {
		g.Expires = earlier(g.Expires, g.NotBefore.Add(again))
	}
	y := l.answer
	l.answer = nil
	switch {
	case y == nil:
	case y.earlier != nil:
		g.Answer, g.Test = y.earlier.Record, g.Test || y.earlier.test
		g.Expires = earlier(g.Expires, y.until)
	default:
		g.ForMinutes = y.minutes
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// awaiting is a recording whose grant is over while its session goes on: the stream
// stays open for what the person says next.
type awaiting struct {
	stream store.Stream
	last   uint64
	since  time.Time
	rec    *recording // nil after a restart
}

// expired ends what a grant allowed, at its time. While the session goes on, it
// is decided anew; without a new yes nothing more is recorded.
func (a *Agent) expired(l *live, r *recording) {
	if l.rec != r {
		return
	}
	a.gateEvents(l) // tells the gap
	a.halt(l)
	l.rec = nil
	l.awaiting = &awaiting{stream: r.stream, last: r.writer.wait(), since: r.since, rec: r}
	l.outcome, l.ending, l.asks = consent.OutcomeExpired, consent.EndingNone, 0
	a.log.Info("grant over", "session", l.Name)
	a.gateAll()
	a.showOn(l)
	if err := a.keep(l); err != nil {
		a.log.Error("keep session", "session", l.Name, "err", err)
	}
	if l.unconfirmed {
		a.letGo(l, whyExpired)
		return
	}
	a.decide(l)
}

// letGo closes the stream that was held open for a further yes.
func (a *Agent) letGo(l *live, reason string) {
	h := l.awaiting
	if h == nil {
		return
	}
	l.awaiting = nil
	a.closeStream(h.stream, h.last, reason)
	if h.rec != nil {
		a.showEnded(l, h.rec, h.last+1, false)
	}
}

// hold takes a stream up again, after a restart, that waits for a further yes.
func (a *Agent) hold(l *live, k kept) {
	streams, err := a.store.Streams()
	if err != nil || k.Decided == nil {
		return // it counts as an orphan, and is closed
	}
	for _, s := range streams {
		if s.Session == l.Name && s.Company == k.Decided.Company && !s.Closed && !s.Withdrawn && !s.DeleteAsked && !s.Erased {
			l.awaiting = &awaiting{stream: s.Stream, last: s.Last, since: k.Since}
		}
	}
	if l.outcome == consent.OutcomeExpired { // the service ended before it could ask
		l.outcome, l.ending = consent.OutcomeCouldNotAsk, consent.EndingStopped
	}
}
