package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/policy/source"
	"aval/agent/record"
)

// policyNow reads the policy anew, so that no change of it is missed by a
// decision, and brings it together with the server's.
func (a *Agent) policyNow() source.Snapshot {
	now := time.Now()
	s := source.Snapshot{Effective: policy.Merge(nil), Origin: "none"}
	if a.policies != nil {
		s = a.policies.Load(now)
	}
	if a.company != nil && a.company.Account == nil {
		s = a.company.join(s, now)
	}
	a.policy = s
	return s
}

// join adds the server's policy to what this computer's own sources say.
func (c *company) join(s source.Snapshot, now time.Time) source.Snapshot {
	o := c.options
	switch {
	case o.Version == 0:
		return unreadable(s, errors.New("the company's options have not arrived, or are damaged on this computer"))
	case !now.Before(o.Until):
		return unreadable(s, fmt.Errorf("the company's options of %s have expired: the server has not been reached for too long", o.At.Format(time.RFC3339)))
	case o.Policy == nil: // signed: none is assigned
		return s
	}
	origin := "server:" + o.Policy.String()
	if s.Origin == "" || s.Origin == "none" {
		s.Origin = origin
	} else {
		s.Origin += ", " + origin
	}
	if s.Effective.State == consent.PolicyUnreadable {
		return s
	}
	state := consent.PolicyFresh
	if s.Effective.State == consent.PolicyStale || now.Sub(o.At) > renewed {
		state = consent.PolicyStale
	}
	// The server first: of equal ones the later wins, and device management
	// stands above it anyway.
	s.Layers = append([]policy.Layer{{Origin: policy.Origin{Name: policy.FromServer, Scope: policy.Machine, File: o.Policy.String()}, Values: o.Values}}, s.Layers...)
	s.Effective = policy.Merge(s.Layers)
	if s.Effective.State != consent.PolicyUnreadable {
		s.Effective.State = state
	}
	if s.GoodAt.IsZero() {
		s.GoodAt = o.At
	}
	return s
}

// unreadable is s with a reason why nothing of it counts.
func unreadable(s source.Snapshot, err error) source.Snapshot {
	s.Err = errors.Join(s.Err, err)
	s.Layers, s.Effective = nil, policy.Unreadable(s.Problems...)
	return s
}

// watchPolicy has sessions looked at again whenever a policy of this computer
// changes. Decisions read it anew in any case.
func (a *Agent) watchPolicy() {
	if a.policies == nil {
		return
	}
	a.work.Go(func() {
		err := a.policies.Watch(a.ctx, func(source.Snapshot) { a.post(a.review) })
		if err != nil && a.ctx.Err() == nil {
			a.log.Error("watch policy", "err", err)
			a.post(func() {
				a.notes = appendNote(a.notes, "Changes of the policy are not noticed while a session runs, only when one begins: "+err.Error()+".")
			})
		}
	})
}

// review holds what runs against the policy in force now. A policy that became
// stricter ends the recordings and questions that it no longer lets be; one
// that became looser changes nothing that was decided.
func (a *Agent) review() {
	a.policyNow()
	a.expireLater()
	for _, l := range a.sessions {
		if l.decided == nil || l.rec == nil && l.question == nil {
			continue
		}
		d := a.again(l, l.decided.Input.Local)
		no := d.Decision.Verdict == consent.Deny || d.Decision.Verdict == consent.NotRequested
		switch {
		case no:
		case l.rec != nil && d.Decision.Verdict == consent.Ask && l.rec.grant.Grant().Basis != consent.BasisConsent:
			// What needed no question when it began needs one now, which was not asked.
			d.Decision, d.Narrowed = consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonDeniedByPolicy}, record.NarrowedMeanwhile
		default:
			continue
		}
		a.overtake(l, d, "policy")
	}
	a.gateAll()
}

// overtake ends a session's recording or question by a later decision, which is a
// denial. reason is why its stream ends.
func (a *Agent) overtake(l *live, d decided, reason string) {
	var asked *record.Asked
	if l.rec != nil {
		a.finish(l, reason)
	} else {
		asked = &record.Asked{AskedAt: l.question.askedAt, EndedAt: d.At, Offered: d.Offered}
		a.dropQuestion(l)
	}
	l.decided, l.outcome = &d, d.Decision.Outcome()
	a.log.Info("recording or question ended by a later decision", "session", l.Name, "by", reason, "verdict", d.Decision.Verdict, "reason", d.Decision.Reason)
	a.writeOutcome(l, asked, "")
	a.settled(l)
}

// expireLater has everything looked at again when the last good policy of this
// computer stops counting.
func (a *Agent) expireLater() {
	if a.expiring != nil {
		a.expiring.Stop()
		a.expiring = nil
	}
	if s := a.policy; s.Effective.State == consent.PolicyStale && s.Err != nil {
		if d := time.Until(s.GoodAt.Add(source.Expiry)); d > 0 {
			a.expiring = a.after(d+time.Second, a.review)
		}
	}
}

// again decides a session anew from what was known then, the person's setting and
// the policy of now; whether somebody is at the desktop does not matter to what
// runs already.
func (a *Agent) again(l *live, local consent.AccessControl) decided {
	d := *l.decided
	d.Input.Local = local
	d.At = time.Now().UTC()
	c := a.asker(l)
	switch {
	case c != nil && c.Company == d.Company:
		d.PolicyVersion, d.ServerReleases = c.options.Version, c.trust().ServerReleases()
	default: // the computer has left the company that asked
		c = nil
	}
	a.fillFor(c, l, &d.Input, d.At)
	d.PolicyOrigin, d.PolicySHA256 = a.origin(c)
	d.Input.Desktop = consent.DesktopAvailable
	d.Decision, d.Narrowed = consent.Decide(d.Input), ""
	v := d.Decision.Verdict
	if (v == consent.Ask || v == consent.Allow) && !slices.ContainsFunc(d.Offered, a.policy.Effective.MayRecord) {
		d.Decision, d.Narrowed = consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonDeniedByPolicy}, record.NarrowedToNothing
	}
	return d
}

// dropQuestion takes an open question away without an answer to it.
func (a *Agent) dropQuestion(l *live) {
	q := l.question
	l.question = nil
	if q.timer != nil {
		q.timer.Stop()
	}
	for _, ask := range q.asks {
		if !ask.Over() {
			ask.Happened(consent.EventRungsUsedUp, time.Now())
		}
	}
}

func (a *Agent) policyShow() ipc.PolicyResult {
	s := a.policyNow()
	r := ipc.PolicyResult{State: s.Effective.State, Origin: s.Origin, SHA256: s.SHA256, GoodAt: s.GoodAt, Text: policy.ShowText(s.Effective)}
	if s.Err != nil {
		r.Problem = s.Err.Error()
	}
	if a.company != nil && a.company.Account == nil {
		r.Server = a.company.served()
	}
	for _, v := range s.Effective.All() {
		raw, err := json.Marshal(v)
		if err == nil {
			r.Keys = append(r.Keys, raw)
		}
	}
	return r
}
