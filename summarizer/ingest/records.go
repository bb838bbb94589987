package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// body is what the server reads of any record that is no grant.
type body struct {
	record.Head
	Grant string `json:"grant"`
	Erase bool   `json:"erase"`
}

// open verifies a record and decodes it strictly as the type that it has.
func open(raw []byte, keys record.Keys) (record.Type, body, error) {
	typ, _, err := record.Peek(raw) // only to choose the body; verified below
	if err != nil {
		return "", body{}, no(CodeBadRecord)
	}
	var b body
	switch typ {
	case record.TypeRefusal:
		var r record.Refusal
		_, err = record.OpenAs(raw, keys, typ, &r)
		b.Head = r.Head
	case record.TypeNoAnswer:
		var r record.NoAnswer
		_, err = record.OpenAs(raw, keys, typ, &r)
		b.Head = r.Head
	case record.TypeObjection:
		var r record.Objection
		_, err = record.OpenAs(raw, keys, typ, &r)
		b = body{Head: r.Head, Grant: r.Grant}
	case record.TypeWithdrawal:
		var r record.Withdrawal
		_, err = record.OpenAs(raw, keys, typ, &r)
		b = body{Head: r.Head, Grant: r.Grant, Erase: r.Erase}
	case record.TypeErasure:
		var r record.Erasure
		_, err = record.OpenAs(raw, keys, typ, &r)
		b = body{Head: r.Head, Grant: r.Grant, Erase: true}
	default:
		return "", body{}, no(CodeBadRecord)
	}
	if err != nil {
		return "", body{}, openError(err, CodeBadRecord)
	}
	return typ, b, nil
}

// onRecord verifies a record, keeps it and does what it says, in one transaction.
func (c *conn) onRecord(w *wire.Record) error {
	now := c.s.o.Now()
	erased := false
	code, err := c.inTx(func(tx *store.Tx) error {
		keys, err := c.keys(tx)
		if err != nil {
			return err
		}
		typ, b, err := open(w.GetEnvelope(), keys)
		if err != nil {
			return err
		}
		needsGrant := typ == record.TypeWithdrawal || typ == record.TypeObjection || typ == record.TypeErasure
		switch {
		case b.Company != c.company:
			return no(CodeOtherCompany)
		case b.Device != c.device:
			return no(CodeOtherDevice)
		case b.V != 1 || b.ID != w.GetId() || !isID(b.ID) || !isName(b.Session) || b.At.IsZero():
			return no(CodeBadRecord)
		case needsGrant && !isID(b.Grant):
			return no(CodeBadRecord)
		}
		k := store.Key{Company: b.Company, Device: b.Device, Session: b.Session}
		err = tx.InsertRecord(store.Record{Key: k, ID: b.ID, Type: typ, MadeAt: b.At, ReceivedAt: now, Envelope: w.GetEnvelope()})
		if errors.Is(err, store.ErrExists) {
			old, err := tx.Record(b.Company, b.Device, b.ID)
			if err == nil && !bytes.Equal(old.Envelope, w.GetEnvelope()) {
				return no(CodeEquivocation)
			}
			return err // said twice
		}
		if err != nil {
			return err
		}
		erased, err = c.apply(tx, typ, k, b, now)
		return err
	})
	c.audit(code, w.GetId())
	if erased && code == "" {
		// The log is flushed before the acknowledgement says that it is gone.
		if ferr := c.s.db.Flush(c.s.ctx); ferr != nil && !errors.Is(ferr, store.ErrBusy) {
			c.s.o.Log.ErrorContext(c.context(), "flush after erasing", "device", c.device, "err", ferr)
		}
	}
	return c.answer(code, err, w.GetId(), 0, &wire.Frame{Body: &wire.Frame_RecordAck{RecordAck: &wire.RecordAck{Id: w.GetId()}}})
}

// apply does what a record says. A record that names another session's grant
// changes nothing there: the key is the session's.
func (c *conn) apply(tx *store.Tx, typ record.Type, k store.Key, b body, now time.Time) (erased bool, err error) {
	switch typ {
	case record.TypeObjection:
		if err := tx.ObjectStream(k, b.At); err != nil {
			return false, err
		}
		return false, c.note(tx, "objected", k, b, now)
	case record.TypeWithdrawal, record.TypeErasure:
		if err := tx.WithdrawStream(k, b.Grant, b.At); err != nil {
			return false, err
		}
		if b.Erase {
			if _, err := tx.EraseStream(k, now); err != nil {
				return false, err
			}
			return true, c.note(tx, "session-erased", k, b, now)
		}
		s, err := tx.Stream(k)
		if err == nil && s.Acked > 0 && s.ErasedAt.IsZero() {
			// What came before the withdrawal is summarised; nothing follows.
			if err := tx.EndStream(k, b.At, "withdrawn"); err != nil {
				return false, err
			}
			if err := tx.AddJob(store.JobSummary, k, now); err != nil {
				return false, err
			}
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		return false, c.note(tx, "withdrawn", k, b, now)
	}
	return false, nil
}

func (c *conn) note(tx *store.Tx, action string, k store.Key, b body, now time.Time) error {
	return tx.AddAudit(store.Audit{Company: c.company, At: now, Actor: "device:" + c.device, Action: action, Subject: k.Ref(), Detail: b.ID})
}

// peekID is the id that an unverified envelope claims, to answer by it.
func peekID(raw []byte) string {
	if len(raw) > record.MaxEnvelope {
		return ""
	}
	_, payload, err := record.Peek(raw)
	if err != nil {
		return ""
	}
	var h struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(payload, &h) != nil {
		return ""
	}
	return h.ID
}
