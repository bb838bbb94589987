package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/policy/source"
	"aval/agent/record"
	"aval/agent/session"
	"aval/agent/store"
)

// pageBytes keeps one answer well below a frame.
const pageBytes = 40 << 10

// troublesWithin is how long a warning is told of.
const troublesWithin = 24 * time.Hour

func (a *Agent) status(p ipc.Peer) (ipc.Status, error) {
	s := ipc.Status{Build: a.cfg.Build, PID: os.Getpid(), StartedAt: a.start, Link: "none", Notes: a.notes, Desktops: a.desktopList(p)}
	c := a.companyFor(p)
	if c != nil {
		s.Device, s.Company, s.Server = c.Device, c.CompanyName, c.Server
		if c.Account != nil {
			s.Account = c.Account.User
		}
		s.AuditBreak = a.auditBreak(c)
		s.Link, s.LinkError = cmp.Or(c.state.Link, "connecting"), c.state.Err
	}
	if p.Role() == ipc.RoleAdmin {
		s.Troubles = a.troubles.since(troublesWithin)
	}
	streams, err := a.store.Streams()
	if err != nil {
		return s, err
	}
	for _, st := range streams {
		if !st.Withdrawn && !st.Erased {
			s.Waiting += st.Last - st.Acked
		}
	}
	s.Opening = a.opening.status()
	if m := a.cfg.Module; m.ID != "" {
		s.Module = &ipc.ModuleStatus{Name: session.Clean(m.Name, session.MaxSupporter), Company: session.Clean(m.CompanyName, session.MaxSupporter), Server: hostOf(m.Server)}
	}
	s.Guests = a.guestList()
	for _, l := range a.sessions {
		if a.mine(p, l) {
			s.Sessions++
			if l.rec != nil && l.rec.on {
				s.Recording++
			}
		}
	}
	err = a.policyNow().Err
	if c != nil {
		o := a.wants()
		s.Outgoing, s.Incoming, s.IncomingEnforced = o.Outgoing, o.Incoming, o.IncomingEnforced
		s.Required = policy.Requires(a.policy.Effective, o)
	}
	if a.tokens != "" {
		s.Notes = append(slices.Clone(s.Notes), a.tokens)
	}
	if err != nil {
		what := "nothing is recorded until it can be"
		if a.policy.Effective.State == consent.PolicyStale {
			what = "the last good one counts until " + a.policy.GoodAt.Add(source.Expiry).UTC().Format(time.RFC3339)
		}
		s.Notes = append(slices.Clone(s.Notes), fmt.Sprintf("The policy cannot be read: %s (%v). See aval policy show.", what, err))
	}
	return s, nil
}

// companyFor is the company that may ask on p's desktop: another user's account is
// no business of theirs.
func (a *Agent) companyFor(p ipc.Peer) *company {
	if c := a.company; c != nil && c.Account != nil && c.Account.UID != p.UID && p.Role() != ipc.RoleAdmin {
		return nil
	}
	return a.company
}

// wants is what the company asks for, as it counts now.
func (a *Agent) wants() policy.Asks {
	in := consent.Input{Outgoing: consent.OutgoingOff, Incoming: consent.IncomingOff}
	if a.company != nil {
		a.company.fill(&in, time.Now())
		if a.company.Account != nil {
			policy.Unmanaged(&in)
		}
	}
	return policy.Asks{Outgoing: in.Outgoing, Incoming: in.Incoming, IncomingEnforced: in.IncomingEnforced, LogSessions: in.LogSessions,
		Account: a.company != nil && a.company.Account != nil}
}

func (a *Agent) listSessions(p ipc.Peer) []ipc.SessionInfo {
	out := []ipc.SessionInfo{}
	for _, l := range a.sessions {
		if a.mine(p, l) {
			out = append(out, a.info(l))
		}
	}
	slices.SortFunc(out, func(x, y ipc.SessionInfo) int {
		return cmp.Or(x.StartedAt.Compare(y.StartedAt), cmp.Compare(x.Session, y.Session))
	})
	return out
}

func (a *Agent) info(l *live) ipc.SessionInfo {
	i := ipc.SessionInfo{Session: l.Name, Tool: l.Tool, Supporter: l.Supporter, Verified: l.Verified, StartedAt: l.Started, Outcome: l.outcome, Kinds: l.Kinds}
	if d := l.decided; d != nil {
		i.Company, i.Desktop, i.Verdict, i.Reason = d.CompanyName, d.Desktop, d.Decision.Verdict, d.Decision.Reason
	}
	if l.lost {
		i.Why = whyUnconfirmed
	}
	if r := l.rec; r != nil {
		i.Recording, i.Paused, i.Why, i.Events = r.on, r.paused, r.why, r.last
		if r.on && !r.desk {
			i.Why = whyOtherSession
		}
	}
	return i
}

// row is what consent list shows of a record, with what says whom it is about.
func row(e store.Entry) (ipc.ConsentEntry, record.Decided, error) {
	var b struct {
		record.Decided
		Basis  consent.Basis   `json:"basis"`
		Groups json.RawMessage `json:"groups"`
		Test   bool            `json:"test"`
		Answer string          `json:"answer"`
	}
	_, payload, err := record.Peek(e.Envelope)
	if err != nil {
		return ipc.ConsentEntry{}, record.Decided{}, err
	}
	if err := json.Unmarshal(payload, &b); err != nil {
		return ipc.ConsentEntry{}, record.Decided{}, fmt.Errorf("decode record %s: %w", e.ID, err)
	}
	out := ipc.ConsentEntry{
		ID: e.ID, Session: e.Session, Tool: b.Tool, Supporter: b.Supporter, Company: b.CompanyName, Direction: b.Direction,
		Verdict: b.Decision.Verdict, Basis: b.Basis, Reason: b.Decision.Reason, Outcome: b.Outcome, Ending: b.Ending,
		Provenance: b.Provenance, Test: b.Test, At: e.At, Answer: b.Answer,
	}
	if len(b.Groups) > 0 {
		if err := json.Unmarshal(b.Groups, &out.Groups); err != nil {
			return ipc.ConsentEntry{}, record.Decided{}, fmt.Errorf("decode record %s: %w", e.ID, err)
		}
	}
	return out, b.Decided, nil
}

// entries lists the decisions that concern the peer, newest first, each with
// what became of it, to visit one after the other.
func (a *Agent) entries(p ipc.Peer, visit func(ipc.ConsentEntry, store.Entry) bool) error {
	now := time.Now()
	var open []*live
	for _, l := range a.sessions {
		if l.outcome == consent.OutcomeAsking && a.mine(p, l) {
			open = append(open, l)
		}
	}
	slices.SortFunc(open, func(x, y *live) int { return y.Started.Compare(x.Started) })
	for _, l := range open {
		d := l.decided
		if !visit(ipc.ConsentEntry{ID: "asking:" + l.Name, Session: l.Name, Tool: l.Tool, Supporter: l.Supporter, Company: d.CompanyName,
			Direction: d.Direction, Verdict: d.Decision.Verdict, Reason: d.Decision.Reason, Outcome: l.outcome, At: d.At}, store.Entry{}) {
			return nil
		}
	}
	waiting, toDelete := map[string]bool{}, map[string]bool{} // by grant
	if streams, err := a.store.Streams(); err == nil {
		for _, s := range streams {
			waiting[s.GrantID] = awaitsWord(s)
			toDelete[s.GrantID] = awaitsWord(s) && s.DeleteAsked
		}
	}
	later := map[string]consent.Outcome{}    // by grant: what came after it
	hands := map[string]consent.Provenance{} // and whose hand that was
	var bad error
	err := a.store.Records(func(e store.Entry) bool {
		switch e.Type {
		case record.TypeWithdrawal, record.TypeErasure, record.TypeObjection:
			var b struct {
				Grant      string             `json:"grant"`
				Provenance consent.Provenance `json:"provenance"`
			}
			if _, payload, err := record.Peek(e.Envelope); err == nil && json.Unmarshal(payload, &b) == nil {
				if _, known := later[b.Grant]; !known { // newest first: the last word counts
					later[b.Grant] = map[record.Type]consent.Outcome{
						record.TypeWithdrawal: consent.OutcomeWithdrawn, record.TypeErasure: consent.OutcomeErased, record.TypeObjection: consent.OutcomeObjected,
					}[e.Type]
				}
				if hands[b.Grant] == "" { // an erasure is nobody's hand: what it follows from is
					hands[b.Grant] = b.Provenance
				}
			}
			return true
		case record.TypeGrant, record.TypeRefusal, record.TypeNoAnswer:
		default:
			return true
		}
		r, of, err := row(e)
		if err != nil {
			bad = err
			return true
		}
		if p.Role() != ipc.RoleAdmin && !of.Concerns(a.subjectIn(p.UID, of)) {
			return true
		}
		r.Held = waiting[e.ID]
		if toDelete[e.ID] {
			r.Outcome = consent.OutcomeWithdrawn
		}
		if o, ok := later[e.ID]; ok {
			r.Outcome, r.Hand = o, hands[e.ID]
		} else if e.Type == record.TypeGrant && now.Sub(e.At) > record.MaxGrantAge && r.Outcome == consent.OutcomeAllowed {
			if l, live := a.sessions[e.Session]; live && l.outcome == consent.OutcomeExpired {
				r.Outcome = consent.OutcomeExpired
			}
		}
		if y := a.answers[e.ID]; y != nil {
			r.Lasts = y.until()
		}
		return visit(r, e)
	})
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return bad
}

func (a *Agent) listConsent(p ipc.Peer, page ipc.ConsentListPage) (ipc.ConsentListResult, error) {
	out := ipc.ConsentListResult{Entries: []ipc.ConsentEntry{}}
	skipping := page.After != ""
	size := 0
	err := a.entries(p, func(r ipc.ConsentEntry, _ store.Entry) bool {
		if skipping {
			skipping = r.ID != page.After
			return true
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return true
		}
		if size += len(raw) + 1; size > pageBytes {
			out.Next = out.Entries[len(out.Entries)-1].ID
			return false
		}
		out.Entries = append(out.Entries, r)
		return true
	})
	return out, err
}

// showConsent finds one record by its id, or the newest of a session.
func (a *Agent) showConsent(p ipc.Peer, id string) (ipc.ConsentShow, error) {
	var out ipc.ConsentShow
	err := a.entries(p, func(r ipc.ConsentEntry, e store.Entry) bool {
		if r.ID != id && r.Session != id {
			return true
		}
		out = ipc.ConsentShow{ConsentEntry: r, Envelope: e.Envelope, LogIndex: e.Index}
		return false
	})
	if err != nil {
		return out, err
	}
	if out.ID == "" {
		return out, &ipc.Error{Code: ipc.CodeNotFound, Message: fmt.Sprintf("there is no record %q", id), Hint: "aval consent list shows them"}
	}
	if len(out.Envelope) > 0 {
		if out.Later, err = a.laterThan(out.ID); err == nil {
			out.Copies, err = a.copies(out.Later)
		}
	}
	return out, err
}

// copies is the fate of each copy as it stands now: what the erasure's record
// says, and whether the company's server has acknowledged that record, which it
// does only once its copy is gone.
func (a *Agent) copies(later []json.RawMessage) ([]consent.Copy, error) {
	for _, raw := range later {
		var e record.Erasure
		if typ, payload, err := record.Peek(raw); err != nil || typ != record.TypeErasure || json.Unmarshal(payload, &e) != nil {
			continue
		}
		waiting, err := a.store.PendingRecords(e.Company, 0)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(waiting, func(w store.Entry) bool { return w.ID == e.ID }) {
			for i := range e.Copies {
				if e.Copies[i].Fate == consent.FateAsked {
					e.Copies[i].Fate = consent.FateConfirmed
				}
			}
		}
		return e.Copies, nil
	}
	return nil, nil
}

// laterThan lists what followed a grant: the first record of each type, oldest
// first, for the first one is what counts.
func (a *Agent) laterThan(grant string) ([]json.RawMessage, error) {
	first := map[record.Type]store.Entry{}
	err := a.store.Records(func(e store.Entry) bool { // newest first
		switch e.Type {
		case record.TypeWithdrawal, record.TypeErasure, record.TypeObjection:
			var b struct {
				Grant string `json:"grant"`
			}
			if _, payload, err := record.Peek(e.Envelope); err == nil && json.Unmarshal(payload, &b) == nil && b.Grant == grant {
				first[e.Type] = e
			}
		}
		return e.ID != grant
	})
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	all := slices.SortedFunc(maps.Values(first), func(x, y store.Entry) int { return cmp.Compare(x.Index, y.Index) })
	var out []json.RawMessage
	for _, e := range all {
		out = append(out, e.Envelope)
	}
	return out, nil
}

// sent lists events as they left, or wait to leave, in pages. The cursor is
// COMPANY SESSION SEQ of the last event of the page before.
func (a *Agent) sent(p ipc.Peer, r ipc.Sent) (ipc.SentResult, error) {
	out := ipc.SentResult{Events: []ipc.SentEvent{}}
	streams, err := a.store.Streams()
	if err != nil {
		return out, err
	}
	slices.SortFunc(streams, func(x, y store.StreamInfo) int {
		return cmp.Or(x.OpenedAt.Compare(y.OpenedAt), cmp.Compare(x.Session, y.Session), cmp.Compare(x.Company, y.Company))
	})
	known := false
	company, session, seq, err := cursor(r.After)
	if err != nil {
		return out, err
	}
	skipping := r.After != ""
	size := 0
	for _, st := range streams {
		if (r.Session != "" && st.Session != r.Session && !strings.HasSuffix(st.Session, "/"+r.Session)) || !a.mySubject(p, st) {
			continue
		}
		known = true
		after := uint64(0)
		if skipping {
			if st.Company != company || st.Session != session {
				continue
			}
			skipping, after = false, seq
		}
		for {
			evs, acked, err := a.store.History(st.Stream, after, 200)
			if errors.Is(err, store.ErrErased) {
				break
			}
			if err != nil {
				return out, err
			}
			if len(evs) == 0 {
				break
			}
			for _, e := range evs {
				s := ipc.SentEvent{Session: e.Session, Seq: e.Seq, Kind: e.Kind, At: e.At, Fields: e.Fields, Acked: e.Seq <= acked}
				raw, err := json.Marshal(s)
				if err != nil {
					return out, fmt.Errorf("encode event: %w", err)
				}
				if size += len(raw) + 1; size > pageBytes {
					out.Next = st.Company + " " + st.Session + " " + strconv.FormatUint(after, 10)
					return out, nil
				}
				out.Events = append(out.Events, s)
				after = e.Seq
			}
		}
	}
	if r.Session != "" && !known {
		if _, err := a.showConsent(p, r.Session); err != nil {
			return out, &ipc.Error{Code: ipc.CodeNotFound, Message: fmt.Sprintf("there is no session %q", r.Session), Hint: "aval consent list shows them"}
		}
	}
	return out, nil
}

func cursor(s string) (company, session string, seq uint64, err error) {
	if s == "" {
		return "", "", 0, nil
	}
	if _, err := fmt.Sscanf(s, "%s %s %d", &company, &session, &seq); err != nil {
		return "", "", 0, &ipc.Error{Code: ipc.CodeBadRequest, Message: "this is no cursor of sent"}
	}
	return company, session, seq, nil
}

// mySubject tells whether a stream's grant is about the peer.
func (a *Agent) mySubject(p ipc.Peer, st store.StreamInfo) bool {
	if p.Role() == ipc.RoleAdmin {
		return true
	}
	_, payload, err := record.Peek(st.Grant)
	if err != nil {
		return false
	}
	var g record.Decided
	return json.Unmarshal(payload, &g) == nil && g.Concerns(a.subjectIn(p.UID, g))
}
