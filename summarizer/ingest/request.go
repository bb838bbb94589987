package ingest

import (
	"context"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// lateDecision is how long after its code was redeemed a session's grants may be
// made: a request stands for as long, and clocks and questions take a little.
const lateDecision = record.RequestLife + 15*time.Minute

// checkRequest holds a grant that is signed by a key of one session against the
// code that certified the key: outgoing, of the supporter whom the code names,
// decided out of what the code asked, soon, and of one session only. Nothing
// else can be sent under such a key.
func (c *conn) checkRequest(tx *store.Tx, g record.Grant) error {
	if c.code == nil {
		return nil
	}
	switch {
	case g.Direction != consent.Outgoing || g.Input.Direction != consent.Outgoing || consent.Decide(g.Input) != g.Decision:
		return no(CodeBadGrant)
	case g.PolicyVersion != 0:
		return no(CodeUnknownPolicy) // it was given none
	case g.Supporter != c.code.Supporter || !g.SupporterVerified || g.Answer != "" || g.ForMinutes != 0:
		return no(CodeBadGrant)
	case !g.Input.LogSessions || !c.code.LogSessions || g.Input.ModuleEnabled != c.code.ModuleEnabled || g.Input.ManagedByRequester:
		return no(CodeBadGrant)
	}
	// Both times by the server's clock.
	made := g.At.Add(-c.skew)
	if made.Before(c.code.UsedAt.Add(-15*time.Minute)) || made.After(c.code.UsedAt.Add(lateDecision)) {
		return no(CodeOutsideGrant)
	}
	session, err := tx.SessionOf(c.company, c.device)
	if err != nil {
		return err
	}
	if session != "" && session != g.Session {
		return no(CodeOtherSession)
	}
	return nil
}

// tellRequests sends the device the sessions that were announced to it. Sent
// twice is harmless; what counts is the acknowledgement.
func (c *conn) tellRequests() {
	ctx, cancel := context.WithTimeout(c.s.ctx, storeWithin)
	defer cancel()
	var list []store.Announcement
	err := c.s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Announcements(c.company, c.device, c.s.o.Now())
		return err
	})
	if err != nil && c.s.ctx.Err() == nil {
		c.s.o.Log.Error("read announced sessions", "device", c.device, "err", err)
	}
	for _, a := range list {
		if c.send(&wire.Frame{Body: &wire.Frame_Request{Request: &wire.Request{Id: a.ID, Envelope: a.Envelope}}}) != nil {
			return
		}
	}
}

// onRequestAck notes that the device has an announced session.
func (c *conn) onRequestAck(id string) error {
	if !isID(id) {
		c.refuse(CodeProtocol)
		return errGone
	}
	_, err := c.inTx(func(tx *store.Tx) error { return tx.ToldOf(c.company, c.device, id, c.s.o.Now()) })
	if err != nil {
		c.s.o.Log.Error("note announced session", "device", c.device, "err", err)
	}
	return nil
}
