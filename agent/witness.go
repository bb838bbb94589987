package agent

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/wire"
)

// docAudit is the document with what this computer saw of its company's audit log.
const docAudit = "audit"

// showLog is how often the company of this computer is shown the signed size and
// root of its log of records.
const showLog = time.Minute

// auditSeen are the heads of the company's audit log, as the company signed them.
type auditSeen struct {
	Company string `json:"company"`
	// Kept is the newest of those that continue each other, from the first on.
	Kept []byte `json:"kept"`
	// Other is the newest of those that do not continue Kept; none: there was none.
	Other []byte `json:"other,omitempty"`
	// BrokenAt is when the first of them came.
	BrokenAt time.Time `json:"broken_at,omitzero"`
}

// newest is the head that came last.
func (s auditSeen) newest() []byte {
	if len(s.Other) > 0 {
		return s.Other
	}
	return s.Kept
}

// readAudit reads what was seen of the company's audit log, and its newest head;
// nothing, where it is of another company, or damaged: what is seen next is then the
// first. Any goroutine may call it.
func (a *Agent) readAudit(c *company) (s auditSeen, h record.AuditHead, root record.Hash) {
	raw, err := a.store.Doc(docAudit)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil && s.Company == c.Company {
		if h, root, err = record.OpenAuditHead(s.newest(), record.OneKey(c.ServerKey)); err == nil {
			return s, h, root
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("read audit head", "err", err)
	}
	return auditSeen{Company: c.Company}, record.AuditHead{}, sha256.Sum256(nil) // the root of no rows
}

// takeAudit keeps the head of the company's audit log where it continues the newest
// one. One that does not is kept beside the last that did, and told: nothing else
// comes of it.
func (a *Agent) takeAudit(c *company, f *wire.Checkpoint) {
	h, root, err := record.OpenAuditHead(f.GetEnvelope(), record.OneKey(c.ServerKey))
	proof, perr := record.UnpackProof(f.GetProof())
	if err = errors.Join(err, perr); err != nil || h.Company != c.Company {
		a.log.Warn("audit head refused", "err", err)
		return
	}
	s, last, lastRoot := a.readAudit(c)
	if a.company != c || f.GetSince() != last.Size {
		return // of another moment than what is known
	}
	switch continues := record.CheckConsistency(proof, h.Size, root, last.Size, lastRoot) == nil; {
	case continues && len(s.Other) == 0:
		s.Kept = f.GetEnvelope()
	case continues:
		s.Other = f.GetEnvelope()
	default:
		a.log.Error("the company's audit log does not continue what this computer saw of it", "seen", last.Size, "seen_at", last.At, "shown", h.Size, "shown_at", h.At)
		if s.Other = f.GetEnvelope(); s.BrokenAt.IsZero() {
			s.BrokenAt = time.Now().UTC()
		}
	}
	raw, err := json.Marshal(s)
	if err == nil {
		err = a.store.PutDoc(docAudit, raw)
	}
	if err != nil {
		a.log.Error("keep audit head", "err", err)
	}
}

// auditBreak is what is told of an audit log that does not continue what was seen;
// nil: nothing.
func (a *Agent) auditBreak(c *company) *ipc.AuditBreak {
	s, other, _ := a.readAudit(c)
	if len(s.Other) == 0 {
		return nil
	}
	kept, _, err := record.OpenAuditHead(s.Kept, record.OneKey(c.ServerKey))
	if err != nil {
		return nil // it was verified when it was kept, and the document is sound
	}
	return &ipc.AuditBreak{At: s.BrokenAt, SeenAt: kept.At, Seen: kept.Size, ShownAt: other.At, Shown: other.Size}
}
