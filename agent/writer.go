package agent

import (
	"context"
	"errors"
	"time"

	"aval/agent/event"
	"aval/agent/redact"
	"aval/agent/store"
)

// written is one event on its way to the disk.
type written struct {
	ev   event.Event
	done func(seq uint64, refused string)
}

// writer redacts, seals and stores a recording's events in order.
type writer struct {
	in      chan written
	ended   chan struct{}
	closed  bool
	full    bool // the disk or the quota is full
	last    uint64
	discard context.CancelFunc
}

func (a *Agent) newWriter(l *live, r *recording) *writer {
	ctx, discard := context.WithCancel(context.WithoutCancel(a.ctx))
	w := &writer{in: make(chan written, 4096), ended: make(chan struct{}), last: r.last, discard: discard}
	a.work.Go(func() {
		defer close(w.ended)
		defer discard()
		for first := range w.in {
			batch := []written{first}
			for len(batch) < maxBatch && len(w.in) > 0 {
				next, ok := <-w.in
				if !ok {
					break
				}
				batch = append(batch, next)
			}
			a.storeBatch(ctx, l, r, w, batch)
		}
	})
	return w
}

const maxBatch = 500

// storeBatch stores one batch and tells those who wait.
func (a *Agent) storeBatch(ctx context.Context, l *live, r *recording, w *writer, batch []written) {
	evs := make([]event.Event, len(batch))
	for i, b := range batch {
		def, _ := event.Define(b.ev.Kind)
		evs[i] = b.ev
		evs[i].Session = l.Name
		evs[i].Fields = redact.Fields(def, b.ev.Fields)
	}
	last, err := a.store.Append(ctx, r.stream, evs)
	why := ""
	switch {
	case err == nil:
		w.last = last
	case errors.Is(err, store.ErrFull):
		why = whyFull
	case errors.Is(err, store.ErrErased), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled):
		why = "ended"
	default:
		why = "store-failed"
		a.log.Error("store events", "session", l.Name, "err", err)
	}
	for i, b := range batch {
		if b.done == nil {
			continue
		}
		if why != "" {
			b.done(0, why)
			continue
		}
		b.done(last-uint64(len(batch)-1-i), "")
	}
	if a.ctx.Err() != nil {
		return
	}
	// Never wait for the loop here: it may be waiting for this writer.
	report := func() {
		r.last = max(r.last, last)
		if full := why == whyFull || why == "store-failed"; full != w.full && l.rec == r {
			w.full = full
			if full { // look again in a while whether there is room
				a.after(30*time.Second, func() { w.full = false; a.gateAll() })
			}
			a.gateAll()
		}
	}
	if !a.tryPost(report) {
		a.work.Go(func() { a.post(report) })
	}
}

// put queues an event; the queue is bounded, and what finds it full is refused.
func (w *writer) put(e written) bool {
	why := "ended"
	if !w.closed {
		select {
		case w.in <- e:
			return true
		default:
			why = "too-fast"
		}
	}
	if e.done != nil {
		e.done(0, why)
	}
	return false
}

func (w *writer) close() {
	if !w.closed {
		w.closed = true
		close(w.in)
	}
}

// wait returns once everything queued is stored: the last sequence.
func (w *writer) wait() uint64 {
	<-w.ended
	return w.last
}
