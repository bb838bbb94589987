// Package runner does the summary jobs: it leases one, reads the session, lets
// the engine write, and stores summary, credit use and audit row together.
//
// The one rule that must not be broken: a session waits rather than being
// dropped. No credit, a broken engine or a killed server delay a summary; they
// neither lose it nor charge for it, and what was erased gets none.
//
// A model that cannot write is no reason to wait for ever: after ModelTries
// attempts, or at once where trying again is no use, the rules write, and the
// summary says why.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
	// ModelTries is how many attempts a model has that may answer another time.
	ModelTries = 3
	// Poll is how long the runner rests at most: jobs that another process added
	// come without a nudge.
	Poll = 15 * time.Second

	// indexAtOnce is how many sessions of an older program one step indexes.
	indexAtOnce = 50
	// countAtOnce is how many sessions one step counts for the charts.
	countAtOnce = 500

	firstBackoff = 5 * time.Second
	maxBackoff   = time.Hour
)

// Engine writes summaries.
type Engine interface {
	// Name is what the summary says that it was written by.
	Name() string
	// Write must not keep s. Its error must not hold words of the session: it is
	// logged and shown. After a *summary.Failure the rules may write instead.
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

// Options of New; the zero value is a server without models.
type Options struct {
	// Engine is what a company's summaries are written by now; nil: Rules. It may
	// read the store, and must not keep the transaction.
	Engine func(*store.Tx, store.Company) (Engine, error)
	// Workers is how many sessions are worked at a time; 0: one. A model takes its
	// time, and the others need not wait for it.
	Workers int
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: slog.Default
	Tracer  trace.Tracer     // begins a span for each job; nil: there are none
}

// Runner works the summary jobs of one store.
type Runner struct {
	db      *store.DB
	engine  func(*store.Tx, store.Company) (Engine, error)
	workers int
	now     func() time.Time
	log     *slog.Logger
	tracer  trace.Tracer
}

// New makes a runner over db.
func New(db *store.DB, o Options) *Runner {
	r := &Runner{db: db, engine: o.Engine, workers: max(1, o.Workers), now: o.Now, log: o.Log, tracer: o.Tracer}
	if r.engine == nil {
		r.engine = func(*store.Tx, store.Company) (Engine, error) { return Rules{}, nil }
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
	var more sync.WaitGroup
	for range r.workers - 1 {
		more.Go(func() { r.loop(ctx, r.job) })
	}
	r.loop(ctx, r.Step)
	more.Wait()
	return nil
}

// loop takes step after step until ctx ends.
func (r *Runner) loop(ctx context.Context, step func(context.Context) (bool, error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := Poll
		worked, err := step(ctx)
		switch {
		case ctx.Err() != nil:
			return
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
			return
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
	worked, err = r.job(ctx)
	return worked || old && err == nil, err
}

// job does one job that is due.
func (r *Runner) job(ctx context.Context) (worked bool, err error) {
	job, company, err := r.claim(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
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

// index writes what sessions and computers of an older program are found by, and
// counts sessions and credits for the charts: some at a time, so that a server that has just been
// replaced by a newer one answers.
func (r *Runner) index(ctx context.Context) (worked bool, err error) {
	var sessions, devices, counts, uses bool
	err = r.db.View(ctx, func(t *store.Tx) (err error) {
		if sessions, err = t.AnyOld(); err == nil {
			devices, err = t.AnyOldDevice()
		}
		if err == nil {
			counts, err = t.AnyUncounted()
		}
		if err == nil {
			uses, err = t.AnyUncountedUse()
		}
		return err
	})
	for _, w := range []struct {
		due  bool
		work func(*store.Tx) (int, error)
	}{
		{sessions, func(t *store.Tx) (int, error) { return t.IndexOld(indexAtOnce) }},
		{devices, func(t *store.Tx) (int, error) { return t.IndexOldDevices(indexAtOnce) }},
		{counts, func(t *store.Tx) (int, error) { return t.CountNew(countAtOnce) }},
		{uses, func(t *store.Tx) (int, error) { return t.CountUses(countAtOnce) }},
	} {
		if err == nil && w.due {
			worked = true
			err = r.db.Tx(ctx, func(t *store.Tx) error { _, err := w.work(t); return err })
		}
	}
	return worked, err
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
		engine, err := r.planned(t, c, job.Key)
		if err != nil {
			return err
		}
		ok, err := credit.Enough(t, c, job.Key, engine, now)
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

// planned is the name of the engine that a session is to be paid for.
func (r *Runner) planned(t *store.Tx, c store.Company, k store.Key) (string, error) {
	grants, err := t.Grants(k)
	if err != nil {
		return "", err
	}
	e, err := r.engine(t, c)
	if err != nil || e.Name() != granted(grants) {
		return summary.Engine, nil
	}
	return e.Name(), nil
}

// granted is the engine that all grants of a session name, empty where they do
// not agree or one cannot be read. Their signatures were checked when they came.
func granted(grants []store.Grant) string {
	engine := ""
	for i, g := range grants {
		var b struct {
			Engine string `json:"engine"`
		}
		if _, payload, err := record.Peek(g.Envelope); err != nil || json.Unmarshal(payload, &b) != nil || i > 0 && b.Engine != engine {
			return ""
		}
		engine = b.Engine
	}
	return engine
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
	s, err := r.write(ctx, c, in)
	var f *summary.Failure
	if errors.As(err, &f) && (!f.Later || job.Attempts >= ModelTries) {
		r.log.Warn("the rules write for the model", "session", job.Ref, "why", string(f.Why), "err", f.Err)
		s, err = summary.Rules(in, c.Lang), nil
		s.Fallback = f.Why
	}
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
			Detail: fmt.Sprintf("version=%d engine=%s/%s credits=%d", version, s.Engine, s.EngineVersion, use.Amount) + took(s)}); err != nil {
			return err
		}
		return t.FinishJob(job, now)
	})
	if err == nil {
		r.log.InfoContext(ctx, "summary written", "session", job.Ref, "engine", s.Engine, "events", s.Stats.Events)
	}
	return err
}

// took is what the audit says besides of a summary that a model wrote, or should have.
func took(s summary.Summary) string {
	switch {
	case s.Fallback != "":
		return " fallback=" + string(s.Fallback)
	case s.Made != nil:
		return fmt.Sprintf(" input=%s events=%d left_out=%d kept=%d dropped=%d tokens=%d+%d", s.Made.InputHash[:min(16, len(s.Made.InputHash))], s.Made.Shown, s.Made.LeftOut,
			s.Made.Kept, s.Made.Dropped, s.Made.TokensIn, s.Made.TokensOut)
	}
	return ""
}

// write calls the engine; a panic in it is a failed attempt like any other.
func (r *Runner) write(ctx context.Context, c store.Company, in summary.Session) (s summary.Summary, err error) {
	var e Engine
	if err := r.db.View(ctx, func(t *store.Tx) error {
		e, err = r.engine(t, c)
		return nil
	}); err != nil {
		return s, err
	}
	if err != nil { // what cannot be set up does not get better by waiting
		return s, &summary.Failure{Why: summary.WhyRefused, Err: err}
	}
	defer func() {
		if p := recover(); p != nil {
			// The value may quote the session: only its type is told.
			err = fmt.Errorf("engine %s broke down (%T)", e.Name(), p)
		}
	}()
	// Half of a lease is left for storing it, and for a server that stands still.
	ctx, cancel := context.WithTimeout(ctx, Lease/2)
	defer cancel()
	return e.Write(ctx, in, c.Lang)
}

// putBack lets a failed job rest, longer each time, or gives it up. It costs nothing.
func (r *Runner) putBack(ctx context.Context, job store.Job, why error) error {
	now := r.now()
	r.log.WarnContext(ctx, "summary failed", "session", job.Ref, "attempt", job.Attempts, "err", why)
	err := r.db.Tx(ctx, func(t *store.Tx) error {
		if job.Attempts >= MaxAttempts {
			return t.FailJob(job, now, why.Error())
		}
		wait := Backoff(job.Attempts)
		if f := (*summary.Failure)(nil); errors.As(why, &f) {
			wait = max(wait, f.After)
		}
		return t.RetryJob(job, now.Add(wait), why.Error())
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
		in.Grant, in.Engine = grants[0].ID, granted(grants)
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
