package store

import (
	"errors"
	"time"
)

// Read is who has read a session, and in how many hours.
type Read struct {
	Reader string // as the audit log names actors
	Last   time.Time
	Hours  int64
}

// readHour is the hour that a look counts for.
func readHour(at time.Time) int64 { return ns(at.Truncate(time.Hour)) }

// WasRead tells whether this reader's look in this hour is noted.
func (t *Tx) WasRead(company, ref, reader string, at time.Time) (was bool, err error) {
	var n int64
	err = t.one(`SELECT COUNT(*) FROM session_reads WHERE company = $1 AND ref = $2 AND reader = $3 AND hour = $4`, []any{company, ref, reader, readHour(at)}, &n)
	return n > 0, err
}

// AddRead notes a look; first: it is the reader's first in this hour. Then the
// session's device is told, for the person to know.
func (t *Tx) AddRead(company, ref, reader string, at time.Time) (first bool, err error) {
	n, err := t.exec(`INSERT INTO session_reads (company, ref, reader, hour, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		company, ref, reader, readHour(at), ns(at))
	if err != nil || n == 0 {
		return false, err
	}
	var device string
	err = t.one(`UPDATE streams SET summary_news = 1 WHERE company = $1 AND ref = $2 AND erased_at = 0 RETURNING device`, []any{company, ref}, &device)
	if errors.Is(err, ErrNotFound) {
		return true, nil // nothing is there any more on either side
	}
	t.news = append(t.news, device)
	return true, err
}

// Count is how often a session has been read, a reader's looks within one hour as one.
type Count struct {
	Times    int64
	People   int64
	Programs int64     // those that came with a company's own token
	Last     time.Time // zero: never
}

// CountReads counts who has read a session.
func (t *Tx) CountReads(company, ref string) (c Count, err error) {
	err = t.one(`SELECT COUNT(*), COUNT(DISTINCT CASE WHEN reader LIKE 'token:%' THEN NULL ELSE reader END),
		COUNT(DISTINCT CASE WHEN reader LIKE 'token:%' THEN reader END), COALESCE(MAX(at), 0)
		FROM session_reads WHERE company = $1 AND ref = $2`, []any{company, ref}, &c.Times, &c.People, &c.Programs, stamp{&c.Last})
	return c, err
}

// Reads lists who has read a session, the last ones first, at most max.
func (t *Tx) Reads(company, ref string, max int) (list []Read, err error) {
	err = t.each(`SELECT reader, MAX(at), COUNT(*) FROM session_reads WHERE company = $1 AND ref = $2 GROUP BY reader ORDER BY MAX(at) DESC, reader LIMIT $3`,
		[]any{company, ref, int64(max)}, func(scan func(...any) error) error {
			var r Read
			if err := scan(&r.Reader, stamp{&r.Last}, &r.Hours); err != nil {
				return err
			}
			list = append(list, r)
			return nil
		})
	return list, err
}
