package company

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/http"

	"aval/agent/record"
	"aval/agent/strict"
	"aval/agent/wire"
	"aval/summarizer/store"
)

var errUnknownDevice = refuse(http.StatusForbidden, "device-unknown", "This computer is not known here.")

// Leave answers POST /leave: see wire.LeaveRequest. It only ever takes something
// away: the device's right to connect and to sign. What it sent stays. Of a computer on
// which somebody was signed in to an account it says that they have signed out.
func (h *Host) Leave() http.Handler {
	return h.proven("leave", wire.LeaveLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		q, err := DecodeLeave(raw)
		if err != nil || !proved(q.PublicKey, q.Device, exported, q.Proof) {
			return nil, errProof
		}
		s, err := h.belongs(r.Context(), func(tx *store.Tx) (string, error) { return tx.CompanyOfDevice(q.Device) })
		if errors.Is(err, store.ErrNotFound) {
			return nil, errUnknownDevice
		}
		if err != nil {
			return nil, err
		}
		err = h.db.Tx(r.Context(), func(tx *store.Tx) error {
			key, err := tx.KeyOf(s.id, q.Device, record.KeyID(q.PublicKey))
			if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(key, q.PublicKey) {
				return errUnknownDevice
			}
			if err != nil {
				return err
			}
			d, err := tx.Device(s.id, q.Device)
			switch {
			case err != nil:
				return err
			case d.Code != "":
				return errUnknownDevice // the key of one session ends with it
			case !d.LeftAt.IsZero():
				return nil
			}
			now := s.now()
			if err := tx.LeaveDevice(s.id, d.ID, now); err != nil {
				return err
			}
			action := "device-left"
			if d.Account != "" {
				action = "device-signed-out"
			}
			return tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "device:" + d.ID, Action: action, Subject: d.ID, Detail: d.Account})
		})
		return struct{}{}, err
	})
}

// DecodeLeave reads a request to leave: strict JSON, key and proof of their right
// lengths.
func DecodeLeave(raw []byte) (wire.LeaveRequest, error) {
	var q wire.LeaveRequest
	if err := strict.Decode(raw, &q); err != nil {
		return wire.LeaveRequest{}, err
	}
	if q.Device == "" || len(q.Device) > maxModuleID || len(q.PublicKey) != ed25519.PublicKeySize || len(q.Proof) != ed25519.SignatureSize {
		return wire.LeaveRequest{}, errors.New("device, key or proof is missing")
	}
	return q, nil
}
