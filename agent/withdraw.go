package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/store"
)

// control is what the indicator's buttons do: pause, resume, stop,
// stop-and-delete, object. That resume came from the person's own hand is for
// the caller to see to; all else counts from any hand. done is called once.
func (a *Agent) control(c *ipc.Conn, r ipc.RecordingControl, done withdrawn) {
	refuse := func(err error) { done(ipc.WithdrawResult{}, err) }
	l, ok := a.sessions[r.Session]
	if !ok || l.rec == nil {
		if r.Action == "stop-and-delete" { // "Delete" of a session that has just ended
			a.withdraw(c, ipc.Withdraw{ID: r.Session, Delete: true, Press: r.Press}, done)
			return
		}
		refuse(&ipc.Error{Code: ipc.CodeNotFound, Message: "this session is not being recorded"})
		return
	}
	if !a.mine(c.Peer(), l) {
		refuse(&ipc.Error{Code: ipc.CodeRefused, Message: "this session is on another user's desktop"})
		return
	}
	switch r.Action {
	case "pause", actionResume:
		if l.rec.grant.Grant().Basis == consent.BasisEnforcedPolicy {
			refuse(errEnforced)
			return
		}
		l.rec.paused = r.Action != actionResume
		a.gateAll() // first: a pause holds even where it cannot be written down
		a.showOn(l)
		done(ipc.WithdrawResult{Outcome: l.outcome}, a.keep(l))
	case "stop", "stop-and-delete", "object":
		a.withdraw(c, ipc.Withdraw{ID: l.rec.grant.Grant().ID, Delete: r.Action == "stop-and-delete", Press: r.Press}, done)
	default:
		refuse(&ipc.Error{Code: ipc.CodeBadRequest, Message: fmt.Sprintf("there is no action %q", r.Action),
			Hint: "pause, resume, stop, stop-and-delete or object"})
	}
}

var errEnforced = &ipc.Error{Code: ipc.CodeRefused, Message: "your organisation's policy records sessions on this computer",
	Hint: "you can object: the objection goes into the record and to the company"}

// mine tells whether a session concerns the peer: administrators see all.
func (a *Agent) mine(p ipc.Peer, l *live) bool {
	if p.Role() == ipc.RoleAdmin || p.UID == l.Owner {
		return true
	}
	for _, id := range l.desktops {
		if d, ok := a.desktops[id]; ok && d.uid == p.UID {
			return true
		}
	}
	return l.Login != nil && l.Login.UID == p.UID
}

// withdrawn takes what became of a withdrawal.
type withdrawn func(ipc.WithdrawResult, error)

// withdraw ends a grant for good; under an enforced policy it records an
// objection. It stops at once, from any hand. Then it is found out whose hand it
// was, for the record; and what is to be deleted while a supporter is there, and
// by nobody's hand that is known, is held until the person has been asked.
// done is called once.
func (a *Agent) withdraw(c *ipc.Conn, r ipc.Withdraw, done withdrawn) {
	g, err := a.findGrant(r.ID)
	p := c.Peer()
	if err == nil && p.Role() != ipc.RoleAdmin && !g.Concerns(a.subjectIn(p.UID, g.Decided)) {
		err = &ipc.Error{Code: ipc.CodeNotFound, Message: fmt.Sprintf("there is no grant %q", r.ID), Hint: "aval consent list shows them"}
	}
	if err != nil {
		done(ipc.WithdrawResult{}, err)
		return
	}
	d := a.pressedOn(c, a.viewedIn(g.Session))
	got := a.hear(d, c, r.Press)
	if g.Basis == consent.BasisEnforcedPolicy {
		a.whenHeard(got, func(h ipc.Heard) {
			by, _ := a.weigh(d, c, h)
			head := a.headAfter(g)
			_, err := a.write(head, record.TypeObjection, record.Objection{Head: head, Grant: g.ID, Provenance: by.Provenance, Test: by.test})
			done(ipc.WithdrawResult{Outcome: consent.OutcomeObjected}, err)
		})
		return
	}
	supporter := a.supporterFor(g) || a.supporterOn(p.UID)
	s, err := a.stopStream(g, r.Delete)
	if err != nil {
		done(ipc.WithdrawResult{}, err)
		return
	}
	a.whenHeard(got, func(h ipc.Heard) {
		by, _ := a.weigh(d, c, h)
		if r.Delete && !by.Proven() && (supporter || a.supporterFor(g) || by.Provenance == consent.PX) {
			done(a.askToDelete(s, by))
			return
		}
		done(a.conclude(s, r.Delete, by))
	})
}

// ownerOf is the company whose link carries what a grant covers; nil: none is known.
func (a *Agent) ownerOf(g record.Grant) *company { return cmp.Or(a.guests[g.Device], a.company) }

// stopped is a stream that was stopped and whose withdrawal is not recorded yet.
type stopped struct {
	grant  record.Grant
	stream store.Stream
	live   *live      // its session; nil: that is over
	rec    *recording // what was stopped; nil: nothing was recorded any more
}

// stopStream keeps every further byte from being captured and from leaving. The
// order matters: capture off, the fence, the durable mark. What is to be deleted
// is only held: until it is known whose hand asked for that, or the person was
// asked, nothing is destroyed.
func (a *Agent) stopStream(g record.Grant, del bool) (stopped, error) {
	a.revoke(g) // first: nothing begins on it any more
	s := stopped{grant: g, stream: store.Stream{Company: g.Company, Session: g.Session}, live: a.sessions[g.Session]}
	if s.live != nil && s.live.rec != nil {
		s.rec = s.live.rec
		a.halt(s.live)
		s.live.rec = nil
		a.gateAll() // the desktop stops watching, whatever becomes of the rest
	}
	a.tellLeaves(consent.EventStopped, func(lv *leave) bool { return lv.stream == s.stream })
	if owner := a.ownerOf(g); owner != nil && owner.link != nil {
		owner.link.Fence(s.stream) // not even what is on its way
	}
	var err error
	if del {
		err = a.store.Hold(s.stream)
	}
	if !del || err != nil && !errors.Is(err, store.ErrErased) { // where it cannot be held, it is stopped for good
		err = errors.Join(a.store.Withdraw(s.stream), err)
	}
	if s.rec != nil {
		if !del {
			s.rec.writer.discard()
		}
		s.rec.writer.wait()
	}
	if s.live != nil {
		s.live.outcome = consent.OutcomeWithdrawn
		if err := a.keep(s.live); err != nil {
			a.log.Error("keep session", "session", g.Session, "err", err)
		}
	}
	if err != nil && !errors.Is(err, store.ErrErased) {
		return s, fmt.Errorf("withdraw: %w", err)
	}
	return s, nil
}

// conclude records the withdrawal of a stream that was stopped, and what else it
// asks for: to delete, the key first. What rests on the same answer is stopped too,
// also where the record could not be written.
func (a *Agent) conclude(s stopped, del bool, by hand) (ipc.WithdrawResult, error) {
	out, err := a.concludeOne(s, del, by)
	return out, errors.Join(err, a.withdrawFurther(s.grant.ID, by))
}

func (a *Agent) concludeOne(s stopped, del bool, by hand) (ipc.WithdrawResult, error) {
	none := ipc.WithdrawResult{}
	if del {
		if err := a.store.Withdraw(s.stream); err != nil && !errors.Is(err, store.ErrErased) {
			return none, fmt.Errorf("withdraw: %w", err)
		}
	}
	last, err := a.lastOf(s.stream)
	if err != nil {
		return none, err
	}
	h := a.headAfter(s.grant)
	w := record.Withdrawal{Head: h, Grant: s.grant.ID, LastSeq: last, Erase: del, By: "person", Provenance: by.Provenance, Test: by.test}
	if _, err := a.write(h, record.TypeWithdrawal, w); err != nil {
		return none, err
	}
	out := ipc.WithdrawResult{Outcome: consent.OutcomeWithdrawn}
	if del {
		if out.Copies, err = a.erase(s.grant, s.stream); err != nil {
			return none, err
		}
		out.Outcome = consent.OutcomeErased
	}
	a.log.Info("withdrawn", "session", s.grant.Session, "deleted", del, "provenance", string(by.Provenance))
	a.over(s, out, last)
	return out, nil
}

// over tells what became of a recording to whom it was shown.
func (a *Agent) over(s stopped, out ipc.WithdrawResult, last uint64) {
	if s.live == nil {
		return
	}
	s.live.outcome = out.Outcome
	if a.sessions[s.grant.Session] == s.live {
		if err := a.keep(s.live); err != nil {
			a.log.Error("keep session", "session", s.live.Name, "err", err)
		}
	}
	if s.rec != nil {
		a.showEnded(s.live, s.rec, last, out.Held)
	}
	a.gateAll()
}

// overThere tells the bars that still show a session as ended that the person is
// asked whether it is deleted.
func (a *Agent) overThere(session string) {
	for _, d := range a.desktops {
		for i := range d.ended {
			if d.ended[i].Session == session && !d.ended[i].DeleteAsked {
				d.ended[i].DeleteAsked = true
				a.showIndicator(d)
			}
		}
	}
}

// withdrawFurther stops the sessions that rest on an answer that was taken back;
// that one cannot be stopped as it should keeps none of the others going.
func (a *Agent) withdrawFurther(answer string, by hand) error {
	var all error
	for _, l := range a.sessions {
		if l.rec == nil || l.rec.grant.Grant().Answer != answer {
			continue
		}
		s, err := a.stopStream(l.rec.grant.Grant(), false)
		if err == nil {
			_, err = a.concludeOne(s, false, by)
		}
		all = errors.Join(all, err)
	}
	return all
}

// headAfter begins a record that follows a grant.
func (a *Agent) headAfter(g record.Grant) record.Head {
	return record.Head{V: 1, ID: newID(), At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
}

// erase destroys the session's key, then its rows, and asks the company to do
// the same; the record says what became of each copy.
func (a *Agent) erase(g record.Grant, st store.Stream) ([]consent.Copy, error) {
	if err := a.store.Erase(st); err != nil {
		return nil, fmt.Errorf("delete from this computer: %w", err)
	}
	h := a.headAfter(g)
	copies := []consent.Copy{{Where: consent.CopyHere, Fate: consent.FateErased}}
	held, err := a.held(st)
	if err != nil {
		return nil, fmt.Errorf("delete from this computer: %w", err)
	}
	if !held { // the company has one
		copies = append(copies, consent.Copy{Where: consent.CopyCompany, Company: g.CompanyName, Fate: consent.FateAsked})
	}
	if _, err := a.write(h, record.TypeErasure, record.Erasure{Head: h, Grant: g.ID, Copies: copies}); err != nil {
		return nil, err
	}
	return copies, nil
}

// lastOf is the last sequence of a stream; 0: it has none.
func (a *Agent) lastOf(st store.Stream) (uint64, error) {
	streams, err := a.store.Streams()
	if err != nil {
		return 0, err
	}
	for _, s := range streams {
		if s.Stream == st {
			return s.Last, nil
		}
	}
	return 0, nil
}

// finishWithdrawals goes forward where the service ended between two steps of a
// withdrawal: a stream that is marked gets its record, so that the company hears
// of it, and a record that asks for it gets its erasure.
func (a *Agent) finishWithdrawals(streams []store.StreamInfo) error {
	told := map[string]record.Withdrawal{} // by session
	erased := map[string]bool{}
	err := a.store.Records(func(e store.Entry) bool {
		switch e.Type {
		case record.TypeErasure:
			erased[e.Session] = true
		case record.TypeWithdrawal:
			var w record.Withdrawal
			_, payload, err := record.Peek(e.Envelope)
			if err == nil && json.Unmarshal(payload, &w) == nil {
				w.Erase = w.Erase || told[e.Session].Erase
				told[e.Session] = w
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	for _, s := range streams {
		w, known := told[s.Session]
		if (!s.Withdrawn && !s.Erased && !known) || (known && (!w.Erase || erased[s.Session])) {
			continue
		}
		g, err := a.findGrant(s.Session)
		if err != nil {
			return err
		}
		if !known {
			h := a.headAfter(g)
			w = record.Withdrawal{Head: h, Grant: g.ID, LastSeq: s.Last, Erase: s.Erased || s.DeleteAsked, By: "person", Provenance: consent.P0}
			if _, err := a.write(h, record.TypeWithdrawal, w); err != nil {
				return err
			}
		}
		if w.Erase && !erased[s.Session] {
			if _, err := a.erase(g, s.Stream); err != nil {
				return err
			}
		}
		a.log.Info("withdrawal finished", "session", s.Session)
	}
	return nil
}

// findGrant looks a grant up by its id or by its session's name.
func (a *Agent) findGrant(id string) (record.Grant, error) {
	var found record.Grant
	err := a.store.Records(func(e store.Entry) bool {
		if e.Type != record.TypeGrant || (e.ID != id && e.Session != id) {
			return true
		}
		_, payload, err := record.Peek(e.Envelope)
		if err == nil && json.Unmarshal(payload, &found) == nil {
			return false
		}
		return true
	})
	if err != nil {
		return record.Grant{}, fmt.Errorf("read records: %w", err)
	}
	if found.ID == "" {
		return record.Grant{}, &ipc.Error{Code: ipc.CodeNotFound, Message: fmt.Sprintf("there is no grant %q", id), Hint: "aval consent list shows them"}
	}
	return found, nil
}

// toolEvent takes an event that a tool reports; done is called once.
func (a *Agent) toolEvent(c *ipc.Conn, r ipc.SessionEvent, done func(ipc.SessionEventResult, error)) {
	l := a.find(c.Peer().UID, "", r.ID)
	if l == nil {
		done(ipc.SessionEventResult{}, a.errNoSession(c.Peer().UID, r.ID))
		return
	}
	fields, err := checkToolFields(r.Kind, r.Fields)
	if err != nil {
		done(ipc.SessionEventResult{}, err)
		return
	}
	ev := event.Event{Kind: r.Kind, At: time.Now().UTC(), Fields: fields}
	a.take(l, ev, func(seq uint64, refused string) {
		done(ipc.SessionEventResult{Recorded: refused == "", Seq: seq, Reason: refused}, nil)
	})
}
