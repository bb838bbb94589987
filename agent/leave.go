package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/prompt"
	"aval/agent/record"
	"aval/agent/store"
)

// leave is the question after the supporter has left, about a recording of which
// nobody knows whose hand allowed it, or asked to delete it: send it, or delete
// it? Until then it is sealed on this computer, and without an answer it is deleted.
type leave struct {
	grant  record.Grant
	stream store.Stream
	items  uint64
	until  time.Time // without an answer it is deleted then
	// deleteAsked: it was allowed; somebody asked to delete it.
	deleteAsked bool
	desk        *desktop
	ask         *prompt.Ask
	test        bool // the answer came from a device that a policy names for tests
	timer       *time.Timer
}

// leaveAgain is after how long a question that was put off is asked again.
const leaveAgain = time.Hour

// unproven tells whether what a grant covers waits for the person's word after
// the supporter has left. Of a module it does whatever a policy accepts: it runs as
// the person, and so do programs that a supporter starts.
func (a *Agent) unproven(g record.Grant) bool {
	return g.Basis == consent.BasisConsent && g.Provenance == consent.P0 && (a.cfg.Module.ID != "" || !a.policy.Effective.AcceptsUnproven())
}

// held tells whether a stream waits on this computer, or waited until its end:
// then its company has never heard of it and hears nothing of its end either.
func (a *Agent) held(st store.Stream) (bool, error) {
	streams, err := a.store.Streams()
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(streams, func(s store.StreamInfo) bool { return s.Stream == st })
	return i >= 0 && streams[i].Held, nil
}

// askHeld asks about the recordings that wait, where somebody can be asked and
// no supporter is there; and deletes those that have waited for too long.
func (a *Agent) askHeld() {
	streams, err := a.beginWaiting()
	if err != nil {
		a.log.Error("read streams", "err", err)
		return
	}
	now, next := time.Now(), time.Time{}
	for _, s := range streams {
		if !awaitsWord(s) || s.HeldUntil.IsZero() {
			continue
		}
		g, err := a.findGrant(s.GrantID)
		if err != nil {
			a.log.Error("find the grant of a recording that waits", "session", s.Session, "err", err)
			continue
		}
		if !now.Before(s.HeldUntil) {
			if err := a.dropHeld(g, s.Stream, "agent", hand{}); err != nil {
				a.log.Error("delete a recording that nobody confirmed", "session", s.Session, "err", err)
			}
			continue
		}
		wake := s.HeldUntil
		if again := a.putOff[s.Stream].Add(leaveAgain); again.After(now) && again.Before(wake) {
			wake = again
		}
		if next.IsZero() || wake.Before(next) {
			next = wake
		}
		if a.leaving[s.Stream] == nil && now.Sub(a.putOff[s.Stream]) >= leaveAgain {
			if d := a.freeDesktop(g); d != nil {
				a.openLeave(&leave{grant: g, stream: s.Stream, items: s.Last, until: s.HeldUntil, deleteAsked: s.DeleteAsked, desk: d})
			}
		}
	}
	if a.heldTimer != nil {
		a.heldTimer.Stop()
	}
	if !next.IsZero() {
		a.heldTimer = a.after(time.Until(next), a.askHeld)
	}
}

// awaitsWord tells whether a stream waits for the person's word, now or once its
// session is over.
func awaitsWord(s store.StreamInfo) bool {
	return !s.Erased && (s.DeleteAsked || s.Held && !s.Withdrawn)
}

// beginWaiting ends the streams that somebody asked to delete and whose person
// no supporter is with any more: their time begins now. It lists all streams.
func (a *Agent) beginWaiting() ([]store.StreamInfo, error) {
	streams, err := a.store.Streams()
	if err != nil {
		return nil, err
	}
	begun := false
	for _, s := range streams {
		if !awaitsWord(s) || !s.DeleteAsked || !s.HeldUntil.IsZero() {
			continue
		}
		g, err := a.findGrant(s.GrantID)
		if err != nil {
			a.log.Error("find the grant of a recording that is to be deleted", "session", s.Session, "err", err)
			continue
		}
		if a.supporterFor(g) {
			continue
		}
		begun = true
		if !s.Closed && !s.Withdrawn {
			a.closeStream(s.Stream, s.Last, "stopped")
		} else if err := a.store.CloseStream(s.Stream); err != nil {
			a.log.Error("close stream", "session", s.Session, "err", err)
		}
	}
	if !begun {
		return streams, nil
	}
	return a.store.Streams()
}

// supporterFor tells whether a supporter is with the person whom a grant is
// about, or its own session goes on.
func (a *Agent) supporterFor(g record.Grant) bool {
	for _, l := range a.sessions {
		if l.Name == g.Session || slices.ContainsFunc(a.viewers(l), func(uid uint32) bool { return g.Concerns(a.subjectIn(uid, g.Decided)) }) {
			return true
		}
	}
	return false
}

// askToDelete leaves a stream held that somebody asked to delete while a
// supporter was there: the person is asked once they have left.
func (a *Agent) askToDelete(s stopped, by hand) (ipc.WithdrawResult, error) {
	out := ipc.WithdrawResult{Outcome: consent.OutcomeWithdrawn, Held: true}
	a.log.Warn("a deletion that is asked about again", "session", s.grant.Session, "provenance", string(by.Provenance))
	last, err := a.lastOf(s.stream)
	if err == nil {
		a.over(s, out, last)
		a.overThere(s.grant.Session)
	}
	err = errors.Join(err, a.withdrawFurther(s.grant.ID, by))
	a.askHeld()
	return out, err
}

// freeDesktop is a desktop of the person whom a grant is about, at which they
// can be asked without a supporter's hand; of several people, one who has not
// said to send it yet.
func (a *Agent) freeDesktop(g record.Grant) *desktop {
	said := a.saidToSend(g)
	for _, id := range slices.Sorted(maps.Keys(a.desktops)) {
		d := a.desktops[id]
		who := a.subjectIn(d.uid, g.Decided)
		if d.locked || !g.Concerns(who) || said[who] || a.supporterOn(d.uid) {
			continue
		}
		busy := false
		for _, lv := range a.leaving {
			busy = busy || lv.desk == d
		}
		if !busy {
			return d
		}
	}
	return nil
}

// saidToSend are those of the several people whom a grant is about who have said
// that it may be sent. What cannot be read counts as not said.
func (a *Agent) saidToSend(g record.Grant) map[string]bool {
	if len(g.Subjects) == 0 {
		return nil
	}
	said := map[string]bool{}
	err := a.store.Records(func(e store.Entry) bool {
		var c record.Confirmation
		if e.Type != record.TypeConfirmation || e.Session != g.Session {
			return e.ID != g.ID
		}
		if _, payload, err := record.Peek(e.Envelope); err == nil && json.Unmarshal(payload, &c) == nil && c.Grant == g.ID {
			said[c.Subject] = true
		}
		return true
	})
	if err != nil {
		a.log.Error("read records", "err", err)
		return nil
	}
	return said
}

// signIn notes that somebody is at a session of logind, and tells whether they have
// just signed in: then they have not put anything off. A helper that only starts
// anew is no sign-in, nor is anybody else's.
func (a *Agent) signIn(session string, uid uint32) (came bool) {
	if a.signedIn[session] {
		return false
	}
	a.signedIn[session] = true
	for st := range a.putOff {
		if g, err := a.findGrant(st.Session); err == nil && g.Concerns(a.subjectIn(uid, g.Decided)) {
			delete(a.putOff, st)
		}
	}
	return true
}

func (a *Agent) openLeave(lv *leave) {
	a.leaving[lv.stream] = lv
	// The kinds are not chosen any more: one stands for the whole.
	lv.ask = prompt.New(newID(), lv.desk, time.Now(), consent.MaxAnswer, []event.Group{event.Windows})
	a.listenOn(lv.desk)
	lv.ask.Open(time.Now())
	a.settleLeave(lv)
}

// settleLeave looks at where the question stands, and does what was answered.
func (a *Agent) settleLeave(lv *leave) {
	if a.leaving[lv.stream] != lv {
		return
	}
	if lv.timer != nil {
		lv.timer.Stop()
	}
	if !lv.ask.Over() {
		lv.timer = a.after(time.Until(lv.ask.Wake()), func() {
			lv.ask.Tick(time.Now())
			a.settleLeave(lv)
		})
		return
	}
	delete(a.leaving, lv.stream)
	end := lv.ask.Question()
	a.log.Info("question after leaving ended", "session", lv.stream.Session, "outcome", end.Outcome, "ending", end.Ending)
	var err error
	switch end.Outcome {
	case consent.OutcomeAllowed:
		err = a.sendHeld(lv)
	case consent.OutcomeRefused:
		err = a.dropHeld(lv.grant, lv.stream, "person", hand{end.Provenance, lv.test})
	default: // asked again, until its time is up
		switch end.Ending {
		case consent.EndingLocked, consent.EndingSwitched, consent.EndingLoggedOff, consent.EndingSessionOver:
			// It was taken away from them: once they are there again, alone.
		default:
			a.putOff[lv.stream] = time.Now()
		}
	}
	if err != nil {
		a.log.Error("after the supporter has left", "session", lv.stream.Session, "err", err)
		a.notes = appendNote(a.notes, "The answer about a recording could not be carried out: "+err.Error())
		a.putOff[lv.stream] = time.Now()
	}
	a.listenOn(lv.desk)
	a.askHeld()
}

// sendHeld records the person's word and lets the recording go.
func (a *Agent) sendHeld(lv *leave) error {
	h := record.Head{V: 1, ID: newID(), At: time.Now().UTC(), Company: lv.grant.Company, Device: lv.grant.Device, Session: lv.stream.Session}
	end := lv.ask.Question()
	rung, locale, hash := lv.ask.ShownOn()
	c := record.Confirmation{Head: h, Grant: lv.grant.ID, LastSeq: lv.items, Provenance: end.Provenance, DeleteAsked: lv.deleteAsked, Asked: record.Asked{
		AskedAt: end.AskedAt.UTC(), ShownAt: end.ShownAt.UTC(), EndedAt: end.EndedAt.UTC(), Rung: string(rung), Locale: locale, TextHash: hash,
		Offered: lv.grant.Groups,
	}}
	if len(lv.grant.Subjects) > 0 {
		c.Subject = a.subjectIn(lv.desk.uid, lv.grant.Decided)
	}
	if _, err := a.write(h, record.TypeConfirmation, c); err != nil {
		return err
	}
	if said := a.saidToSend(lv.grant); slices.ContainsFunc(lv.grant.Subjects, func(s string) bool { return !said[s] }) {
		return nil // it waits for the others
	}
	if err := a.store.Release(lv.stream); err != nil {
		return fmt.Errorf("let the recording go: %w", err)
	}
	if owner := a.ownerOf(lv.grant); owner != nil && owner.link != nil {
		owner.link.Lift(lv.stream)
	}
	a.tendGuest(a.guests[lv.grant.Device])
	return nil
}

// dropHeld deletes a recording that waited: the mark that it is to be deleted,
// by which the next start goes on, never sent, then the record of why, then the
// key. A company that has some of it hears of it.
func (a *Agent) dropHeld(g record.Grant, st store.Stream, by string, whose hand) error {
	if err := a.store.Hold(st); err != nil {
		return err
	}
	if err := a.store.Withdraw(st); err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	last, err := a.lastOf(st)
	if err != nil {
		return err
	}
	h := a.headAfter(g)
	w := record.Withdrawal{Head: h, Grant: g.ID, LastSeq: last, Erase: true, By: by, Provenance: whose.Provenance, Test: whose.test}
	if _, err := a.write(h, record.TypeWithdrawal, w); err != nil {
		return err
	}
	_, err = a.erase(g, st)
	return err
}

// leaveOf looks up an open question after leaving.
func (a *Agent) leaveOf(question string) *leave {
	for _, lv := range a.leaving {
		if lv.ask.ID == question {
			return lv
		}
	}
	return nil
}

// tellLeaves passes on what befell the questions after leaving for which it is so.
func (a *Agent) tellLeaves(kind consent.QuestionEventKind, concerns func(*leave) bool) {
	for _, lv := range a.leaving {
		if concerns(lv) {
			lv.ask.Happened(kind, time.Now())
			a.settleLeave(lv)
		}
	}
}

func (a *Agent) claimLeave(c *ipc.Conn, lv *leave, r ipc.QuestionClaim) (ipc.Question, error) {
	if err := a.barred(c); err != nil {
		return ipc.Question{}, err
	}
	if c.Peer().UID != lv.desk.uid {
		return ipc.Question{}, errNotYours
	}
	if err := lv.ask.Claim(r.Nonce, c); err != nil {
		return ipc.Question{}, &ipc.Error{Code: ipc.CodeRefused, Message: err.Error()}
	}
	g := lv.grant
	return ipc.Question{
		Question: lv.ask.ID, Rung: string(lv.ask.Rung()), Session: lv.stream.Session, Tool: g.Tool, Supporter: g.Supporter,
		SupporterVerified: g.SupporterVerified, ConnectedAt: g.SessionStartedAt, Languages: a.policy.Effective.Languages(),
		AnswerSeconds: int(consent.MaxAnswer / time.Second), Offered: []event.Group{event.Windows},
		Companies: []ipc.QuestionCompany{{ID: g.Company, Name: g.CompanyName, Verified: g.CompanyHost == "", Host: g.CompanyHost,
			Engine: g.Engine, RetentionDays: g.RetentionDays}},
		Leave: &ipc.QuestionLeave{Items: lv.items, From: g.NotBefore, Until: lv.until, DeleteAsked: lv.deleteAsked},
	}, nil
}

// answerLeave takes the answer. Neither answer counts from a program, nor while
// a supporter is there again.
func (a *Agent) answerLeave(c *ipc.Conn, lv *leave, r ipc.QuestionAnswer, h ipc.Heard) (ipc.QuestionAnswerResult, error) {
	if c.Peer().UID != lv.desk.uid {
		return ipc.QuestionAnswerResult{}, errNotYours
	}
	by, counts := hand{Provenance: consent.P0}, true
	if lv.ask.Rung() == prompt.Window {
		by, counts = a.weigh(lv.desk, c, h)
	}
	if a.supporterOn(lv.desk.uid) {
		return ipc.QuestionAnswerResult{Outcome: consent.OutcomeAsking, Refused: ipc.RefusedRemote}, nil
	}
	if !counts {
		return ipc.QuestionAnswerResult{Outcome: consent.OutcomeAsking, Refused: refusal(h, by.Provenance)}, nil
	}
	if err := lv.ask.Answer(c, r.Allow, r.Groups, by.Provenance, time.Now()); err != nil {
		return ipc.QuestionAnswerResult{}, &ipc.Error{Code: ipc.CodeRefused, Message: err.Error()}
	}
	lv.test = by.test
	lv.ask.ShownAs(cut(r.Locale, 35), cut(r.TextSHA256, 64))
	a.settleLeave(lv)
	return ipc.QuestionAnswerResult{Outcome: lv.ask.Question().Outcome}, nil
}

var errNotYours = &ipc.Error{Code: ipc.CodeRefused, Message: "this question is for another user"}
