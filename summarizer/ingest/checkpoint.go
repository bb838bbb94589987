package ingest

import (
	"context"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// unseen says that checkpoints are not taken, or not sent, on a connection.
const unseen = -1

// headOf reads the checkpoint of a device's log: signed by a key of it, of it, and
// short enough; else a refusal.
func headOf(f *wire.Checkpoint, keys record.Keys, co, device string) (h company.DeviceHead, err error) {
	c, root, err := record.OpenCheckpoint(f.GetEnvelope(), keys)
	switch {
	case err != nil:
		return h, openError(err, CodeMalformed)
	case c.Company != co:
		return h, no(CodeOtherCompany)
	case c.Device != device:
		return h, no(CodeOtherDevice)
	}
	proof, err := record.UnpackProof(f.GetProof())
	if err != nil {
		return h, no(CodeMalformed)
	}
	return company.DeviceHead{Size: c.Size, Root: root, Envelope: f.GetEnvelope(), Proof: proof, Since: f.GetSince()}, nil
}

// onCheckpoint keeps the head of the device's log. It is evidence, and nothing is
// decided by it: after one that could not be kept no more are read on this
// connection, for the agent proves what follows from what it has sent, and the next
// connection begins with what is kept.
func (c *conn) onCheckpoint(f *wire.Checkpoint) error {
	if !c.reaches() {
		c.refuse(CodeProtocol)
		return errGone
	}
	since := c.log
	if c.log = unseen; since == unseen || f.GetSince() != since {
		return nil
	}
	code, err := c.inTx(func(tx *store.Tx) error {
		keys, err := c.keys(tx)
		if err != nil {
			return err
		}
		h, err := headOf(f, keys, c.company, c.device)
		if err != nil {
			return err
		}
		known, err := c.co.TakeDeviceHead(tx, c.device, h)
		if known {
			since = h.Size
		} else {
			since = unseen // another connection of the device has shown more meanwhile
		}
		return err
	})
	switch {
	case err != nil:
		c.s.o.Log.Error("keep checkpoint", "device", c.device, "err", err)
	case code == CodeUnknownDevice:
		c.refuse(code)
		return errGone
	case code != "":
		c.s.o.Log.Warn("rejected checkpoint", "device", c.device, "code", string(code))
	default:
		c.log = since
	}
	return nil
}

// tellAudit sends the head of the company's audit log to a device that keeps one:
// from then on it is a witness of it.
func (c *conn) tellAudit() {
	since := c.shown
	if since == unseen {
		return
	}
	c.shown = unseen
	ctx, cancel := context.WithTimeout(c.s.ctx, storeWithin)
	defer cancel()
	head, proof, err := c.co.AuditHead(ctx, since)
	if err != nil {
		c.s.o.Log.Error("show audit log", "device", c.device, "err", err)
		return
	}
	if len(head) > 0 {
		_ = c.send(&wire.Frame{Body: &wire.Frame_Checkpoint{Checkpoint: &wire.Checkpoint{Envelope: head, Proof: record.PackProof(proof), Since: since}}})
	}
}
