package uplink

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"aval/agent/store"
	"aval/agent/wire"
)

// onSummary keeps what the company has written about a session of this device.
// It is acknowledged once it is durable, or when there is nothing to keep it
// with: the session was erased here, or is none of this company's.
func (c *conn) onSummary(s *wire.Summary) error {
	if n := proto.Size(s); n > wire.MaxSummary {
		c.l.cfg.Log.Warn("summary refused: it is too long", "session", s.GetSession(), "bytes", n)
		return nil
	}
	var raw []byte
	if s.GetVersion() > 0 || s.GetReads().GetTimes() > 0 {
		var err error
		if raw, err = proto.Marshal(s); err != nil {
			return fmt.Errorf("encode summary: %w", err)
		}
	}
	err := c.l.cfg.Source.PutSummary(store.Stream{Company: c.l.cfg.Company, Session: s.GetSession()}, raw)
	switch {
	case errors.Is(err, store.ErrErased), errors.Is(err, store.ErrNoStream):
		c.l.cfg.Log.Info("summary dropped: nothing of the session is kept here", "session", s.GetSession())
	case err != nil: // asked for again by the next connection
		c.l.cfg.Log.Error("keep summary", "session", s.GetSession(), "err", err)
		return nil
	default:
		c.l.cfg.OnSummary(s.GetSession())
	}
	ack := &wire.SummaryAck{Session: s.GetSession(), Version: s.GetVersion()}
	if s.GetReads() != nil {
		ack.Reads = proto.Uint64(s.GetReads().GetTimes())
	}
	return c.write(&wire.Frame{Body: &wire.Frame_SummaryAck{SummaryAck: ack}})
}
