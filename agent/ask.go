package agent

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/prompt"
	"aval/agent/record"
)

// question is one session's question on every desktop that may be viewed. All
// must say yes; the first that does not ends it for all.
type question struct {
	asks    map[string]*prompt.Ask // by desktop
	test    bool                   // a device that a policy names for tests gave an answer
	remote  int                    // answers that did not count
	timer   *time.Timer
	askedAt time.Time
	seconds int
	// minutes is for how long the person allows further sessions; 0: not at all.
	minutes int
}

// ask opens the question on the desktops.
func (a *Agent) ask(l *live, targets []*desktop) {
	now := time.Now().UTC()
	l.outcome = consent.OutcomeAsking
	l.asks++
	q := &question{asks: map[string]*prompt.Ask{}, askedAt: now, seconds: int(a.policy.Effective.QuestionTime() / time.Second)}
	l.question = q
	if err := a.keep(l); err != nil { // not even the question may be forgotten by a crash
		a.log.Error("keep session", "session", l.Name, "err", err)
		l.question, l.outcome, l.ending = nil, consent.OutcomeCouldNotAsk, consent.EndingNotShown
		a.writeOutcome(l, nil, "")
		a.settled(l)
		return
	}
	for _, d := range targets {
		q.asks[d.id] = prompt.New(ulid.Make().String(), d, now, time.Duration(q.seconds)*time.Second, l.decided.Offered)
		if len(d.ended) > 0 {
			a.showIndicator(d)
		}
	}
	a.settle(l)
	a.takeTurns()
}

// takeTurns opens, on each desktop that shows no question, the one that has
// waited longest: a person answers one at a time, and the time of each begins
// when it is shown.
func (a *Agent) takeTurns() {
	var open []*live
	for _, l := range a.sessions {
		if l.question != nil {
			open = append(open, l)
		}
	}
	slices.SortFunc(open, func(x, y *live) int {
		return cmp.Or(x.question.askedAt.Compare(y.question.askedAt), cmp.Compare(x.Name, y.Name))
	})
	busy := map[string]bool{}
	for _, l := range open {
		for desk, ask := range l.question.asks {
			busy[desk] = busy[desk] || !ask.Waits() && !ask.Over()
		}
	}
	for _, l := range open {
		q, opened := l.question, false
		if q == nil { // ended by a turn before
			continue
		}
		for desk, ask := range q.asks {
			if ask.Waits() && !busy[desk] {
				ask.Open(time.Now())
				busy[desk], opened = true, true
			}
		}
		if opened {
			a.settle(l)
		}
	}
}

// settle looks at where the question stands: while it is open, it sets the timer
// for what comes next; once it has ended, it does what follows.
func (a *Agent) settle(l *live) {
	q := l.question
	if q == nil {
		return
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	var no *prompt.Ask
	yes := true
	for _, ask := range q.asks {
		switch {
		case !ask.Over():
			yes = false
		case ask.Question().Outcome != consent.OutcomeAllowed && no == nil,
			ask.Question().Outcome == consent.OutcomeRefused: // a no says more than a time-out
			no = ask
			yes = false
		case ask.Question().Outcome != consent.OutcomeAllowed:
			yes = false
		}
	}
	switch {
	case no != nil:
		a.answered(l, no, nil)
	case yes:
		var first *prompt.Ask
		groups := slices.Clone(l.decided.Offered)
		for _, ask := range q.asks {
			granted := ask.Groups()
			groups = slices.DeleteFunc(groups, func(g event.Group) bool { return !slices.Contains(granted, g) })
			first = ask
		}
		a.answered(l, first, groups)
	default:
		var wake time.Time
		for _, ask := range q.asks {
			if w := ask.Wake(); !w.IsZero() && (wake.IsZero() || w.Before(wake)) {
				wake = w
			}
		}
		if wake.IsZero() { // it waits for its turn everywhere
			return
		}
		q.timer = a.after(time.Until(wake), func() {
			if l.question != q {
				return
			}
			now := time.Now()
			for _, ask := range q.asks {
				ask.Tick(now)
			}
			a.settle(l)
		})
	}
}

// answered ends the question: with groups a grant, without a record of why not.
func (a *Agent) answered(l *live, by *prompt.Ask, groups []event.Group) {
	q := l.question
	l.question = nil
	end := by.Question()
	a.wasShown(by)
	for _, ask := range q.asks { // the others' windows close
		if !ask.Over() {
			ask.Happened(consent.EventRungsUsedUp, time.Now())
		}
	}
	rung, locale, hash := by.ShownOn()
	asked := &record.Asked{
		AskedAt: q.askedAt, ShownAt: end.ShownAt, EndedAt: end.EndedAt, Rung: string(rung),
		Locale: locale, TextHash: hash, Offered: l.decided.Offered, OfferedMinutes: l.decided.AllowMinutes, NotCounted: q.remote,
	}
	l.outcome, l.ending = end.Outcome, end.Ending
	a.log.Info("question ended", "session", l.Name, "outcome", l.outcome, "ending", l.ending, "rung", rung)
	if l.outcome == consent.OutcomeAllowed || l.outcome == consent.OutcomeRefused {
		a.metNow(a.asker(l))
	}
	if end.Outcome == consent.OutcomeAllowed && len(groups) > 0 {
		given := end.Provenance
		for _, ask := range q.asks {
			given = weakest(given, ask.Question().Provenance)
		}
		l.answer = &answer{minutes: answeredFor(l, q.minutes, rung, given)}
		a.grant(l, consent.BasisConsent, groups, asked, given, q.test)
		a.gateAll()
		a.takeTurns()
		return
	}
	if end.Outcome == consent.OutcomeAllowed { // every desktop left other groups ticked
		l.outcome = consent.OutcomeRefused
	}
	var given consent.Provenance
	if l.outcome == consent.OutcomeRefused {
		given = end.Provenance
	}
	a.writeOutcome(l, asked, given)
	a.settled(l)
	a.gateAll()
	a.takeTurns()
}

// settled lets waiting callers know that nothing is open any more.
func (a *Agent) settled(l *live) { l.release() }

// findAsk looks up an open question by its id.
func (a *Agent) findAsk(id string) (*live, *prompt.Ask, *desktop) {
	for _, l := range a.sessions {
		if l.question == nil {
			continue
		}
		for desk, ask := range l.question.asks {
			if ask.ID == id {
				return l, ask, a.desktops[desk]
			}
		}
	}
	return nil, nil, nil
}

var errNoQuestion = &ipc.Error{Code: ipc.CodeNotFound, Message: "this question has ended or never was"}

// claim hands a question to a program of the user whose desktop is asked.
func (a *Agent) claim(c *ipc.Conn, r ipc.QuestionClaim) (ipc.Question, error) {
	if lv := a.leaveOf(r.Question); lv != nil {
		return a.claimLeave(c, lv, r)
	}
	l, ask, d := a.findAsk(r.Question)
	if ask == nil || d == nil {
		return ipc.Question{}, errNoQuestion
	}
	if c.Peer().UID != d.uid {
		return ipc.Question{}, &ipc.Error{Code: ipc.CodeRefused, Message: "this question is for another user"}
	}
	if err := a.barred(c); err != nil {
		return ipc.Question{}, err
	}
	if err := ask.Claim(r.Nonce, c); err != nil {
		return ipc.Question{}, &ipc.Error{Code: ipc.CodeRefused, Message: err.Error()}
	}
	dec := l.decided
	q := ipc.Question{
		Question: ask.ID, Rung: string(ask.Rung()), Session: l.Name, Tool: l.Tool,
		Supporter: l.Supporter, SupporterVerified: l.Verified, Address: l.Address, ConnectedAt: l.Started,
		Offered: dec.Offered, AnswerSeconds: l.question.seconds, Languages: a.policy.Effective.Languages(), Language: a.store.Prefs(d.uid).Language,
		Companies: []ipc.QuestionCompany{{
			ID: dec.Company, Name: dec.CompanyName, Verified: dec.CompanyHost == "", Host: dec.CompanyHost, Engine: dec.Engine, RetentionDays: dec.RetentionDays,
		}},
	}
	if who := a.asker(l); who != nil {
		q.Companies[0].Readers = who.options.Readers
		q.Companies[0].Pinned, q.Companies[0].First = who.firstContact()
		q.Companies[0].Account, q.Companies[0].Module = who.Account != nil, a.cfg.Module.ID != ""
	}
	if ask.Rung() == prompt.Window {
		q.AllowMinutes = dec.AllowMinutes
	}
	return q, nil
}

func (a *Agent) shown(c *ipc.Conn, r ipc.QuestionShown) (ipc.QuestionShownResult, error) {
	l, ask, d := a.findAsk(r.Question)
	lv := a.leaveOf(r.Question)
	if lv != nil {
		ask, d = lv.ask, lv.desk
	}
	if ask == nil {
		return ipc.QuestionShownResult{}, errNoQuestion
	}
	deadline, err := ask.Shown(c, cut(r.Locale, 35), cut(r.TextSHA256, 64), time.Now())
	if lv != nil {
		a.settleLeave(lv)
	} else {
		a.settle(l)
	}
	if err != nil {
		return ipc.QuestionShownResult{}, &ipc.Error{Code: ipc.CodeRefused, Message: err.Error()}
	}
	if d != nil && r.Window != 0 {
		d.conn.Push(ipc.PushWatch, ipc.Watch{PID: c.Peer().PID, Window: r.Window})
	}
	return ipc.QuestionShownResult{Deadline: deadline}, nil
}

// answer takes an answer, with what the desktop heard of the hand that gave it.
// A yes that does not count changes nothing: the question stays open until its
// time is up. A no counts from any hand.
func (a *Agent) answer(c *ipc.Conn, r ipc.QuestionAnswer, h ipc.Heard) (ipc.QuestionAnswerResult, error) {
	if lv := a.leaveOf(r.Question); lv != nil {
		return a.answerLeave(c, lv, r, h)
	}
	l, ask, d := a.findAsk(r.Question)
	if ask == nil || d == nil {
		return ipc.QuestionAnswerResult{}, errNoQuestion
	}
	if c.Peer().UID != d.uid {
		return ipc.QuestionAnswerResult{}, &ipc.Error{Code: ipc.CodeRefused, Message: "this question is for another user"}
	}
	if r.ForMinutes != 0 && (!r.Allow || r.ForMinutes != l.decided.AllowMinutes || ask.Rung() != prompt.Window) {
		return ipc.QuestionAnswerResult{}, &ipc.Error{Code: ipc.CodeBadRequest, Message: "the question did not offer that"}
	}
	by, counts := hand{Provenance: consent.P0}, true
	if ask.Rung() == prompt.Window {
		by, counts = a.weigh(d, c, h)
	}
	if r.Allow && !counts && ask.Holds(c) {
		l.question.remote++
		a.log.Warn("a yes that does not count", "session", l.Name, "from", string(h.From), "device", h.Device, "doubt", h.Doubt)
		return ipc.QuestionAnswerResult{Outcome: consent.OutcomeAsking, Refused: refusal(h, by.Provenance)}, nil
	}
	if err := ask.Answer(c, r.Allow, r.Groups, by.Provenance, time.Now()); err != nil {
		return ipc.QuestionAnswerResult{}, &ipc.Error{Code: ipc.CodeRefused, Message: err.Error()}
	}
	l.question.test = l.question.test || r.Allow && by.test
	if ask.Over() && ask.Question().Outcome == consent.OutcomeAllowed {
		l.question.minutes = r.ForMinutes
	}
	ask.ShownAs(cut(r.Locale, 35), cut(r.TextSHA256, 64))
	a.settle(l)
	return ipc.QuestionAnswerResult{Outcome: ask.Question().Outcome}, nil
}

// refusal says why a yes did not count, for the person: that it was remote only
// where nothing speaks for a hand whose press was disturbed, or not heard in time.
func refusal(h ipc.Heard, by consent.Provenance) string {
	if h.Doubt != "" && (by == consent.P0 || h.From == consent.FromNothing) {
		return ipc.RefusedDisturbed
	}
	return ipc.RefusedRemote
}

// noOpenGL is why a window cannot be drawn: neither a driver does, nor software.
const noOpenGL = "no-opengl"

// promptFailed takes a desktop's word that a rung did not show the question.
func (a *Agent) promptFailed(d *desktop, r ipc.DesktopPrompt) {
	if lv := a.leaveOf(r.Question); lv != nil && lv.desk == d {
		lv.ask.Failed(prompt.Rung(r.Rung), time.Now())
		a.settleLeave(lv)
		return
	}
	l, ask, on := a.findAsk(r.Question)
	if ask == nil || on != d {
		return
	}
	level := slog.LevelInfo
	if r.Why == noOpenGL { // which somebody can mend
		level = slog.LevelWarn
	}
	a.log.Log(a.ctx, level, "rung failed", "session", l.Name, "rung", r.Rung, "why", r.Why)
	ask.Failed(prompt.Rung(r.Rung), time.Now())
	a.settle(l)
}

func cut(s string, most int) string { return s[:min(len(s), most)] }
