package agent

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
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
	redact  *redact.Redactor // nil: it could not be made, and no text is kept
}

func (a *Agent) newWriter(l *live, r *recording) *writer {
	ctx, discard := context.WithCancel(context.WithoutCancel(a.ctx))
	w := &writer{in: make(chan written, 4096), ended: make(chan struct{}), last: r.last, discard: discard, redact: a.newRedactor(l)}
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
	batch = a.redacted(w, batch)
	evs := make([]event.Event, len(batch))
	for i, b := range batch {
		evs[i] = b.ev
		evs[i].Session = l.Name
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

// newRedactor knows the names of those who take part in l.
func (a *Agent) newRedactor(l *live) *redact.Redactor {
	r, err := redact.New(redact.Options{Names: a.namesIn(l), Patterns: a.policy.Effective.Removes()})
	if err != nil {
		a.log.Error("make redactor", "session", l.Name, "err", err)
		a.notes = appendNote(a.notes, "What is written in a session cannot be redacted, so none of it is kept: "+err.Error()+".")
		return nil
	}
	return r
}

// namesIn are the supporter, and the accounts and full names of those at the
// desktops that l views, or of the account it logged into.
func (a *Agent) namesIn(l *live) []string {
	names := []string{l.Supporter}
	of := func(uid uint32) {
		u, err := ipc.LookupUser(uid)
		if err != nil {
			return
		}
		full, _, _ := strings.Cut(u.Name, ",")
		for _, n := range []string{full, u.Username} {
			if n != "" && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	for _, id := range l.desktops {
		if d, ok := a.desktops[id]; ok {
			of(d.uid)
		}
	}
	if l.Login != nil {
		of(l.Login.UID)
	}
	return names
}

// redacted takes what must not be kept out of a batch. An event that cannot be
// searched is dropped: in its place, and for those beside it, stands a gap that
// counts them.
func (a *Agent) redacted(w *writer, batch []written) []written {
	out := batch[:0:0]
	lost := 0
	gap := func() {
		if lost > 0 {
			a.log.Warn("events dropped: their text could not be searched", "count", lost)
			mark := a.mark(event.Gap, map[string]string{"reason": "dropped", "count": strconv.Itoa(lost)})
			out = append(out, written{ev: mark})
			lost = 0
		}
	}
	for _, b := range batch {
		def, _ := event.Define(b.ev.Kind)
		fields, err := w.fields(def, b.ev.Fields)
		if err != nil {
			if lost++; b.done != nil {
				b.done(0, "not-redacted")
			}
			continue
		}
		gap()
		b.ev.Fields = fields
		out = append(out, b)
	}
	gap()
	return out
}

// fields redacts. Without a redactor only the marks are kept, which hold no
// captured text.
func (w *writer) fields(def event.Def, in map[string]string) (map[string]string, error) {
	r := w.redact
	if r == nil {
		if !def.Kind.Mark() {
			return nil, redact.ErrUnsettled
		}
		r = new(redact.Redactor)
	}
	return r.Fields(def, in)
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
