// Package runner does the summary jobs: it leases one, reads the session, lets
// the engine write, and stores summary, credit use and audit row together.
//
// The one rule that must not be broken: a session waits rather than being
// dropped. No credit, a broken engine or a killed server delay a summary; they
// neither lose it nor charge for it, and what was erased gets none.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"aval/agent/event"
	"aval/agent/record"
	"aval/summarizer/credit"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// Limits of the work.
const (
	// Lease is how long a worker may take for one session before another may.
	Lease = 5 * time.Minute
	// MaxAttempts: then the job has failed, until somebody asks for it again.
	MaxAttempts = 8
	// Poll is how long the runner rests at most: jobs that another process added
	// come without a nudge.
	Poll = 15 * time.Second

	// indexAtOnce is how many sessions of an older program one step indexes.
	indexAtOnce = 50

	firstBackoff = 5 * time.Second
	maxBackoff   = time.Hour
)

// Engine writes summaries.
type Engine interface {
	// Name is what the summary says that it was written by.
	Name() string
	// Write must not keep s. Its error must not hold words of the session: it is
	// logged and shown.
	Write(ctx context.Context, s summary.Session, lang string) (summary.Summary, error)
}

// Rules is the engine that needs no network.
type Rules struct{}

// Name is the name of the rules engine.
func (Rules) Name() string { return summary.Engine }

// Write never fails.
func (Rules) Write(_ context.Context, s summary.Session, lang string) (summary.Summary, error) {
	return summary.Rules(s, lang), nil
}

// Options of New; the zero value is what a server uses.
type Options struct {
	Engine Engine           // nil: Rules
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default
	Tracer trace.Tracer     // begins a span for each job; nil: there are none
}

// Runner works the summary jobs of one store.
type Runner struct {
	db     *store.DB
	engine Engine
	now    func() time.Time
	log    *slog.Logger
	tracer trace.Tracer
}

// New makes a runner over db.
func New(db *store.DB, o Options) *Runner {
	r := &Runner{db: db, engine: o.Engine, now: o.Now, log: o.Log, tracer: o.Tracer}
	if r.engine == nil {
		r.engine = Rules{}
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	if r.tracer == nil {
		r.tracer = noop.NewTracerProvider().Tracer("")
	}
	return r
}

// Run works until ctx ends. Errors of the store are logged and tried again.
func (r *Runner) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := Poll
		worked, err := r.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.log.Error("summary jobs cannot be worked", "err", err)
		case worked:
			continue
		default:
			wait = r.rest(ctx)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-r.db.JobsChanged(store.JobSummary):
		case <-timer.C:
		}
	}
}

// rest is how long there is nothing to do: until the next job, or a month begins
// somewhere.
func (r *Runner) rest(ctx context.Context) time.Duration {
	now := r.now()
	wait := Poll
	_ = r.db.View(ctx, func(t *store.Tx) error {
		all, err := t.Companies()
		for _, c := range all {
			if at, err := credit.NextMonth(c, now); err == nil {
				wait = min(wait, at.Sub(now))
			}
		}
		if err != nil {
			return err
		}
		at, err := t.NextJob(store.JobSummary)
		if err == nil {
			wait = min(wait, at.Sub(now))
		}
		return err
	})
	return max(wait, 10*time.Millisecond)
}

// Step does one job that is due; worked is false where there is none.
func (r *Runner) Step(ctx context.Context) (worked bool, err error) {
	if err := r.grant(ctx); err != nil {
		return false, err
	}
	old, err := r.index(ctx)
	if err != nil {
		return false, err
	}
	job, company, err := r.claim(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return old, nil
	}
	if err != nil || job.State == store.JobWaiting {
		return err == nil, err
	}
	ctx, span := r.tracer.Start(ctx, "job summary", trace.WithAttributes(attribute.Int64("aval.attempt", job.Attempts)))
	defer span.End()
	result := func(word string) { span.SetAttributes(attribute.String("aval.result", word)) }
	switch err := r.work(ctx, job, company); {
	case err == nil:
		result("done")
		return true, nil
	case errors.Is(err, store.ErrLeaseLost), errors.Is(err, errGone):
		// Somebody else has it, or the session was erased meanwhile.
		result("gone")
		return true, nil
	case errors.Is(err, store.ErrNoCredit):
		result("waiting")
		return true, r.db.Tx(ctx, func(t *store.Tx) error { return t.HoldJob(job, noCredit) })
	case ctx.Err() != nil:
		return false, ctx.Err() // the lease runs out by itself
	default:
		result("failed")
		span.SetStatus(codes.Error, "")
		return true, r.putBack(ctx, job, err)
	}
}

const noCredit = "no credit is left"

var errGone = errors.New("the session was erased")

// grant gives every company the credits that are due: of the month, and of its
// orders.
func (r *Runner) grant(ctx context.Context) error {
	now := r.now()
	var due []store.Company
	err := r.db.View(ctx, func(t *store.Tx) error {
		all, err := t.Companies()
		if err != nil {
			return err
		}
		for _, c := range all {
			is, err := credit.Due(t, c, now)
			switch {
			case errors.Is(err, credit.ErrTier), errors.Is(err, credit.ErrZone):
				// One company's mistake holds nobody else up; its jobs say what it is.
			case err != nil:
				return err
			case is:
				due = append(due, c)
			}
		}
		return nil
	})
	for _, c := range due {
		if err := r.db.Tx(ctx, func(t *store.Tx) error { _, err := credit.CatchUp(t, c, now); return err }); err != nil {
			return err
		}
	}
	return err
}

// index writes what sessions of an older program's time are found by, some at a
// time, so that a server that has just been replaced by a newer one answers.
func (r *Runner) index(ctx context.Context) (worked bool, err error) {
	err = r.db.View(ctx, func(t *store.Tx) (err error) { worked, err = t.AnyOld(); return err })
	if err != nil || !worked {
		return false, err
	}
	return true, r.db.Tx(ctx, func(t *store.Tx) error { _, err := t.IndexOld(indexAtOnce); return err })
}

// claim leases the next job. One that cannot be paid for is set to wait at once,
// before any work is done for it.
func (r *Runner) claim(ctx context.Context) (job store.Job, c store.Company, err error) {
	now := r.now()
	// An empty table is looked at without the writer's lock.
	err = r.db.View(ctx, func(t *store.Tx) error {
		at, err := t.NextJob(store.JobSummary)
		if err == nil && at.After(now) {
			return store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return job, c, err
	}
	err = r.db.Tx(ctx, func(t *store.Tx) error {
		if job, err = t.ClaimJob(store.JobSummary, now, Lease); err != nil {
			return err
		}
		if c, err = t.Company(job.Company); err != nil {
			return err
		}
		ok, err := credit.Enough(t, c, job.Key, r.engine.Name(), now)
		if ok || errors.Is(err, credit.ErrTier) { // the attempt will say so
			return nil
		}
		if err != nil {
			return err
		}
		job.State = store.JobWaiting
		return t.HoldJob(job, noCredit)
	})
	return job, c, err
}

// work writes one summary and stores it with all that belongs to it.
func (r *Runner) work(ctx context.Context, job store.Job, c store.Company) error {
	in, err := Load(ctx, r.db, job.Key)
	if errors.Is(err, store.ErrNotFound) {
		return errGone
	}
	if err != nil {
		return err
	}
	s, err := r.write(ctx, in, c.Lang)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode summary: %w", err)
	}
	now := r.now()
	err = r.db.Tx(ctx, func(t *store.Tx) error {
		version, err := t.InsertSummary(store.Summary{Key: job.Key, JSON: string(raw), Engine: s.Engine, Lang: s.Language, CreatedAt: now})
		if errors.Is(err, store.ErrNotFound) {
			return errGone
		}
		if err != nil {
			return err
		}
		use, err := credit.Charge(t, c, job.Key, s.Engine, now)
		if err != nil {
			return err
		}
		if err := t.AddAudit(store.Audit{Company: job.Company, At: now, Actor: "server", Action: "summary-written", Subject: job.Key.Ref(),
			Detail: fmt.Sprintf("version=%d engine=%s/%s credits=%d", version, s.Engine, s.EngineVersion, use.Amount)}); err != nil {
			return err
		}
		return t.FinishJob(job, now)
	})
	if err == nil {
		r.log.InfoContext(ctx, "summary written", "session", job.Ref, "engine", s.Engine, "events", s.Stats.Events)
	}
	return err
}

// write calls the engine; a panic in it is a failed attempt like any other.
func (r *Runner) write(ctx context.Context, in summary.Session, lang string) (s summary.Summary, err error) {
	defer func() {
		if p := recover(); p != nil {
			// The value may quote the session: only its type is told.
			err = fmt.Errorf("engine %s broke down (%T)", r.engine.Name(), p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, Lease/2)
	defer cancel()
	return r.engine.Write(ctx, in, lang)
}

// putBack lets a failed job rest, longer each time, or gives it up. It costs nothing.
func (r *Runner) putBack(ctx context.Context, job store.Job, why error) error {
	now := r.now()
	r.log.WarnContext(ctx, "summary failed", "session", job.Ref, "attempt", job.Attempts, "err", why)
	err := r.db.Tx(ctx, func(t *store.Tx) error {
		if job.Attempts >= MaxAttempts {
			return t.FailJob(job, now, why.Error())
		}
		return t.RetryJob(job, now.Add(Backoff(job.Attempts)), why.Error())
	})
	if errors.Is(err, store.ErrLeaseLost) {
		return nil
	}
	return err
}

// Backoff is how long a job rests after its nth failed attempt, n from 1.
func Backoff(n int64) time.Duration {
	d := firstBackoff
	for ; n > 1 && d < maxBackoff; n-- {
		d *= 2
	}
	return min(d, maxBackoff)
}

// Load reads a session as an engine needs it. store.ErrNotFound: there is none,
// or it was erased.
func Load(ctx context.Context, db *store.DB, k store.Key) (in summary.Session, err error) {
	err = db.View(ctx, func(t *store.Tx) error {
		st, err := t.Stream(k)
		if err != nil {
			return err
		}
		if !st.ErasedAt.IsZero() {
			return store.ErrNotFound
		}
		in, err = Read(t, st)
		return err
	})
	return in, err
}

// Read is Load in a transaction of the caller's.
func Read(t *store.Tx, st store.Stream) (in summary.Session, err error) {
	grants, err := t.Grants(st.Key)
	if err != nil {
		return in, err
	}
	records, err := t.Records(st.Key)
	if err != nil {
		return in, err
	}
	stored, err := t.Events(st.Key, 0, 0)
	if err != nil {
		return in, err
	}
	in = summary.Session{ID: st.Session, Tool: st.Tool, Supporter: st.Supporter, SupporterVerified: st.SupporterVerified,
		Basis: st.Basis, Provenance: st.Provenance}
	if len(grants) > 0 {
		in.Grant = grants[0].ID
	}
	for _, r := range records {
		switch r.Type {
		case record.TypeObjection:
			in.Objection = r.ID
		case record.TypeWithdrawal:
			in.Withdrawal = r.ID
		}
	}
	in.Events = make([]event.Event, len(stored))
	for i, e := range stored {
		in.Events[i] = e.Event
	}
	return in, nil
}
