package uplink

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"aval/agent/record"
	"aval/agent/wire"
)

// ErrOpening wraps the server's sentence when a module cannot open a session.
var ErrOpening = errors.New("the support's server did not open a session")

// ErrNotTaken: no supporter has taken the session in time.
var ErrNotTaken = errors.New("nobody at the support has taken this session in time")

// giveUpWithin bounds telling the server that nobody waits any more.
const giveUpWithin = 5 * time.Second

// Opening is a session that a module has opened, and that waits for a supporter.
type Opening struct {
	wire.OpenReply
	server address
	key    ed25519.PrivateKey
	until  time.Time
}

// Open has a module's server open a session for key, which must be made for this
// session alone: it waits there under a number until a supporter takes it. Its
// errors are sentences for the person who opened the module, as those of Redeem.
func Open(ctx context.Context, m record.Module, key ed25519.PrivateKey, build string) (*Opening, error) {
	a, err := parseServer(m.Server, m.Pin)
	if err != nil {
		return nil, err
	}
	pub := key.Public().(ed25519.PublicKey)
	raw, err := a.post(ctx, http.ProxyFromEnvironment, wire.OpenPath, wire.OpenLabel, ErrOpening, func(exported []byte) (any, error) {
		proof, err := record.SignBytes(key, record.TypeProof, wire.EnrollPayload(exported, pub, m.ID))
		return wire.OpenRequest{Module: m.ID, PublicKey: pub, AgentVersion: build, Proof: proof}, err
	})
	if err != nil {
		return nil, err
	}
	r, err := decodeOpening(raw)
	if err != nil {
		return nil, err
	}
	return &Opening{OpenReply: r, server: a, key: key, until: time.Now().Add(time.Duration(r.ExpiresIn) * time.Second)}, nil
}

// decodeOpening reads the answer: a number of the one form, and bounds within which
// a computer may wait.
func decodeOpening(raw []byte) (wire.OpenReply, error) {
	var r wire.OpenReply
	if err := json.Unmarshal(raw, &r); err != nil || r.ID == "" || !wire.Number(r.Number) || r.Interval < 1 || r.Interval > 60 || r.ExpiresIn < 1 || r.ExpiresIn > 3600 {
		return wire.OpenReply{}, fmt.Errorf("%w: its answer cannot be read; is it an Aval summarizer of this version?", ErrOpening)
	}
	return r, nil
}

// Until is when it ends if nobody takes it.
func (o *Opening) Until() time.Time { return o.until }

// Wait asks until a supporter has taken the session, or turned it away, or its time
// is over (ErrNotTaken). While the server cannot be reached it goes on asking. When
// ctx ends, the server is told that nobody waits any more.
func (o *Opening) Wait(ctx context.Context) (Redeemed, error) {
	every := time.Duration(o.Interval) * time.Second
	for {
		select {
		case <-ctx.Done():
			o.giveUp(context.WithoutCancel(ctx))
			return Redeemed{}, ctx.Err()
		case <-time.After(every):
		}
		got, err := o.ask(ctx, false)
		var no *Refusal
		switch {
		case err == nil:
			return got, nil
		case ctx.Err() != nil: // above
		case errors.As(err, &no) && no.Code == wire.OpenSlower:
			every += 2 * time.Second
		case errors.As(err, &no) && (no.Code == wire.OpenWaiting || no.Code == "server"):
		case errors.Is(err, ErrUnreachable):
		default:
			return Redeemed{}, err
		}
		if time.Now().After(o.until) {
			return Redeemed{}, fmt.Errorf("%w: %w", ErrOpening, ErrNotTaken)
		}
	}
}

// giveUp is the best that can be done: the server forgets it by itself, too.
func (o *Opening) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, giveUpWithin)
	defer cancel()
	_, _ = o.ask(ctx, true)
}

func (o *Opening) ask(ctx context.Context, giveUp bool) (Redeemed, error) {
	q := wire.OpenedRequest{ID: o.ID, PublicKey: o.key.Public().(ed25519.PublicKey), GiveUp: giveUp}
	raw, err := o.server.post(ctx, http.ProxyFromEnvironment, wire.OpenedPath, wire.OpenLabel, ErrOpening, func(exported []byte) (any, error) {
		var err error
		q.Proof, err = record.SignBytes(o.key, record.TypeProof, wire.EnrollPayload(exported, q.PublicKey, q.Token()))
		return q, err
	})
	if err != nil {
		return Redeemed{}, err
	}
	r, err := decodeRedeemed(raw, time.Now())
	r.Host, r.Pinned = o.server.host, o.server.pin != nil
	return r, err
}
