// Package record makes and verifies the signed records: grants, refusals,
// withdrawals and the rest. A record is a small fixed JSON body, signed as
// bytes in an envelope after DSSE (github.com/secure-systems-lab/dsse,
// envelope.md, pre-authentication encoding "DSSEv1").
//
// The one rule that must not be broken: verify first, then parse exactly the
// bytes that were verified; a record is never encoded again.
package record

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"aval/agent/strict"
)

// Type is the payload type of a record: each kind of record has its own, so
// that a signature over one can never pass for another.
type Type string

// The types of records.
const (
	TypeGrant        Type = "application/vnd.aval.grant.v1+json"
	TypeRefusal      Type = "application/vnd.aval.refusal.v1+json"
	TypeNoAnswer     Type = "application/vnd.aval.no-answer.v1+json"
	TypeConfirmation Type = "application/vnd.aval.confirmation.v1+json"
	TypeObjection    Type = "application/vnd.aval.objection.v1+json"
	TypeWithdrawal   Type = "application/vnd.aval.withdrawal.v1+json"
	TypeErasure      Type = "application/vnd.aval.erasure.v1+json"
	TypePolicy       Type = "application/vnd.aval.policy.v1+json"
	TypeRelease      Type = "application/vnd.aval.release.v1+json"
	TypeRequest      Type = "application/vnd.aval.request.v1+json"
	TypeModule       Type = "application/vnd.aval.module.v1+json"
	TypeCheckpoint   Type = "application/vnd.aval.checkpoint.v1+json"
	// TypeBatch signs a batch of events; its payload is wire.Batch, not JSON.
	TypeBatch Type = "application/vnd.aval.batch.v1+protobuf"
	// TypeProof signs the challenge that opens a connection.
	TypeProof Type = "application/vnd.aval.proof.v1"
)

// MaxEnvelope is the largest envelope that Open reads, in bytes.
const MaxEnvelope = 64 << 10

// Errors of Open and the Verify functions.
var (
	ErrMalformed  = errors.New("record is malformed")
	ErrSignature  = errors.New("record has no valid signature")
	ErrUnknownKey = errors.New("record is signed by an unknown key")
	ErrWrongType  = errors.New("record is of another type")
)

// Envelope is a signed record as it is stored and sent: JSON with base64 bytes.
type Envelope struct {
	PayloadType Type        `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// Signature is one signature over an envelope's payload.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// KeyID names an Ed25519 public key: the first 16 bytes of its SHA-256, in hex.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:16])
}

// PAE is the pre-authentication encoding: the bytes that are signed.
func PAE(typ Type, payload []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "DSSEv1 %d %s %d ", len(typ), typ, len(payload))
	b.Write(payload)
	return b.Bytes()
}

// SignBytes signs payload as a record of type typ and returns the bare
// signature. The signer must hold an Ed25519 key.
func SignBytes(signer crypto.Signer, typ Type, payload []byte) ([]byte, error) {
	if _, ok := signer.Public().(ed25519.PublicKey); !ok {
		return nil, fmt.Errorf("sign record: key is %T, not Ed25519", signer.Public())
	}
	return signer.Sign(rand.Reader, PAE(typ, payload), crypto.Hash(0))
}

// VerifyBytes checks a bare signature that SignBytes made.
func VerifyBytes(pub ed25519.PublicKey, typ Type, payload, sig []byte) bool {
	return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, PAE(typ, payload), sig)
}

// Sign encodes body as JSON, once, and returns the signed envelope's bytes. Each
// signer adds a signature over the same bytes.
func Sign(signer crypto.Signer, typ Type, body any, more ...crypto.Signer) ([]byte, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	env := Envelope{PayloadType: typ, Payload: payload}
	for _, s := range append([]crypto.Signer{signer}, more...) {
		sig, err := SignBytes(s, typ, payload)
		if err != nil {
			return nil, err
		}
		env.Signatures = append(env.Signatures, Signature{KeyID: KeyID(s.Public().(ed25519.PublicKey)), Sig: sig})
	}
	return json.Marshal(env)
}

// Only returns an envelope with the signature of one key alone, over the same
// bytes: what leaves for a company shows no key but the one that the company
// knows. An envelope with one signature is returned as it is.
func Only(raw []byte, keyID string) ([]byte, error) {
	var env Envelope
	if err := strict.Decode(raw, &env); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(env.Signatures) == 1 {
		return raw, nil
	}
	env.Signatures = slices.DeleteFunc(env.Signatures, func(s Signature) bool { return s.KeyID != keyID })
	if len(env.Signatures) != 1 {
		return nil, ErrUnknownKey
	}
	return json.Marshal(env)
}

// Keys finds a public key by its id. It returns nil for an unknown or revoked key.
type Keys func(keyID string) ed25519.PublicKey

// OneKey is Keys for a single known key.
func OneKey(pub ed25519.PublicKey) Keys {
	id := KeyID(pub)
	return func(keyID string) ed25519.PublicKey {
		if keyID == id {
			return pub
		}
		return nil
	}
}

// Open verifies an envelope and returns its type, its payload (exactly the
// bytes that were signed) and the id of the key that signed it. Any valid
// signature by a known key is enough.
func Open(raw []byte, keys Keys) (typ Type, payload []byte, keyID string, err error) {
	var env Envelope
	if len(raw) > MaxEnvelope {
		return "", nil, "", fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxEnvelope)
	}
	if err := strict.Decode(raw, &env); err != nil {
		return "", nil, "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(env.Signatures) == 0 || len(env.Signatures) > 8 {
		return "", nil, "", fmt.Errorf("%w: %d signatures", ErrMalformed, len(env.Signatures))
	}
	known := false
	for _, s := range env.Signatures {
		pub := keys(s.KeyID)
		if pub == nil {
			continue
		}
		known = true
		if VerifyBytes(pub, env.PayloadType, env.Payload, s.Sig) {
			return env.PayloadType, env.Payload, s.KeyID, nil
		}
	}
	if !known {
		return "", nil, "", ErrUnknownKey
	}
	return "", nil, "", ErrSignature
}

// Peek returns type and payload WITHOUT verifying: only to choose the keys to
// verify with, or to show a record that is already known to be in the own log.
func Peek(raw []byte) (Type, []byte, error) {
	var env Envelope
	if err := strict.Decode(raw, &env); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return env.PayloadType, env.Payload, nil
}
