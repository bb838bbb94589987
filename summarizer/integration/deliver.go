package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"aval/summarizer/store"
)

// Limits of the work.
const (
	// Lease is how long one attempt may take before another server makes it.
	Lease = 3 * time.Minute
	// attemptWithin bounds an attempt with all its calls; it ends before the lease.
	attemptWithin = 2 * time.Minute
	// Poll is how long a worker rests at most.
	Poll = 15 * time.Second
	// Workers make deliveries at the same time.
	Workers = 6
	// keepFor is how long deliveries that were made or given up are kept.
	keepFor = 30 * 24 * time.Hour
	// quietFor is how long an endpoint that did not answer is left alone by all
	// that is due for it.
	quietFor = 20 * time.Second
)

// backoff are the pauses after each failed attempt, more or less a fifth: about
// three days in all, as Standard Webhooks proposes.
var backoff = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// Attempts is how often a delivery is tried before it has failed.
var Attempts = int64(len(backoff) + 1)

func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5+1)
}

// Run makes deliveries until ctx ends. Errors of the store are logged and tried again.
func (h *Hub) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for range Workers {
		all.Go(func() { h.work(ctx) })
	}
	all.Go(func() { h.forget(ctx) })
	all.Wait()
	return nil
}

func (h *Hub) work(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := Poll
		worked, err := h.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.log.Error("deliveries cannot be made", "err", err)
		case worked:
			select {
			case h.more <- struct{}{}: // there may be work for another one too
			default:
			}
			continue
		default:
			wait = h.rest(ctx)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-h.db.JobsChanged(store.JobDelivery):
		case <-h.more:
		case <-timer.C:
		}
	}
}

// rest is how long there is nothing to do.
func (h *Hub) rest(ctx context.Context) time.Duration {
	wait := Poll
	_ = h.db.View(ctx, func(t *store.Tx) error {
		at, err := t.NextJob(store.JobDelivery)
		if err == nil {
			wait = min(wait, at.Sub(h.now()))
		}
		return err
	})
	return max(wait, 10*time.Millisecond)
}

// forget drops old deliveries, once an hour.
func (h *Hub) forget(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := h.db.Tx(ctx, func(t *store.Tx) error { _, err := t.DropDeliveries(h.now().Add(-keepFor), 10_000); return err })
		if err != nil && ctx.Err() == nil {
			h.log.Error("old deliveries cannot be dropped", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Step makes one delivery that is due; worked is false where there is none.
func (h *Hub) Step(ctx context.Context) (worked bool, err error) {
	now := h.now()
	// An empty table is looked at without the writer's lock.
	err = h.db.View(ctx, func(t *store.Tx) error {
		at, err := t.NextJob(store.JobDelivery)
		if err == nil && at.After(now) {
			return store.ErrNotFound
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var job store.Job
	var d store.Delivery
	var e store.Endpoint
	claimed := false
	err = h.db.Tx(ctx, func(t *store.Tx) error {
		claimed = false
		if job, err = t.ClaimJob(store.JobDelivery, now, Lease); err != nil {
			return err
		}
		if d, err = t.Delivery(job.Company, job.Ref); err != nil {
			return t.FailJob(job, now, "what was to be told is not known any more")
		}
		if e, err = t.Endpoint(d.Company, d.Endpoint); err != nil {
			return err
		}
		if !e.Enabled {
			return t.FailJob(job, now, "the endpoint is switched off")
		}
		if until, quiet := h.quiet.until(e.ID, now); quiet && d.Type != store.Ping {
			return t.PutOffJob(job, until)
		}
		// What an endpoint keeps of a session is written by one at a time, in order.
		if e.Kind != store.Webhook && d.Session != "" {
			earlier, err := t.EarlierDelivery(d)
			if err != nil {
				return err
			}
			if earlier {
				return t.PutOffJob(job, now.Add(2*time.Second))
			}
		}
		claimed = true
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil || !claimed {
		return err == nil, err
	}
	ctx, span := h.tracer.Start(ctx, "job delivery", trace.WithAttributes(attribute.Int64("aval.attempt", job.Attempts),
		attribute.String("aval.endpoint", e.Kind), attribute.String("aval.event", d.Type)))
	defer span.End()
	return true, h.attempt(ctx, job, e, d)
}

// attempt makes one delivery and notes what came of it.
func (h *Hub) attempt(ctx context.Context, job store.Job, e store.Endpoint, d store.Delivery) error {
	within, cancel := context.WithTimeout(ctx, attemptWithin)
	defer cancel()
	a, note, err := h.send(within, e, d)
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.Int("http.response.status_code", a.status))
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	if ctx.Err() != nil {
		return ctx.Err() // the lease runs out by itself
	}
	var later laterError
	var f finalError
	now := h.now()
	settle := func(f func(t *store.Tx) error) error {
		err := h.db.Tx(ctx, func(t *store.Tx) error {
			if err := t.AnsweredDelivery(d.Company, d.ID, a.status, a.remote); err != nil {
				return err
			}
			if note != nil {
				if err := t.PutNote(*note); err != nil {
					return err
				}
			}
			return f(t)
		})
		if errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrNotFound) {
			return nil // another server has it, or the endpoint was deleted meanwhile
		}
		return err
	}
	switch {
	case err == nil:
		h.quiet.end(e.ID)
		return settle(func(t *store.Tx) error { return t.FinishJob(job, now) })
	case errors.Is(err, errGone):
		return settle(func(t *store.Tx) error {
			now := h.now()
			e.Enabled, e.OffReason = false, "gone"
			if err := t.UpdateEndpoint(e, now); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err := t.AddAudit(store.Audit{Company: e.Company, At: now, Actor: "server", Action: "webhook-gone", Subject: e.ID, Detail: e.Name}); err != nil {
				return err
			}
			return t.FailJob(job, now, err.Error())
		})
	case errors.As(err, &f), job.Attempts >= Attempts:
		h.log.WarnContext(ctx, "delivery failed", "delivery", d.ID, "endpoint", e.ID, "attempt", job.Attempts, "err", err)
		return settle(func(t *store.Tx) error { return t.FailJob(job, now, err.Error()) })
	}
	pause := jitter(backoff[min(int(job.Attempts), len(backoff))-1])
	if errors.As(err, &later) {
		pause = max(pause, later.after)
	}
	if a.status == 0 {
		h.quiet.begin(e.ID, now.Add(quietFor))
	}
	h.log.InfoContext(ctx, "delivery is tried again", "delivery", d.ID, "endpoint", e.ID, "attempt", job.Attempts, "err", err)
	return settle(func(t *store.Tx) error { return t.RetryJob(job, now.Add(pause), err.Error()) })
}

// send makes one attempt; note is what the endpoint keeps from now on.
func (h *Hub) send(ctx context.Context, e store.Endpoint, d store.Delivery) (a answer, note *store.Note, err error) {
	var c Config
	if err := json.Unmarshal([]byte(e.Config), &c); err != nil {
		return a, nil, final(fmt.Errorf("read endpoint: %w", err))
	}
	s, err := h.open(e)
	if err != nil {
		return a, nil, final(err)
	}
	if e.Kind == store.Webhook {
		a, err = h.sendWebhook(ctx, e, c, s, d)
		return a, nil, err
	}
	return h.sendNote(ctx, e, c, s, d)
}

// quiet are the endpoints that did not answer, and until when they are left alone.
type quiet struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (q *quiet) until(id string, now time.Time) (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, ok := q.at[id]
	if ok && !at.After(now) {
		delete(q.at, id)
		ok = false
	}
	return at, ok
}

func (q *quiet) begin(id string, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.at == nil {
		q.at = map[string]time.Time{}
	}
	q.at[id] = until
}

func (q *quiet) end(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.at, id)
}
