package agent

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aval/agent/ipc"
	"aval/agent/session"
	"aval/agent/uplink"
	"aval/agent/wire"
)

// opening is a session of a module that waits for a supporter, or what became of
// it. The company's server has it; here nothing is asked and nothing recorded
// before the supporter is known.
type opening struct {
	number string // empty: the server has not said it yet
	until  time.Time
	why    string // it waits no more, and no session came of it
	giveUp context.CancelFunc
}

// waits tells whether a supporter may still take it.
func (o *opening) waits() bool { return o != nil && o.why == "" }

// status is what Status says of it; nil: there is none.
func (o *opening) status() *ipc.Opening {
	if o == nil || o.waits() && o.number == "" {
		return nil
	}
	return &ipc.Opening{Number: o.number, Until: o.until, Why: o.why}
}

// handleOpen opens a session by the module that the service runs for, waits until a
// supporter has taken it, and has it decided as one by a code. It ends with the
// caller's connection, and with a session by a code.
func (a *Agent) handleOpen(ctx context.Context, c *ipc.Conn, params json.RawMessage) (any, error) {
	var r ipc.SessionOpen
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	m, p := a.cfg.Module, c.Peer()
	if m.ID == "" {
		return nil, &ipc.Error{Code: ipc.CodeConflict, Message: "only a module opens a session by itself", Hint: "ask the support for a session code"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &opening{giveUp: cancel}
	var err error
	if derr := a.do(ctx, func() {
		if err = a.mayJoin(p, hostOf(m.Server), r.Desktop); err == nil && a.opening.waits() {
			err = &ipc.Error{Code: ipc.CodeConflict, Message: "a session waits for the support already", Why: ipc.WhyWaiting}
		}
		if err == nil {
			a.opening = o
		}
	}); derr != nil {
		return nil, derr
	}
	if err != nil {
		return nil, err
	}
	joined, err := a.openAndWait(ctx, c, o)
	if err != nil {
		a.post(func() {
			if a.opening != o {
				return
			}
			a.opening = nil
			var no *ipc.Error
			if errors.As(err, &no) && no.Why != "" {
				a.opening = &opening{why: no.Why}
			}
		})
		return nil, err
	}
	return a.beginAndWait(ctx, false, func() (*live, error) {
		if a.opening == o {
			a.opening = nil
		}
		return a.joinSession(p, joined, r.Desktop)
	})
}

// openAndWait is the network's part of handleOpen; not in the loop.
func (a *Agent) openAndWait(ctx context.Context, c *ipc.Conn, o *opening) (*company, error) {
	m := a.cfg.Module
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make the session's key: %w", err)
	}
	first, cancel := context.WithTimeout(ctx, redeemWithin)
	defer cancel()
	waits, err := uplink.Open(first, m, key, a.cfg.Build)
	if err != nil {
		return nil, notOpened(err)
	}
	if err := a.do(ctx, func() { o.number, o.until = waits.Number, waits.Until().UTC() }); err != nil {
		return nil, err
	}
	c.Push(ipc.PushOpening, ipc.Opening{Number: waits.Number, Until: waits.Until().UTC()})
	a.log.Info("module opened", "until", waits.Until())
	got, err := waits.Wait(ctx)
	if err != nil {
		return nil, notOpened(err)
	}
	return a.certified(got, m.Server, m.Pin, key)
}

// notOpened is what the server's answer, or its silence, means for the person.
func notOpened(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	failed := &ipc.Error{Code: ipc.CodeFailed, Message: session.Clean(err.Error(), 400), Why: ipc.WhyServer}
	var no *uplink.Refusal
	switch {
	case errors.Is(err, uplink.ErrNotTaken):
		failed.Code, failed.Why = ipc.CodeRefused, ipc.WhyExpired
	case errors.As(err, &no):
		failed.Code, failed.Why = ipc.CodeRefused, refusedOpenings[no.Code]
	}
	return failed
}

// refusedOpenings are the words for what the server says of an opened module.
var refusedOpenings = map[string]string{wire.OpenRefused: ipc.WhyRefused, wire.OpenExpired: ipc.WhyExpired, "too-many": ipc.WhyTries,
	"module-unknown": ipc.WhyModule, "module-revoked": ipc.WhyModule, "module-expired": ipc.WhyModule}

// opened ends the wait for a supporter: a session has come by a code.
func (a *Agent) opened() {
	if a.opening.waits() {
		a.opening.giveUp()
	}
	a.opening = nil
}
