package store

import (
	"errors"
	"time"

	"aval/agent/record"
)

// LogHead is the signed head of a device's log at one moment.
type LogHead struct {
	Size     int64
	Root     []byte // empty: there is no head
	Envelope []byte // signed by the device, see agent/record's Checkpoint
	At       time.Time
}

// DeviceLog is what is known of a device's log of records.
type DeviceLog struct {
	Kept LogHead // the newest of those that continue each other, from the first on
	// Other is the newest of those that do not continue Kept.
	Other LogHead
	// Broken is how often a head did not continue the newest one, since BrokenAt.
	Broken   int64
	BrokenAt time.Time
}

// Newest is the head that came last.
func (l DeviceLog) Newest() LogHead {
	if len(l.Other.Root) > 0 {
		return l.Other
	}
	return l.Kept
}

// DeviceLog returns what is known of a device's log; a zero one: nothing yet.
func (t *Tx) DeviceLog(company, device string) (l DeviceLog, err error) {
	err = t.one(`SELECT size, root, envelope, at, other_size, other_root, other_envelope, other_at, broken, broken_at
		FROM device_logs WHERE company = $1 AND device = $2`, []any{company, device},
		&l.Kept.Size, &l.Kept.Root, &l.Kept.Envelope, stamp{&l.Kept.At},
		&l.Other.Size, &l.Other.Root, &l.Other.Envelope, stamp{&l.Other.At}, &l.Broken, stamp{&l.BrokenAt})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return l, err
}

// SetDeviceLog puts l in the place of old, which must be what DeviceLog returned;
// false: meanwhile there is something else.
func (t *Tx) SetDeviceLog(company, device string, old, l DeviceLog) (bool, error) {
	for _, h := range []*LogHead{&l.Kept, &l.Other} {
		if h.Root == nil {
			h.Root, h.Envelope = []byte{}, []byte{}
		}
	}
	args := []any{company, device, l.Kept.Size, l.Kept.Root, l.Kept.Envelope, ns(l.Kept.At),
		l.Other.Size, l.Other.Root, l.Other.Envelope, ns(l.Other.At), l.Broken, ns(l.BrokenAt)}
	if len(old.Kept.Root) == 0 {
		n, err := t.exec(`INSERT INTO device_logs (company, device, size, root, envelope, at, other_size, other_root, other_envelope, other_at, broken, broken_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (company, device) DO NOTHING`, args...)
		return n > 0, err
	}
	n, err := t.exec(`UPDATE device_logs SET size = $3, root = $4, envelope = $5, at = $6,
			other_size = $7, other_root = $8, other_envelope = $9, other_at = $10, broken = $11, broken_at = $12
		WHERE company = $1 AND device = $2 AND size = $13 AND other_size = $14 AND broken = $15`,
		append(args, old.Kept.Size, old.Other.Size, old.Broken)...)
	return n > 0, err
}

// ProveAudit returns the signed head of a company's audit log, and the proof that
// it continues the log of since rows: none where it has fewer.
func (t *Tx) ProveAudit(company string, since int64) (h AuditHead, proof []record.Hash, err error) {
	if h, err = t.AuditHead(company); err == nil && since >= 0 && since <= h.Size {
		proof, err = record.ProveConsistency(h.Size, since, t.auditNodes(company))
	}
	return h, proof, err
}
