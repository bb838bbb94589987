package store

import (
	"fmt"
	"time"
)

// CountSessions is how many sessions of a company that are in sight began from
// one time (in) to another (not in), the erased ones with them.
func (t *Tx) CountSessions(company string, from, to time.Time) (int64, error) {
	return t.count(company, "", from, to)
}

// CountErased, CountWithdrawn and CountObjected are how many of these sessions were
// erased, had their grant withdrawn, and were objected to.
func (t *Tx) CountErased(company string, from, to time.Time) (int64, error) {
	return t.count(company, " AND s.erased_at > 0", from, to)
}

func (t *Tx) CountWithdrawn(company string, from, to time.Time) (int64, error) {
	return t.count(company, " AND s.withdrawn_at > 0", from, to)
}

func (t *Tx) CountObjected(company string, from, to time.Time) (int64, error) {
	return t.count(company, " AND s.objected_at > 0", from, to)
}

// count counts the sessions in sight of a time that fit a condition on streams s.
func (t *Tx) count(company, cond string, from, to time.Time, more ...any) (n int64, err error) {
	args := append([]any{company, ns(from), ns(to)}, more...)
	cond += t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
	err = t.one(`SELECT COUNT(*) FROM streams s WHERE s.company = $1 AND s.started_at >= $2 AND s.started_at < $3`+cond, args, &n)
	return n, err
}

// CountBasis is how many of these sessions rest on a basis; erased ones count for
// none.
func (t *Tx) CountBasis(company, basis string, from, to time.Time) (n int64, err error) {
	if t.sight != nil {
		return t.count(company, " AND s.erased_at = 0 AND s.basis = $4", from, to, basis)
	}
	err = t.one(`SELECT COUNT(*) FROM session_terms WHERE company = $1 AND term = $2 AND started_at >= $3 AND started_at < $4`,
		[]any{company, []byte(term(basisIs, basis)), ns(from), ns(to)}, &n)
	return n, err
}
