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
// the caller to see to; all else counts from any hand.
func (a *Agent) control(c *ipc.Conn, r ipc.RecordingControl) (ipc.WithdrawResult, error) {
	none := ipc.WithdrawResult{}
	l, ok := a.sessions[r.Session]
	if !ok || l.rec == nil {
		if r.Action == "stop-and-delete" { // "Delete" of a session that has just ended
			return a.withdraw(c, ipc.Withdraw{ID: r.Session, Delete: true})
		}
		return none, &ipc.Error{Code: ipc.CodeNotFound, Message: "this session is not being recorded"}
	}
	if !a.mine(c.Peer(), l) {
		return none, &ipc.Error{Code: ipc.CodeRefused, Message: "this session is on another user's desktop"}
	}
	enforced := l.rec.grant.Grant().Basis == consent.BasisEnforcedPolicy
	switch r.Action {
	case "pause", actionResume:
		if enforced {
			return none, errEnforced
		}
		l.rec.paused = r.Action != actionResume
		a.gateAll() // first: a pause holds even where it cannot be written down
		a.showOn(l)
		if err := a.keep(l); err != nil {
			return none, err
		}
		return ipc.WithdrawResult{Outcome: l.outcome}, nil
	case "stop", "stop-and-delete", "object":
		return a.withdraw(c, ipc.Withdraw{ID: l.rec.grant.Grant().ID, Delete: r.Action == "stop-and-delete"})
	}
	return none, &ipc.Error{Code: ipc.CodeBadRequest, Message: fmt.Sprintf("there is no action %q", r.Action),
		Hint: "pause, resume, stop, stop-and-delete or object"}
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

// withdraw ends a grant for good. The order matters: capture off, the durable
// mark that keeps every further byte from leaving, the signed record, and, to
// delete, the key first. Under an enforced policy it records an objection.
func (a *Agent) withdraw(c *ipc.Conn, r ipc.Withdraw) (ipc.WithdrawResult, error) {
	none := ipc.WithdrawResult{}
	g, err := a.findGrant(r.ID)
	if err != nil {
		return none, err
	}
	p := c.Peer()
	l := a.sessions[g.Session]
	if p.Role() != ipc.RoleAdmin && !g.Concerns(a.subjectOf(p.UID)) {
		return none, &ipc.Error{Code: ipc.CodeNotFound, Message: fmt.Sprintf("there is no grant %q", r.ID), Hint: "aval consent list shows them"}
	}
	h := record.Head{V: 1, ID: newID(), At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
	if g.Basis == consent.BasisEnforcedPolicy {
		if _, err := a.write(h, record.TypeObjection, record.Objection{Head: h, Grant: g.ID, Provenance: consent.P0}); err != nil {
			return none, err
		}
		return ipc.WithdrawResult{Outcome: consent.OutcomeObjected}, nil
	}
	a.revoke(g) // first: nothing begins on it any more
	st := store.Stream{Company: g.Company, Session: g.Session}
	var rec *recording
	if l != nil && l.rec != nil {
		rec = l.rec
		a.halt(l)
		l.rec = nil
		a.gateAll() // the desktop stops watching, whatever becomes of the rest
		rec.writer.discard()
		rec.writer.wait()
	}
	a.tellLeaves(consent.EventStopped, func(lv *leave) bool { return lv.stream == st })
	if owner := cmp.Or(a.guests[g.Device], a.company); owner != nil && owner.link != nil {
		owner.link.Fence(st) // not even what is on its way
	}
	if err := a.store.Withdraw(st); err != nil && !errors.Is(err, store.ErrErased) {
		return none, fmt.Errorf("withdraw: %w", err)
	}
	last, err := a.lastOf(st)
	if err != nil {
		return none, err
	}
	w := record.Withdrawal{Head: h, Grant: g.ID, LastSeq: last, Erase: r.Delete, By: "person", Provenance: consent.P0}
	if _, err := a.write(h, record.TypeWithdrawal, w); err != nil {
		return none, err
	}
	out := ipc.WithdrawResult{Outcome: consent.OutcomeWithdrawn}
	if r.Delete {
		if out.Copies, err = a.erase(g, st); err != nil {
			return none, err
		}
		out.Outcome = consent.OutcomeErased
	}
	if l != nil {
		l.outcome = out.Outcome
		if err := a.keep(l); err != nil {
			a.log.Error("keep session", "session", l.Name, "err", err)
		}
		if rec != nil {
			a.showEnded(l, rec, last)
		}
	}
	a.log.Info("withdrawn", "session", g.Session, "deleted", r.Delete)
	if err := a.withdrawFurther(c, g.ID); err != nil {
		return out, err
	}
	a.gateAll()
	return out, nil
}

// withdrawFurther stops the sessions that rest on an answer that was taken back.
func (a *Agent) withdrawFurther(c *ipc.Conn, answer string) error {
	for _, l := range a.sessions {
		if l.rec != nil && l.rec.grant.Grant().Answer == answer {
			if _, err := a.withdraw(c, ipc.Withdraw{ID: l.rec.grant.Grant().ID}); err != nil {
				return err
			}
		}
	}
	return nil
}

// erase destroys the session's key, then its rows, and asks the company to do
// the same; the record says what became of each copy.
func (a *Agent) erase(g record.Grant, st store.Stream) ([]consent.Copy, error) {
	if err := a.store.Erase(st); err != nil {
		return nil, fmt.Errorf("delete from this computer: %w", err)
	}
	h := record.Head{V: 1, ID: newID(), At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
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
			h := record.Head{V: 1, ID: newID(), At: time.Now().UTC(), Company: g.Company, Device: g.Device, Session: g.Session}
			w = record.Withdrawal{Head: h, Grant: g.ID, LastSeq: s.Last, Erase: s.Erased, By: "person", Provenance: consent.P0}
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
		done(ipc.SessionEventResult{}, errNoSession(r.ID))
		return
	}
	fields, err := checkFields(r.Kind, r.Fields)
	if err != nil {
		done(ipc.SessionEventResult{}, err)
		return
	}
	ev := event.Event{Kind: r.Kind, At: time.Now().UTC(), Fields: fields}
	a.take(l, ev, func(seq uint64, refused string) {
		done(ipc.SessionEventResult{Recorded: refused == "", Seq: seq, Reason: refused}, nil)
	})
}
