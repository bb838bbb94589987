package ingest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// MaxDelay is how long after an event it may arrive, by the device's own clock:
// one that is set wrong is noted with the device and is no reason to refuse.
const MaxDelay = 30 * 24 * time.Hour

// maxName is the longest id or session name, in bytes.
const maxName = 200

// grant is one that was announced on this connection.
type grant struct {
	key  store.Key
	body record.Grant
}

// kind names a frame in traces.
func kind(f *wire.Frame) string {
	switch f.GetBody().(type) {
	case *wire.Frame_Open:
		return "open"
	case *wire.Frame_Batch:
		return "batch"
	case *wire.Frame_Record:
		return "record"
	case *wire.Frame_SummaryAck, *wire.Frame_RequestAck:
		return "acknowledgement"
	case *wire.Frame_Checkpoint:
		return "checkpoint"
	}
	return "unknown"
}

// handle takes one frame; an error ends the connection.
func (c *conn) handle(f *wire.Frame) error {
	ctx, span := c.s.o.Tracer.Start(c.s.ctx, "ingest "+kind(f), trace.WithSpanKind(trace.SpanKindServer))
	c.frame = ctx
	defer func() { c.frame = nil; span.End() }()
	switch b := f.GetBody().(type) {
	case *wire.Frame_Open:
		return c.onOpen(b.Open.GetGrant(), b.Open.GetAnswer())
	case *wire.Frame_Batch:
		return c.onBatch(b.Batch)
	case *wire.Frame_Record:
		return c.onRecord(b.Record)
	case *wire.Frame_SummaryAck:
		return c.onSummaryAck(b.SummaryAck)
	case *wire.Frame_RequestAck:
		return c.onRequestAck(b.RequestAck.GetId())
	case *wire.Frame_Reach:
		return c.onReach(b.Reach)
	case *wire.Frame_Checkpoint:
		return c.onCheckpoint(b.Checkpoint)
	}
	c.refuse(CodeProtocol)
	return errGone
}

// answer sends what a transaction came to: done where it was committed, else the
// refusal. Only the code, the device and an id that is no text are logged.
func (c *conn) answer(code Code, err error, id string, first uint64, done *wire.Frame) error {
	span := trace.SpanFromContext(c.context())
	if code != "" {
		span.SetAttributes(attribute.String("aval.refused", string(code)))
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
		c.s.o.Log.ErrorContext(c.context(), "store", "device", c.device, "err", err)
	}
	if code == "" {
		return c.send(done)
	}
	if !isID(id) {
		id = ""
	}
	c.s.o.Log.WarnContext(c.context(), "rejected", "device", c.device, "code", string(code), "id", id)
	if code == CodeUnknownDevice {
		c.refuse(code)
		return errGone
	}
	return c.send(reject(id, first, code))
}

// keys finds the device's keys as they are now: revocation takes effect with the
// next frame.
func (c *conn) keys(tx *store.Tx) (record.Keys, error) {
	m, err := tx.DeviceKeys(c.company, c.device)
	if err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return nil, no(CodeUnknownDevice)
	}
	return func(id string) ed25519.PublicKey { return m[id] }, nil
}

// onBatch verifies a batch and stores all of it, or nothing.
func (c *conn) onBatch(sb *wire.SignedBatch) error {
	raw, code := c.unpack(sb)
	if code != "" {
		return c.answer(code, nil, "", 0, nil)
	}
	b := &wire.Batch{}
	var last uint64
	now := c.s.o.Now()
	code, err := c.inTx(func(tx *store.Tx) error {
		keys, err := c.keys(tx)
		if err != nil {
			return err
		}
		key := keys(sb.GetKeyId())
		if key == nil {
			return no(CodeUnknownKey)
		}
		if !record.VerifyBytes(key, record.TypeBatch, raw, sb.GetSignature()) {
			return no(CodeSignature)
		}
		// Verified first, then read: exactly these bytes.
		if proto.Unmarshal(raw, b) != nil {
			return no(CodeMalformed)
		}
		last, err = c.store(tx, b, raw, now)
		return err
	})
	if code == "" {
		c.s.taken.Add(1)
		c.s.events.Add(int64(len(b.GetEvents())))
		trace.SpanFromContext(c.context()).SetAttributes(attribute.Int("aval.events", len(b.GetEvents())), attribute.Int("aval.bytes", len(raw)))
	} else {
		c.s.refused.Add(1)
	}
	c.audit(code, b.GetGrantId())
	return c.answer(code, err, b.GetGrantId(), b.GetFirstSeq(),
		&wire.Frame{Body: &wire.Frame_Ack{Ack: &wire.Ack{GrantId: b.GetGrantId(), Seq: last}}})
}

// unpack returns the signed bytes.
func (c *conn) unpack(sb *wire.SignedBatch) ([]byte, Code) {
	raw := sb.GetBatch()
	switch sb.GetCompression() {
	case wire.Compression_NONE:
	case wire.Compression_ZSTD:
		var err error
		if raw, err = c.s.dec.DecodeAll(raw, nil); err != nil {
			return nil, CodeMalformed
		}
	default:
		return nil, CodeMalformed
	}
	if len(raw) == 0 || len(raw) > wire.MaxBatchBytes {
		return nil, CodeMalformed
	}
	return raw, ""
}

// store applies the rules to a verified batch.
func (c *conn) store(tx *store.Tx, b *wire.Batch, raw []byte, now time.Time) (last uint64, err error) {
	g := c.grants[b.GetGrantId()]
	if g == nil {
		return 0, no(CodeUnknownGrant)
	}
	if b.GetSession() != g.body.Session {
		return 0, no(CodeOtherSession)
	}
	n := uint64(len(b.GetEvents()))
	first := b.GetFirstSeq()
	if n == 0 || n > wire.MaxBatchEvents || first == 0 || first > 1<<62 {
		return 0, no(CodeMalformed)
	}
	s, err := tx.Stream(g.key)
	if err != nil {
		return 0, err
	}
	withdrawn, err := tx.Withdrawn(c.company, c.device, g.body.ID)
	switch {
	case err != nil:
		return 0, err
	case !s.ErasedAt.IsZero():
		return 0, no(CodeErased)
	case withdrawn, !s.WithdrawnAt.IsZero():
		return 0, no(CodeWithdrawn)
	}
	evs := make([]event.Event, n)
	for i, w := range b.GetEvents() {
		if evs[i], err = c.checkEvent(w, g.body, first+uint64(i), now); err != nil {
			return 0, err
		}
	}
	if first > s.Acked+1 {
		return 0, no(CodeSequence)
	}
	if first <= s.Acked {
		return s.Acked, c.compare(tx, g, evs, s.Acked)
	}
	if !bytes.Equal(b.GetPrevHash(), s.AckedHash) {
		return 0, no(CodeChain)
	}
	last = first + n - 1
	if err := tx.InsertEvents(g.key, g.body.ID, evs); err != nil {
		return 0, err
	}
	if err := tx.Advance(g.key, s.Acked, last, wire.Hash(raw), evs[n-1].At, now); err != nil {
		return 0, err
	}
	for _, e := range evs {
		if e.Kind == event.SessionEnded {
			if err := tx.EndStream(g.key, e.At, printable(e.Fields["reason"], 64)); err != nil {
				return 0, err
			}
			if err := tx.AddJob(store.JobSummary, g.key, now); err != nil {
				return 0, err
			}
		}
	}
	return last, nil
}

// compare looks at events that are stored already: said twice is harmless, said
// differently is not. A batch that reaches beyond what is stored must be cut anew.
func (c *conn) compare(tx *store.Tx, g *grant, evs []event.Event, acked uint64) error {
	stored, err := tx.Events(g.key, evs[0].Seq-1, len(evs))
	if err != nil {
		return err
	}
	for i, o := range stored {
		e := evs[i]
		if o.Seq != e.Seq || o.GrantID != g.body.ID || o.Kind != e.Kind || !o.At.Equal(e.At) || !maps.Equal(o.Fields, e.Fields) {
			return no(CodeEquivocation)
		}
	}
	if evs[len(evs)-1].Seq > acked {
		return no(CodeSequence)
	}
	return nil
}

// checkEvent: a known kind within the grant, with known fields, in its time.
func (c *conn) checkEvent(w *wire.Event, g record.Grant, seq uint64, now time.Time) (event.Event, error) {
	e, err := wire.ToEvent(w, g.Session, seq)
	if err != nil {
		return event.Event{}, no(CodeBadEvent)
	}
	def, ok := event.Define(e.Kind)
	if !ok {
		return event.Event{}, no(CodeBadEvent)
	}
	if !event.Covered(e.Kind, g.Groups) {
		return event.Event{}, no(CodeNotCovered)
	}
	for name, v := range e.Fields {
		i := slices.IndexFunc(def.Fields, func(f event.Field) bool { return f.Name == name })
		if i < 0 {
			return event.Event{}, no(CodeBadEvent)
		}
		f := def.Fields[i]
		switch {
		case f.Needs != "" && !slices.Contains(g.Groups, f.Needs):
			return event.Event{}, no(CodeNotCovered)
		case len(v) > f.Max, len(f.OneOf) > 0 && v != "" && !slices.Contains(f.OneOf, v):
			return event.Event{}, no(CodeBadEvent)
		}
	}
	// A mark without captured text may close the stream after the grant's end: a
	// computer that was off finds out later that the session is over.
	closing := e.Kind == event.SessionEnded || e.Kind == event.Gap
	if e.At.Before(g.NotBefore) || (!e.At.Before(g.Expires) && !closing) {
		return event.Event{}, no(CodeOutsideGrant)
	}
	if now.Add(c.skew).Sub(e.At) > MaxDelay {
		return event.Event{}, no(CodeTooLate)
	}
	return e, nil
}

// audit leaves a trace of a refusal that an honest agent cannot cause: the code
// and an id, nothing of the content.
func (c *conn) audit(code Code, id string) {
	if code != CodeEquivocation && code != CodeSignature {
		return
	}
	if !isID(id) {
		id = ""
	}
	now := c.s.o.Now()
	ctx, cancel := context.WithTimeout(c.context(), storeWithin)
	defer cancel()
	err := c.s.db.Tx(ctx, func(tx *store.Tx) error {
		return tx.AddAudit(store.Audit{Company: c.company, At: now, Actor: "device:" + c.device, Action: "rejected-" + string(code), Subject: id})
	})
	if err != nil {
		c.s.o.Log.ErrorContext(ctx, "audit", "err", err)
	}
}

// isID: letters, digits, dashes and dots, as ids of devices are; such a value may
// be logged.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '.' || r == '_')
	})
}

// isName: TOOL/ID, printable.
func isName(s string) bool {
	tool, id, ok := strings.Cut(s, "/")
	return ok && tool != "" && id != "" && len(s) <= maxName && utf8.ValidString(s) && printable(s, maxName) == s
}

// printable drops what cannot be shown and cuts at max bytes.
func printable(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	for len(s) > max {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
