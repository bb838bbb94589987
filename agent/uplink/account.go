package uplink

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"aval/agent/record"
	"aval/agent/wire"
)

// ErrSignIn wraps the server's sentence when it refuses to sign a computer in.
var ErrSignIn = errors.New("the company's server refused to sign this computer in")

// ErrNotApproved: the codes have expired.
var ErrNotApproved = errors.New("nobody has approved this computer in time")

// Account is what a computer keeps that is signed in to a user's account.
type Account struct {
	Enrolment
	User string // whose it is, as the server calls them
	Host string // the server's, as TLS has verified it
}

// SignIn is one that waits for its user.
type SignIn struct {
	wire.SignInReply
	server address
	key    ed25519.PrivateKey
	build  string
}

// StartSignIn asks a server for codes. key must be made for this account alone.
// Its errors are sentences for the person who signs in, as those of Enroll.
func StartSignIn(ctx context.Context, server, pin string, key ed25519.PrivateKey, build string) (*SignIn, error) {
	a, err := parseServer(server, pin)
	if err != nil {
		return nil, err
	}
	pub := key.Public().(ed25519.PublicKey)
	name, _ := os.Hostname() // empty is fine: it is a label
	raw, err := a.post(ctx, http.ProxyFromEnvironment, wire.SignInPath, wire.AccountLabel, ErrSignIn, func(exported []byte) (any, error) {
		proof, err := record.SignBytes(key, record.TypeProof, wire.EnrollPayload(exported, pub, ""))
		return wire.SignInRequest{PublicKey: pub, AgentVersion: build, Name: name, Proof: proof}, err
	})
	if err != nil {
		return nil, err
	}
	s := &SignIn{server: a, key: key, build: build}
	if s.SignInReply, err = decodeSignIn(raw); err != nil {
		return nil, err
	}
	return s, nil
}

// decodeSignIn reads the codes: a user code of the one form, and bounds within
// which a computer may wait.
func decodeSignIn(raw []byte) (wire.SignInReply, error) {
	var r wire.SignInReply
	err := json.Unmarshal(raw, &r)
	if err == nil {
		_, err = wire.ParseSecret(r.UserCode)
	}
	if err != nil || r.DeviceCode == "" || r.Interval < 1 || r.Interval > 60 || r.ExpiresIn < 1 || r.ExpiresIn > 3600 {
		return wire.SignInReply{}, fmt.Errorf("%w: its answer cannot be read; is it an Aval summarizer of this version?", ErrSignIn)
	}
	return r, nil
}

// Wait asks until the user has approved, or refused, or the codes have expired.
// While the server cannot be reached it goes on asking.
func (s *SignIn) Wait(ctx context.Context) (Account, error) {
	every := time.Duration(s.Interval) * time.Second
	end := time.Now().Add(time.Duration(s.ExpiresIn) * time.Second)
	for {
		select {
		case <-ctx.Done():
			return Account{}, ctx.Err()
		case <-time.After(every):
		}
		got, err := s.ask(ctx)
		var no *Refusal
		switch {
		case err == nil:
			return got, nil
		case errors.As(err, &no) && no.Code == wire.SignInSlower:
			every += 5 * time.Second // RFC 8628, section 3.5
		case errors.As(err, &no) && (no.Code == wire.SignInPending || no.Code == "server"):
		case errors.Is(err, ErrUnreachable) && ctx.Err() == nil:
		default:
			return Account{}, err
		}
		if time.Now().After(end) {
			return Account{}, fmt.Errorf("%w: %w", ErrSignIn, ErrNotApproved)
		}
	}
}

func (s *SignIn) ask(ctx context.Context) (Account, error) {
	pub := s.key.Public().(ed25519.PublicKey)
	raw, err := s.server.post(ctx, http.ProxyFromEnvironment, wire.AccountPath, wire.AccountLabel, ErrSignIn, func(exported []byte) (any, error) {
		proof, err := record.SignBytes(s.key, record.TypeProof, wire.EnrollPayload(exported, pub, s.DeviceCode))
		return wire.AccountRequest{DeviceCode: s.DeviceCode, PublicKey: pub, Proof: proof}, err
	})
	if err != nil {
		return Account{}, err
	}
	e, err := decodeReply(raw)
	if err != nil {
		return Account{}, err
	}
	var user struct {
		User string `json:"user"`
	}
	err = json.Unmarshal(raw, &user)
	return Account{e, user.User, s.server.host}, err
}
