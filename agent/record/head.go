package record

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"time"
)

// Limits of a checkpoint that is read.
const (
	// MaxProof is how many hashes a proof may have: more than the longest log needs.
	MaxProof = 64
	// MaxLog is how many entries a log may have: more than anybody writes, and
	// far from where counting its nodes overflows.
	MaxLog = 1 << 40
)

// TypeAudit is the type of the signed head of a company's audit log.
const TypeAudit Type = "application/vnd.aval.audit.v1+json"

// AuditHead is the body of TypeAudit: the log at one moment. Who keeps one can
// show later that a row before it was changed, whoever holds the company's key.
type AuditHead struct {
	V       int       `json:"v"`
	Company string    `json:"company"`
	At      time.Time `json:"at"`
	Size    int64     `json:"size"`
	Root    string    `json:"root"` // SHA-256, hex
}

// SignAuditHead signs the head of a company's audit log.
func SignAuditHead(signer crypto.Signer, company string, at time.Time, size int64, root Hash) ([]byte, error) {
	return Sign(signer, TypeAudit, AuditHead{V: 1, Company: company, At: at.UTC(), Size: size, Root: hex.EncodeToString(root[:])})
}

// OpenAuditHead verifies a head that a company signed.
func OpenAuditHead(raw []byte, keys Keys) (h AuditHead, root Hash, err error) {
	if _, err = OpenAs(raw, keys, TypeAudit, &h); err != nil {
		return AuditHead{}, Hash{}, err
	}
	b, err := hex.DecodeString(h.Root)
	if err != nil || len(b) != len(root) || h.V != 1 || h.Company == "" || h.Size < 0 || h.Size > MaxLog {
		return AuditHead{}, Hash{}, fmt.Errorf("%w: head of an audit log", ErrMalformed)
	}
	return h, Hash(b), nil
}

// PackProof is a proof as it travels.
func PackProof(proof []Hash) (out [][]byte) {
	for _, h := range proof {
		out = append(out, h[:])
	}
	return out
}

// UnpackProof reads what PackProof made; ErrMalformed.
func UnpackProof(raw [][]byte) (proof []Hash, err error) {
	if len(raw) > MaxProof {
		return nil, fmt.Errorf("%w: a proof of %d hashes", ErrMalformed, len(raw))
	}
	for _, b := range raw {
		if len(b) != len(Hash{}) {
			return nil, fmt.Errorf("%w: a hash of %d bytes", ErrMalformed, len(b))
		}
		proof = append(proof, Hash(b))
	}
	return proof, nil
}
