package uplink

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"

	"aval/agent/record"
	"aval/agent/wire"
)

// ErrLeave wraps the server's sentence when it does not take note of a leaving.
var ErrLeave = errors.New("the company's server did not take note")

// Leave tells a server that a device, by its key, is the company's no more. A server
// that knows no such device answers with a Refusal; other errors may pass.
func Leave(ctx context.Context, server, pin, device string, key crypto.Signer) error {
	a, err := parseServer(server, pin)
	if err != nil {
		return err
	}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return fmt.Errorf("leave: device key is %T, not Ed25519", key.Public())
	}
	_, err = a.post(ctx, http.ProxyFromEnvironment, wire.LeavePath, wire.LeaveLabel, ErrLeave, func(exported []byte) (any, error) {
		proof, err := record.SignBytes(key, record.TypeProof, wire.EnrollPayload(exported, pub, device))
		return wire.LeaveRequest{Device: device, PublicKey: pub, Proof: proof}, err
	})
	return err
}
