package uplink

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"aval/agent/record"
	"aval/agent/wire"
)

// ErrSessionCode wraps the server's sentence when it refuses a session code.
var ErrSessionCode = errors.New("the support's server refused the code")

// Redeemed is what a session code came to.
type Redeemed struct {
	Device    string            // id of the key's holder
	ServerKey ed25519.PublicKey // signs the request
	Request   record.Request    // verified
	Envelope  []byte            // of the request
	// Host is the server's, as TLS has verified it: by an authority that this
	// computer trusts, or, where the code brought a pin, by that alone.
	Host   string
	Pinned bool
}

// Redeem has a server certify key, which must be made for this session alone,
// for the session that the code asks for. module is the id of the module that it
// was entered in; empty: none. It needs no rights. Its errors wrap
// ErrUnreachable, ErrProxy, ErrCertificate or ErrSessionCode and are sentences
// for the person who entered the code.
func Redeem(ctx context.Context, code wire.Code, key crypto.Signer, build, module string) (Redeemed, error) {
	none := Redeemed{}
	a, err := parseServer(code.Server, code.Pin)
	if err != nil {
		return none, err
	}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return none, fmt.Errorf("redeem code: the session's key is %T, not Ed25519", key.Public())
	}
	raw, err := a.post(ctx, http.ProxyFromEnvironment, wire.RedeemPath, wire.RedeemLabel, ErrSessionCode, func(exported []byte) (any, error) {
		proof, err := record.SignBytes(key, record.TypeProof, wire.EnrollPayload(exported, pub, code.Secret))
		return wire.RedeemRequest{Code: code.Secret, PublicKey: pub, AgentVersion: build, Proof: proof, Module: module}, err
	})
	if err != nil {
		return none, err
	}
	r, err := decodeRedeemed(raw, time.Now())
	if err != nil {
		return none, err
	}
	r.Host, r.Pinned = a.host, a.pin != nil
	return r, nil
}

// decodeRedeemed reads and verifies the answer.
func decodeRedeemed(raw []byte, now time.Time) (Redeemed, error) {
	var r wire.RedeemReply
	if err := json.Unmarshal(raw, &r); err != nil || len(r.ServerKey) != ed25519.PublicKeySize {
		return Redeemed{}, fmt.Errorf("%w: its answer cannot be read; is it an Aval summarizer of this version?", ErrSessionCode)
	}
	req, err := record.OpenRequest(r.Request, r.ServerKey, r.Company, r.Device)
	if err != nil {
		return Redeemed{}, fmt.Errorf("%w: %w", ErrSessionCode, err)
	}
	if !now.Before(req.Expires) {
		return Redeemed{}, fmt.Errorf("%w: by this computer's clock it has expired; is the clock right?", ErrSessionCode)
	}
	return Redeemed{Device: r.Device, ServerKey: r.ServerKey, Request: req, Envelope: r.Request}, nil
}
