package store

import (
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// JobKind says what a job is for.
type JobKind string

// Kinds of job.
const (
	JobSummary  JobKind = "summary"  // write the summary of the session Company, Device, Session
	JobDelivery JobKind = "delivery" // make the delivery Ref of Company
)

// JobState is where a job stands.
type JobState string

// The states of a job.
const (
	JobReady   JobState = "ready"   // to be done at RunAt or later
	JobLeased  JobState = "leased"  // a worker has it until LeaseUntil
	JobWaiting JobState = "waiting" // for credits; ReleaseJobs makes it ready
	JobDone    JobState = "done"
	JobFailed  JobState = "failed" // given up; LastError says why
)

// Job is one piece of leased work.
type Job struct {
	Key
	ID         string
	Kind       JobKind
	Ref        string // unique for the kind
	State      JobState
	RunAt      time.Time
	LeaseUntil time.Time
	Attempts   int64
	LastError  string
	CreatedAt  time.Time
	DoneAt     time.Time
}

const jobColumns = `id, kind, ref, company, device, session, state, run_at, lease_until, attempts, last_error, created_at, done_at`

func (j *Job) into() []any {
	return []any{&j.ID, &j.Kind, &j.Ref, &j.Company, &j.Device, &j.Session, &j.State, stamp{&j.RunAt}, stamp{&j.LeaseUntil},
		&j.Attempts, &j.LastError, stamp{&j.CreatedAt}, stamp{&j.DoneAt}}
}

// AddJob adds a job of kind for k, once: a second call changes nothing.
func (t *Tx) AddJob(kind JobKind, k Key, now time.Time) error {
	return t.addJob(kind, k.Ref(), k, now)
}

func (t *Tx) addJob(kind JobKind, ref string, k Key, now time.Time) error {
	n, err := t.exec(`INSERT INTO jobs (`+jobColumns+`) VALUES ($1, $2, $3, $4, $5, $6, 'ready', $7, 0, 0, '', $7, 0)
		ON CONFLICT (kind, ref) DO NOTHING`, NewID(now), string(kind), ref, k.Company, k.Device, k.Session, ns(now))
	t.jobs = t.jobs || n > 0
	return err
}

// ClaimJob leases the job of kind that has been due longest, or one whose lease
// ran out. ErrNotFound where nothing is due.
func (t *Tx) ClaimJob(kind JobKind, now time.Time, lease time.Duration) (j Job, err error) {
	err = t.one(`UPDATE jobs SET state = 'leased', lease_until = $3, attempts = attempts + 1
		WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND
			((state = 'ready' AND run_at <= $2) OR (state = 'leased' AND lease_until <= $2))
			ORDER BY run_at, id LIMIT 1`+t.skip+`)
		RETURNING `+jobColumns, []any{string(kind), ns(now), ns(now.Add(lease))}, j.into()...)
	return j, err
}

// leave ends a lease; ErrLeaseLost where another worker has the job by now.
func (t *Tx) leave(j Job, state JobState, runAt, doneAt time.Time, why string) error {
	n, err := t.exec(`UPDATE jobs SET state = $4, run_at = $5, done_at = $6, last_error = $7, lease_until = 0
		WHERE company = $1 AND id = $2 AND state = 'leased' AND lease_until = $3`,
		j.Company, j.ID, ns(j.LeaseUntil), string(state), ns(runAt), ns(doneAt), why)
	if err == nil && n == 0 {
		return ErrLeaseLost
	}
	return err
}

// FinishJob marks a leased job as done. Call it in the transaction that stores
// the job's result, so that a lost lease (ErrLeaseLost) rolls both back.
func (t *Tx) FinishJob(j Job, now time.Time) error { return t.leave(j, JobDone, j.RunAt, now, "") }

// RetryJob gives a leased job back, to be done at runAt or later.
func (t *Tx) RetryJob(j Job, runAt time.Time, why string) error {
	return t.leave(j, JobReady, runAt, time.Time{}, why)
}

// FailJob gives a leased job up for good.
func (t *Tx) FailJob(j Job, now time.Time, why string) error {
	return t.leave(j, JobFailed, j.RunAt, now, why)
}

// PutOffJob gives a leased job back without an attempt having been made.
func (t *Tx) PutOffJob(j Job, runAt time.Time) error {
	if err := t.leave(j, JobReady, runAt, time.Time{}, j.LastError); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE jobs SET attempts = attempts - 1 WHERE company = $1 AND id = $2`, j.Company, j.ID)
	return err
}

// HoldJob lets a leased job wait for credits. The attempt does not count.
func (t *Tx) HoldJob(j Job, why string) error {
	if err := t.leave(j, JobWaiting, j.RunAt, time.Time{}, why); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE jobs SET attempts = attempts - 1 WHERE company = $1 AND id = $2`, j.Company, j.ID)
	return err
}

// ReleaseJobs makes all waiting jobs of a company ready, after credits came in.
func (t *Tx) ReleaseJobs(company string, now time.Time) (int64, error) {
	n, err := t.exec(`UPDATE jobs SET state = 'ready', run_at = $2, last_error = '' WHERE company = $1 AND state = 'waiting'`, company, ns(now))
	t.jobs = t.jobs || n > 0
	return n, err
}

// JobsWaiting is how many jobs of a company wait for credits, of the sessions that
// are in sight.
func (t *Tx) JobsWaiting(company string) (n int64, err error) {
	if t.sight != nil {
		args := []any{company}
		seen := t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
		err = t.one(`SELECT COUNT(*) FROM jobs j JOIN streams s ON s.company = j.company AND s.ref = j.ref WHERE j.company = $1 AND j.state = 'waiting'`+seen, args, &n)
		return n, err
	}
	err = t.one(`SELECT COUNT(*) FROM jobs WHERE company = $1 AND state = 'waiting'`, []any{company}, &n)
	return n, err
}

// RestartJob makes a failed or done job of a session ready again.
func (t *Tx) RestartJob(kind JobKind, k Key, now time.Time) error {
	n, err := t.exec(`UPDATE jobs SET state = 'ready', run_at = $4, attempts = 0, last_error = '', done_at = 0
		WHERE company = $1 AND kind = $2 AND ref = $3 AND state IN ('failed', 'done')`, k.Company, string(kind), k.Ref(), ns(now))
	t.jobs = t.jobs || n > 0
	return found(n, err)
}

// Job returns the job of kind for k, or ErrNotFound.
func (t *Tx) Job(kind JobKind, k Key) (j Job, err error) {
	err = t.one(`SELECT `+jobColumns+` FROM jobs WHERE company = $1 AND kind = $2 AND ref = $3`, []any{k.Company, string(kind), k.Ref()}, j.into()...)
	return j, err
}

// NextJob is the earliest time at which a job of kind can be claimed, or
// ErrNotFound.
func (t *Tx) NextJob(kind JobKind) (at time.Time, err error) {
	err = t.one(`SELECT CASE WHEN state = 'leased' THEN lease_until ELSE run_at END AS due FROM jobs
		WHERE kind = $1 AND state IN ('ready', 'leased') ORDER BY due LIMIT 1`, []any{string(kind)}, stamp{&at})
	return at, err
}

// NewID is a new ULID (github.com/ulid/spec) for a thing made at now.
func NewID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
}
