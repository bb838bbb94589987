package agent

import (
	"slices"

	"aval/agent/consent"
	"aval/agent/ipc"
)

// notify has the desktops of a session that a policy records told of it, each
// once. Where nobody is there, it waits until somebody is.
func (a *Agent) notify(l *live) {
	if l.rec == nil || !l.rec.grant.Grant().Notice {
		return
	}
	for _, id := range l.desktops {
		d, ok := a.desktops[id]
		if ok && !d.locked && !slices.Contains(l.noticed, id) && !d.noticing[l.Name] {
			d.noticing[l.Name] = true
			d.conn.Push(ipc.PushNotice, ipc.NoticeOf{Session: l.Name})
		}
	}
}

// notifyAll tells who has come to a desktop what is recorded there.
func (a *Agent) notifyAll() {
	for _, l := range a.sessions {
		a.notify(l)
	}
}

// noticeFor is what the window of a notice says.
func (a *Agent) noticeFor(c *ipc.Conn, r ipc.NoticeOf) (ipc.Notice, error) {
	l, ok := a.sessions[r.Session]
	if !ok || l.rec == nil || !l.rec.grant.Grant().Notice || !a.mine(c.Peer(), l) {
		return ipc.Notice{}, &ipc.Error{Code: ipc.CodeNotFound, Message: "there is nothing to tell of this session"}
	}
	g := l.rec.grant.Grant()
	n := ipc.Notice{Session: l.Name, Tool: l.Tool, Supporter: l.Supporter, Address: l.Address, Groups: g.Groups,
		Enforced: g.Basis == consent.BasisEnforcedPolicy, Languages: a.policy.Effective.Languages(),
		Company: ipc.QuestionCompany{ID: g.Company, Name: g.CompanyName, Verified: g.CompanyHost == "", Host: g.CompanyHost, Engine: g.Engine, RetentionDays: g.RetentionDays}}
	if c := a.asker(l); c != nil {
		n.Company.Readers = c.options.Readers
	}
	return n, nil
}

// noticeShown: the person has the notice on the screen. It is not shown again on
// the desktops of that user.
func (a *Agent) noticeShown(c *ipc.Conn, r ipc.NoticeOf) error {
	if err := a.barred(c); err != nil {
		return err
	}
	l, ok := a.sessions[r.Session]
	if !ok || !a.mine(c.Peer(), l) {
		return &ipc.Error{Code: ipc.CodeNotFound, Message: "there is nothing to tell of this session"}
	}
	for _, id := range l.desktops {
		if d, ok := a.desktops[id]; ok && d.uid == c.Peer().UID && !slices.Contains(l.noticed, id) {
			l.noticed = append(l.noticed, id)
		}
	}
	a.log.Info("notice shown", "session", l.Name)
	return a.keep(l)
}
