package uplink

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/wire"
)

const (
	// window is how many batches of a connection may be on their way.
	window = 4
	// readBytes is about how much one batch holds; the limit is MaxBatchBytes.
	readBytes = 512 << 10
	// compressFrom is the size from which compressing pays (measured: below it
	// costs more than it spares).
	compressFrom = 64
	// maxRecords on their way at once.
	maxRecords = 32
)

// stream is how far one stream has come on this connection.
type stream struct {
	name    store.Stream
	open    string // the grant that was announced and not yet answered
	opened  string // the grant that the server knows
	known   bool   // sent and prev are the server's word
	sent    uint64
	prev    []byte
	flight  []batch
	damaged bool // the store cannot read on
}

// batch is one on its way.
type batch struct {
	grant       string
	first, last uint64
}

// pump sends records first, since a withdrawal is one, then events.
func (c *conn) pump() error {
	if err := c.pumpRecords(); err != nil {
		return err
	}
	streams, err := c.l.cfg.Source.Streams()
	if err != nil {
		return fmt.Errorf("list streams: %w", err)
	}
	for _, info := range streams {
		if info.Company != c.l.cfg.Company || info.Withdrawn || info.Erased || info.Held || info.DeleteAsked || c.l.blocked[info.Stream] != "" {
			continue
		}
		if err := c.pumpStream(info); err != nil {
			return err
		}
	}
	if c.zstd != nil && c.flying() == 0 {
		c.zstd = nil // a few hundred kilobytes that an idle agent need not hold
	}
	return nil
}

func (c *conn) flying() (n int) {
	for _, s := range c.streams {
		n += len(s.flight)
	}
	return n
}

func (c *conn) pumpRecords() error {
	src := c.l.cfg.Source
	for len(c.records) < maxRecords {
		list, err := src.PendingRecords(c.l.cfg.Company, len(c.records)+len(c.rejected)+maxRecords)
		if err != nil {
			return fmt.Errorf("list records: %w", err)
		}
		sent := 0
		for _, e := range list {
			if c.records[e.ID] || c.rejected[e.ID] || len(c.records) >= maxRecords {
				continue
			}
			envelope, err := record.Only(e.Envelope, c.l.keyID)
			if err != nil {
				c.rejected[e.ID] = true
				c.l.cfg.Log.Error("a record is not signed for this company", "id", e.ID, "err", err)
				continue
			}
			if err := c.write(&wire.Frame{Body: &wire.Frame_Record{Record: &wire.Record{Id: e.ID, Envelope: envelope}}}); err != nil {
				return err
			}
			c.records[e.ID] = true
			sent++
		}
		if sent == 0 {
			return nil
		}
	}
	return nil
}

// pumpStream sends a stream's waiting events as far as the window allows.
func (c *conn) pumpStream(info store.StreamInfo) error {
	s := c.streams[info.Stream]
	if s == nil {
		if info.Last <= info.Acked {
			return nil
		}
		s = &stream{name: info.Stream, sent: info.Acked}
		c.streams[info.Stream] = s
	}
	for s.open == "" && !s.damaged && s.sent < info.Last && c.flying() < window {
		items, err := c.l.cfg.Source.Read(s.name, s.sent, c.maxEvents, min(readBytes, c.maxBytes/2))
		if errors.Is(err, store.ErrErased) || errors.Is(err, store.ErrNoStream) {
			return nil
		}
		if err != nil {
			s.damaged = true
			c.l.cfg.Log.Error("read events", "session", s.name.Session, "err", err)
			return nil
		}
		if len(items) == 0 {
			return nil // withdrawn meanwhile
		}
		if grant := items[0].GrantID; !s.known || grant != s.opened {
			if err := c.announce(s, info, grant); err != nil {
				return err
			}
			return nil
		}
		if err := c.send(s, items); err != nil {
			return err
		}
	}
	return nil
}

// announce sends the grant under which the next events were recorded.
func (c *conn) announce(s *stream, info store.StreamInfo, grant string) error {
	envelope := info.Grant
	if grant != info.GrantID || len(envelope) == 0 {
		e, err := c.l.cfg.Source.Record(grant)
		if err != nil {
			s.damaged = true
			c.l.cfg.Log.Error("read grant", "session", s.name.Session, "grant", grant, "err", err)
			return nil
		}
		envelope = e.Envelope
	}
	envelope, err := record.Only(envelope, c.l.keyID)
	if err != nil {
		s.damaged = true
		c.l.cfg.Log.Error("a grant is not signed for this company", "session", s.name.Session, "grant", grant, "err", err)
		return nil
	}
	answer, err := c.answer(envelope)
	if err != nil {
		s.damaged = true
		c.l.cfg.Log.Error("read the answer that a grant rests on", "session", s.name.Session, "grant", grant, "err", err)
		return nil
	}
	s.open = grant
	c.grants[grant] = s
	// A grant names the session and the supporter: it is payload too.
	return c.payload(s, 0, &wire.Frame{Body: &wire.Frame_Open{Open: &wire.Open{Grant: envelope, Answer: answer}}})
}

// answer finds the earlier grant on whose answer a grant rests; nil: on its own.
// It goes along with it: its own stream may have been withdrawn before it was
// ever announced, and the yes for further sessions was given all the same.
func (c *conn) answer(envelope []byte) ([]byte, error) {
	_, payload, err := record.Peek(envelope)
	if err != nil {
		return nil, err
	}
	var g record.Grant
	if err := json.Unmarshal(payload, &g); err != nil {
		return nil, fmt.Errorf("decode grant: %w", err)
	}
	if g.Answer == "" {
		return nil, nil
	}
	e, err := c.l.cfg.Source.Record(g.Answer)
	if err != nil {
		return nil, err
	}
	return record.Only(e.Envelope, c.l.keyID)
}

// send signs and sends one batch.
func (c *conn) send(s *stream, items []store.Item) error {
	b := &wire.Batch{GrantId: items[0].GrantID, Session: s.name.Session, FirstSeq: items[0].Event.Seq, PrevHash: s.prev}
	for i, it := range items {
		if it.GrantID != b.GrantId || it.Event.Seq != b.FirstSeq+uint64(i) || b.FirstSeq != s.sent+1 {
			return fmt.Errorf("read events of %s: number %d after %d", s.name.Session, it.Event.Seq, s.sent)
		}
		b.Events = append(b.Events, wire.FromEvent(it.Event))
	}
	// Marshalled once: these bytes are hashed, signed and sent.
	raw, err := proto.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode batch: %w", err)
	}
	for len(raw) > c.maxBytes && len(b.Events) > 1 {
		b.Events = b.Events[:len(b.Events)/2]
		if raw, err = proto.Marshal(b); err != nil {
			return fmt.Errorf("encode batch: %w", err)
		}
	}
	sig, err := record.SignBytes(c.l.cfg.Key, record.TypeBatch, raw)
	if err != nil {
		return fmt.Errorf("sign batch: %w", err)
	}
	sb := &wire.SignedBatch{Batch: raw, KeyId: c.l.keyID, Signature: sig}
	if len(b.Events) >= compressFrom {
		z, err := c.encoder()
		if err != nil {
			return err
		}
		sb.Batch, sb.Compression = z.EncodeAll(raw, nil), wire.Compression_ZSTD
	}
	before := s.sent
	last := b.FirstSeq + uint64(len(b.Events)) - 1
	s.flight = append(s.flight, batch{b.GrantId, b.FirstSeq, last})
	s.sent, s.prev = last, wire.Hash(raw)
	return c.payload(s, before, &wire.Frame{Body: &wire.Frame_Batch{Batch: sb}})
}

// payload writes a frame of a stream unless it has been withdrawn by now. after
// is the sequence before the frame's first event.
func (c *conn) payload(s *stream, after uint64, f *wire.Frame) error {
	if !c.l.admit(c, s.name) {
		return c.drop(s)
	}
	if items, err := c.l.cfg.Source.Read(s.name, after, 1, 1); err != nil || len(items) == 0 {
		c.l.settled(s.name, 1)
		return c.drop(s)
	}
	return c.write(f)
}

// drop forgets a stream that may not be sent any more.
func (c *conn) drop(s *stream) error {
	s.damaged, s.flight = true, nil
	return nil
}

func (c *conn) encoder() (*zstd.Encoder, error) {
	if c.zstd == nil {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
		if err != nil {
			return nil, fmt.Errorf("make compressor: %w", err)
		}
		c.zstd = z
	}
	return c.zstd, nil
}

// handle takes one frame from the server.
func (c *conn) handle(f *wire.Frame) error {
	switch b := f.GetBody().(type) {
	case *wire.Frame_Opened:
		return c.onOpened(b.Opened)
	case *wire.Frame_Ack:
		return c.onAck(b.Ack)
	case *wire.Frame_Reject:
		return c.onReject(b.Reject)
	case *wire.Frame_RecordAck:
		return c.onRecordAck(b.RecordAck.GetId())
	case *wire.Frame_Options:
		c.l.cfg.OnOptions(b.Options.GetEnvelope())
	case *wire.Frame_Summary:
		return c.onSummary(b.Summary)
	case *wire.Frame_Request:
		c.l.cfg.OnRequest(b.Request.GetEnvelope())
		return c.write(&wire.Frame{Body: &wire.Frame_RequestAck{RequestAck: &wire.RequestAck{Id: b.Request.GetId()}}})
	case *wire.Frame_Hint:
		c.l.cfg.OnHint(b.Hint)
	case *wire.Frame_Checkpoint:
		if c.l.cfg.OnAudit != nil {
			c.l.cfg.OnAudit(b.Checkpoint)
		}
	case *wire.Frame_Refused:
		return &refusedError{code: b.Refused.GetCode(), sentence: b.Refused.GetSentence(), retry: b.Refused.GetRetry()}
	}
	return nil // a kind of frame that this version does not know
}

// onOpened takes the server's word for how far the stream has come.
func (c *conn) onOpened(o *wire.Opened) error {
	s := c.grants[o.GetGrantId()]
	if s == nil || s.open != o.GetGrantId() {
		return fmt.Errorf("the summarizer opened a stream that was not announced")
	}
	c.l.settled(s.name, 1+len(s.flight))
	s.open, s.opened, s.known = "", o.GetGrantId(), true
	s.flight = nil
	info, ok, err := c.info(s.name)
	if err != nil || !ok {
		return err
	}
	if o.GetAcked() > info.Last {
		c.block(s, fmt.Sprintf("The summarizer has %d events of %s and this computer knows of %d: its data is older than what was sent.",
			o.GetAcked(), s.name.Session, info.Last))
		return nil
	}
	s.sent, s.prev = o.GetAcked(), o.GetAckedHash()
	if s.sent > info.Acked {
		return c.ack(s)
	}
	return nil
}

func (c *conn) info(name store.Stream) (store.StreamInfo, bool, error) {
	streams, err := c.l.cfg.Source.Streams()
	if err != nil {
		return store.StreamInfo{}, false, fmt.Errorf("list streams: %w", err)
	}
	for _, i := range streams {
		if i.Stream == name {
			return i, true, nil
		}
	}
	return store.StreamInfo{}, false, nil
}

func (c *conn) ack(s *stream) error {
	if err := c.l.cfg.Source.Ack(s.name, s.sent); err != nil {
		return fmt.Errorf("note acknowledgement: %w", err)
	}
	return nil
}

// onAck trusts only acknowledgements of what was sent on this connection.
func (c *conn) onAck(a *wire.Ack) error {
	s := c.grants[a.GetGrantId()]
	if s == nil {
		return fmt.Errorf("the summarizer acknowledged a stream that was not announced")
	}
	n := 0
	for n < len(s.flight) && s.flight[n].last <= a.GetSeq() {
		n++
	}
	if n == 0 || s.flight[n-1].last != a.GetSeq() {
		return nil // of a stream that was dropped meanwhile, or said twice
	}
	c.l.settled(s.name, n)
	s.flight = s.flight[n:]
	if err := c.l.cfg.Source.Ack(s.name, a.GetSeq()); err != nil && !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNoStream) {
		return fmt.Errorf("note acknowledgement: %w", err)
	}
	return nil
}

func (c *conn) onRecordAck(id string) error {
	if !c.records[id] {
		return nil
	}
	delete(c.records, id)
	if err := c.l.cfg.Source.RecordAcked(c.l.cfg.Company, id); err != nil {
		return fmt.Errorf("note acknowledgement: %w", err)
	}
	return nil
}

// onReject: what may work later is tried again by a new connection; what the
// server will never take stays in the store, and the state says so.
func (c *conn) onReject(r *wire.Reject) error {
	c.l.cfg.Log.Warn("rejected by the summarizer", "grant", r.GetGrantId(), "code", r.GetCode(), "retry", r.GetRetry())
	if r.GetRetry() {
		return &laterError{r.GetSentence()}
	}
	if c.records[r.GetGrantId()] {
		// It stays pending, for the next connection, and is in nobody's way.
		delete(c.records, r.GetGrantId())
		c.rejected[r.GetGrantId()] = true
		return nil
	}
	s := c.grants[r.GetGrantId()]
	if s == nil { // it could not even be read: sent again, by a new connection
		return &laterError{r.GetSentence()}
	}
	c.l.settled(s.name, len(s.flight)+1)
	c.block(s, r.GetSentence())
	return nil
}

func (c *conn) block(s *stream, why string) {
	s.damaged, s.flight, s.open = true, nil, ""
	c.l.blocked[s.name] = why
	c.l.set(State{Link: Connected, Err: c.l.complaint()})
}
