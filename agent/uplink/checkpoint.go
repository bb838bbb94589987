package uplink

import (
	"fmt"
	"time"

	"aval/agent/record"
	"aval/agent/wire"
)

// witness is what a server knows of the device's log.
type witness struct {
	takes bool             // it takes checkpoints
	since int64            // the size of the last one that it has
	told  time.Time        // when one was sent on this connection; zero: none was
	due   <-chan time.Time // when the next one may be; nil: the log has not grown
}

// tellLog sends the checkpoint of the device's log: at once on a new connection,
// for the log may be another one than it was, and then when it has grown, as often
// as ShowLog says.
func (c *conn) tellLog() error {
	cfg, w := c.l.cfg, &c.log
	if now := cfg.Source.LogSize(); !w.takes || now == w.since && (now == 0 || !w.told.IsZero()) {
		return nil
	}
	if wait := cfg.ShowLog - time.Since(w.told); !w.told.IsZero() && wait > 0 {
		if w.due == nil {
			w.due = time.After(wait)
		}
		return nil
	}
	size, root, proof, err := cfg.Source.ProveLog(w.since)
	if err != nil {
		w.takes = false // until the next connection: the store mends its log, or says why not
		cfg.Log.Error("checkpoint", "err", err)
		return nil
	}
	env, err := record.Sign(cfg.Key, record.TypeCheckpoint, record.NewCheckpoint(cfg.Company, cfg.Device, cfg.Now(), size, root))
	if err != nil {
		return fmt.Errorf("sign checkpoint: %w", err)
	}
	f := &wire.Checkpoint{Envelope: env, Proof: record.PackProof(proof), Since: w.since}
	w.since, w.told = size, time.Now()
	return c.write(&wire.Frame{Body: &wire.Frame_Checkpoint{Checkpoint: f}})
}
