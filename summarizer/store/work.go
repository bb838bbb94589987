package store

import (
	"errors"
	"time"

	"github.com/oklog/ulid/v2"
)

// JobKind says what a job is for.
type JobKind string

// JobSummary: write the summary of the session Company, Device, Session.
const JobSummary JobKind = "summary"

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
	n, err := t.exec(`INSERT INTO jobs (`+jobColumns+`) VALUES ($1, $2, $3, $4, $5, $6, 'ready', $7, 0, 0, '', $7, 0)
		ON CONFLICT (kind, ref) DO NOTHING`, NewID(now), string(kind), k.Ref(), k.Company, k.Device, k.Session, ns(now))
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
	n, err := t.exec(`UPDATE jobs SET state = $3, run_at = $4, done_at = $5, last_error = $6, lease_until = 0
		WHERE id = $1 AND state = 'leased' AND lease_until = $2`,
		j.ID, ns(j.LeaseUntil), string(state), ns(runAt), ns(doneAt), why)
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

// HoldJob lets a leased job wait for credits. The attempt does not count.
func (t *Tx) HoldJob(j Job, why string) error {
	if err := t.leave(j, JobWaiting, j.RunAt, time.Time{}, why); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE jobs SET attempts = attempts - 1 WHERE id = $1`, j.ID)
	return err
}

// ReleaseJobs makes all waiting jobs of a company ready, after credits came in.
func (t *Tx) ReleaseJobs(company string, now time.Time) (int64, error) {
	n, err := t.exec(`UPDATE jobs SET state = 'ready', run_at = $2, last_error = '' WHERE company = $1 AND state = 'waiting'`, company, ns(now))
	t.jobs = t.jobs || n > 0
	return n, err
}

// RestartJob makes a failed or done job of a session ready again.
func (t *Tx) RestartJob(kind JobKind, k Key, now time.Time) error {
	n, err := t.exec(`UPDATE jobs SET state = 'ready', run_at = $3, attempts = 0, last_error = '', done_at = 0
		WHERE kind = $1 AND ref = $2 AND state IN ('failed', 'done')`, string(kind), k.Ref(), ns(now))
	t.jobs = t.jobs || n > 0
	return found(n, err)
}

// Job returns the job of kind for k, or ErrNotFound.
func (t *Tx) Job(kind JobKind, k Key) (j Job, err error) {
	err = t.one(`SELECT `+jobColumns+` FROM jobs WHERE kind = $1 AND ref = $2`, []any{string(kind), k.Ref()}, j.into()...)
	return j, err
}

// NextJob is the earliest time at which a job of kind can be claimed, or
// ErrNotFound.
func (t *Tx) NextJob(kind JobKind) (at time.Time, err error) {
	err = t.one(`SELECT CASE WHEN state = 'leased' THEN lease_until ELSE run_at END AS due FROM jobs
		WHERE kind = $1 AND state IN ('ready', 'leased') ORDER BY due LIMIT 1`, []any{string(kind)}, stamp{&at})
	return at, err
}

// CreditLot is a number of credits with a life time.
type CreditLot struct {
	ID        string
	Company   string
	Kind      string // free or addon
	Period    string // 2026-11 for free ones, the order's number for add-ons; unique for company and kind
	Granted   int64
	Remaining int64
	ValidFrom time.Time
	ExpiresAt time.Time // zero: never
	CreatedAt time.Time
}

// InsertLot adds a lot once: false where one of the same company, kind and
// period is there already.
func (t *Tx) InsertLot(l CreditLot) (added bool, err error) {
	n, err := t.exec(`INSERT INTO credit_lots (id, company, kind, period, granted, remaining, valid_from, expires_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) ON CONFLICT (company, kind, period) DO NOTHING`,
		NewID(l.CreatedAt), l.Company, l.Kind, l.Period, l.Granted, ns(l.ValidFrom), ns(l.ExpiresAt), ns(l.CreatedAt))
	return n > 0, err
}

const lotValid = ` valid_from <= $2 AND (expires_at = 0 OR expires_at > $2)`

// Lots lists the lots of a company that are valid at now, soonest expiry first.
func (t *Tx) Lots(company string, now time.Time) (list []CreditLot, err error) {
	err = t.each(`SELECT id, company, kind, period, granted, remaining, valid_from, expires_at, created_at FROM credit_lots
		WHERE company = $1 AND`+lotValid+` ORDER BY CASE WHEN expires_at = 0 THEN 1 ELSE 0 END, expires_at, id`,
		[]any{company, ns(now)}, func(scan func(...any) error) error {
			var l CreditLot
			if err := scan(&l.ID, &l.Company, &l.Kind, &l.Period, &l.Granted, &l.Remaining,
				stamp{&l.ValidFrom}, stamp{&l.ExpiresAt}, stamp{&l.CreatedAt}); err != nil {
				return err
			}
			list = append(list, l)
			return nil
		})
	return list, err
}

// Balance is what a company may still use at now.
func (t *Tx) Balance(company string, now time.Time) (n int64, err error) {
	err = t.one(`SELECT COALESCE(SUM(remaining), 0) FROM credit_lots WHERE company = $1 AND`+lotValid, []any{company, ns(now)}, &n)
	return n, err
}

// CreditUse is what one session cost.
type CreditUse struct {
	Key
	Lot    string // empty: free by the rule
	Amount int64
	At     time.Time
}

// UseCredit charges a session amount credits (0 or 1) from the lot that expires
// soonest, once: a session that was charged before is not charged again, whatever
// the amount. ErrNoCredit where no lot has enough.
func (t *Tx) UseCredit(k Key, amount int64, now time.Time) (CreditUse, error) {
	use, err := t.CreditUse(k)
	if !errors.Is(err, ErrNotFound) {
		return use, err
	}
	use = CreditUse{Key: k, Amount: amount, At: now}
	if amount > 0 {
		err := t.one(`UPDATE credit_lots SET remaining = remaining - $3 WHERE id = (
			SELECT id FROM credit_lots WHERE company = $1 AND remaining >= $3 AND`+lotValid+`
			ORDER BY CASE WHEN expires_at = 0 THEN 1 ELSE 0 END, expires_at, id LIMIT 1) RETURNING id`,
			[]any{k.Company, ns(now), amount}, &use.Lot)
		if errors.Is(err, ErrNotFound) {
			return CreditUse{}, ErrNoCredit
		}
		if err != nil {
			return CreditUse{}, err
		}
	}
	_, err = t.exec(`INSERT INTO credit_uses (company, device, session, lot, amount, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.Company, k.Device, k.Session, use.Lot, use.Amount, ns(use.At))
	return use, err
}

// CreditUse returns what a session was charged, or ErrNotFound.
func (t *Tx) CreditUse(k Key) (u CreditUse, err error) {
	u.Key = k
	err = t.one(`SELECT lot, amount, at FROM credit_uses WHERE company = $1 AND device = $2 AND session = $3`,
		[]any{k.Company, k.Device, k.Session}, &u.Lot, &u.Amount, stamp{&u.At})
	return u, err
}

// NewID is a new ULID (github.com/ulid/spec) for a thing made at now.
func NewID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
}
