package company

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"aval/agent/record"
	"aval/summarizer/store"
)

// maxBroken is how often the audit log is told that a device's log was broken: one
// that is put back over and over must not fill it.
const maxBroken = 20

// LogBreak is what became of a device's log of records that does not continue what
// the company has seen of it: the device was put back from a copy, or its log was
// written anew. What it sent before and after stays what it is.
type LogBreak struct {
	At    time.Time `json:"at"`    // first
	Times int64     `json:"times"` // how often it did not continue what it showed last
	// Kept is the newest signed head of those that continue each other from the
	// first one on, Other the newest of those that do not.
	Kept  LogHead `json:"kept"`
	Other LogHead `json:"other"`
}

// LogHead is a device's log at one moment.
type LogHead struct {
	At   time.Time `json:"at"`
	Size int64     `json:"size"` // records
	Root string    `json:"root"` // SHA-256, hex
	// Envelope is signed by the device: a record of type checkpoint.
	Envelope []byte `json:"envelope"`
}

func headOf(h store.LogHead) LogHead {
	return LogHead{At: h.At, Size: h.Size, Root: fmt.Sprintf("%x", h.Root), Envelope: h.Envelope}
}

// DeviceHead is the head of a device's log as it was received, and verified: at is
// when it came.
type DeviceHead struct {
	Size     int64
	Root     record.Hash
	Envelope []byte
	Proof    []record.Hash // that it continues the log of Since
	Since    int64
}

// TakeDeviceHead keeps the head of a device's log where it continues the newest one.
// One that does not is kept beside the last that did, and the audit log says so;
// nothing else comes of it. false: it speaks of another head than the newest one,
// and nothing is known by it.
func (s *Service) TakeDeviceHead(tx *store.Tx, device string, h DeviceHead) (bool, error) {
	old, err := tx.DeviceLog(s.id, device)
	if err != nil {
		return false, err
	}
	last := old.Newest()
	if last.Size != h.Since {
		return false, nil
	}
	root := record.Hash(sha256.Sum256(nil)) // of nothing
	if len(last.Root) == len(root) {
		root = record.Hash(last.Root)
	}
	now, head := s.now(), store.LogHead{Size: h.Size, Root: h.Root[:], Envelope: h.Envelope, At: s.now()}
	l := old
	switch continues := record.CheckConsistency(h.Proof, h.Size, h.Root, last.Size, root) == nil; {
	case continues && len(old.Other.Root) == 0:
		l.Kept = head
	case continues:
		l.Other = head
	default:
		l.Other = head
		if l.Broken++; l.BrokenAt.IsZero() {
			l.BrokenAt = now
		}
		if l.Broken <= maxBroken {
			err := tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "device:" + device, Action: "log-broken", Subject: device,
				Detail: "its log of records does not continue what it showed before",
				Before: fmt.Sprintf("%d records, %x", last.Size, last.Root), After: fmt.Sprintf("%d records, %x", h.Size, h.Root)})
			if err != nil {
				return false, err
			}
		}
	}
	return tx.SetDeviceLog(s.id, device, old, l)
}

// AuditHead returns the signed head of the company's audit log as it is committed,
// and the proof that it continues the log of since rows. nil: there is none.
func (s *Service) AuditHead(ctx context.Context, since int64) (head []byte, proof []record.Hash, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		h, p, err := tx.ProveAudit(s.id, since)
		head, proof = h.Head, p
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("show audit log: %w", err)
	}
	return head, proof, nil
}
