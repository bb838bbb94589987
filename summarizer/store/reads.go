package store

import "time"

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

// AddRead notes a look; first: it is the reader's first in this hour.
func (t *Tx) AddRead(company, ref, reader string, at time.Time) (first bool, err error) {
	n, err := t.exec(`INSERT INTO session_reads (company, ref, reader, hour, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		company, ref, reader, readHour(at), ns(at))
	return n > 0, err
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
