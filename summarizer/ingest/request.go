package ingest

import (
	"time"

	"aval/agent/consent"
	"aval/agent/record"
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
