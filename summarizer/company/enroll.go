package company

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"aval/agent/record"
	"aval/agent/strict"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// maxTry is the longest name of a try, in bytes.
const maxTry = 64

// Enroll answers POST /enroll: see wire.EnrollRequest.
func (h *Host) Enroll() http.Handler {
	return h.proven("enrol", wire.EnrollLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		reply, err := h.enroll(r.Context(), raw, exported)
		if err != nil {
			return nil, err
		}
		h.log.Info("device enrolled", "device", reply.Device)
		return reply, nil
	})
}

func (h *Host) enroll(ctx context.Context, raw, exported []byte) (wire.EnrollReply, error) {
	none := wire.EnrollReply{}
	req, err := DecodeEnroll(raw)
	if err != nil {
		return none, errMalformed
	}
	if !record.VerifyBytes(req.DevicePublicKey, record.TypeProof, wire.EnrollPayload(exported, req.DevicePublicKey, req.Token), req.Proof) {
		return none, refuse(http.StatusForbidden, "proof",
			"The device's key was not proved on this connection: something between computer and server opens the TLS connection. Let this address through unopened.")
	}
	now := h.now()
	s, err := h.belongs(ctx, func(tx *store.Tx) (string, error) { t, err := tx.EnrolToken(Hash(req.Token)); return t.Company, err })
	if errors.Is(err, store.ErrNotFound) {
		return none, refuse(http.StatusForbidden, "token-unknown", "This enrolment token is not known here; ask the administrator for a new one.")
	}
	if err != nil {
		return none, err
	}
	reply := wire.EnrollReply{Company: s.id, ServerKey: s.PublicKey()}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		reply.CompanyName = c.Name
		if reply.ReleaseKey = decodeSettings(c.Settings).ReleaseKey; len(reply.ReleaseKey) == 0 {
			reply.ReleaseKey = s.PublicKey() // a small set-up
		}
		if reply.Device, err = s.enrolled(tx, req, now); err != nil {
			return err
		}
		reply.Options, err = s.OptionsIn(tx, reply.Device)
		return err
	})
	if err != nil {
		return none, err
	}
	return reply, nil
}

// enrolled is the device that a computer is by a token: a new one, or the one that
// it became in the same try, whose answer was lost.
func (s *Service) enrolled(tx *store.Tx, req wire.EnrollRequest, now time.Time) (device string, err error) {
	t, err := tx.EnrolToken(Hash(req.Token))
	if err != nil {
		return "", err
	}
	keyID := record.KeyID(req.DevicePublicKey)
	d, token, try, err := tx.EnrolledKey(s.id, keyID)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return "", err
	case d.ID == t.Device && t.Uses == 1 || token == t.ID && t.ID != "" && try == req.Try && try != "":
		if now.Before(t.ExpiresAt) && t.RevokedAt.IsZero() {
			return d.ID, nil
		}
	case t.Uses == 1:
		// The administrator means this very computer.
	case !d.LastSeenAt.IsZero():
		return "", refuse(http.StatusForbidden, "key-taken", "A computer with the same key is enrolled already: this one is a copy of it. "+
			"Give the copy an identity of its own (on Linux a new /etc/machine-id) and restart Aval; "+
			"if it is the same computer, revoke it in the console first, or use a token for one computer.")
	default:
		// Nobody has come with it yet. Of two copies that ask at the same time one stays.
		if err := tx.RevokeDevice(s.id, d.ID, now); err != nil {
			return "", err
		}
		if err := tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "device:" + d.ID, Action: "device-replaced", Subject: d.ID, Detail: t.ID}); err != nil {
			return "", err
		}
	}
	device = store.NewID(now)
	if t, err = tx.UseEnrolToken(Hash(req.Token), device, now); errors.Is(err, store.ErrNotFound) {
		return "", s.whyNoToken(tx, req.Token, now)
	} else if err != nil {
		return "", err
	}
	name := cleanName(req.Hostname)
	if err := tx.InsertDevice(store.Device{ID: device, Company: s.id, Name: name, Search: fold(name), AgentVersion: cleanName(req.AgentVersion), EnrolledAt: now},
		keyID, req.DevicePublicKey); err != nil {
		return "", err
	}
	if err := tx.EnrolledBy(s.id, device, t.ID, req.Try, t.Group); err != nil {
		return "", err
	}
	return device, tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "device:" + device, Action: "device-enrolled", Subject: device, Detail: t.ID})
}

// whyNoToken explains a token that cannot be used.
func (s *Service) whyNoToken(tx *store.Tx, token string, now time.Time) error {
	t, err := tx.EnrolToken(Hash(token))
	switch {
	case err != nil:
		return err
	case !t.RevokedAt.IsZero():
		return refuse(http.StatusForbidden, "token-revoked", "This enrolment token has been revoked; ask the administrator for a new one.")
	case t.Used < t.Uses:
		return refuse(http.StatusForbidden, "token-expired", "This enrolment token has expired; ask the administrator for a new one.")
	case t.Uses > 1:
		return refuse(http.StatusForbidden, "token-used", fmt.Sprintf("This enrolment token has been used for all of its %d computers. Ask the administrator for a new one.", t.Uses))
	}
	return refuse(http.StatusForbidden, "token-used", "This enrolment token has been used already; each enrols one computer. Ask the administrator for a new one.")
}

// DecodeEnroll reads a request to enrol: strict JSON, key and proof of their
// right lengths.
func DecodeEnroll(raw []byte) (wire.EnrollRequest, error) {
	var req wire.EnrollRequest
	if err := strict.Decode(raw, &req); err != nil {
		return wire.EnrollRequest{}, err
	}
	if len(req.Try) > maxTry || len(req.DevicePublicKey) != ed25519.PublicKeySize || len(req.Proof) != ed25519.SignatureSize || req.Token == "" {
		return wire.EnrollRequest{}, errors.New("token, key or proof is missing")
	}
	return req, nil
}

// cleanName keeps what a device says of itself printable and short.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if rs := []rune(s); len(rs) > 100 {
		s = string(rs[:100])
	}
	return s
}
