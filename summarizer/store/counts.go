package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The charts count sessions of a month, of which there may be hundreds of
// thousands. They are counted a little later, by the server's runner: so agents
// that begin sessions at once do not meet in one row. What is not counted yet, or
// otherwise than it is now, is found by an index of its own and added by whoever
// asks: the answer is exact at any time, whichever version of the server wrote.

// quarter is the step of session_counts: the offset of every time zone is a
// multiple of it.
const quarter = 15 * time.Minute

// CountedErased is what erased sessions are counted as; the others as their basis.
const CountedErased = "erased"

// countsAs is what a session is to be counted as. The index streams_uncounted has
// the same words.
const countsAs = `CASE WHEN erased_at > 0 THEN 'erased' ELSE basis END`

// dayOf is the day that a time is in; -1: none of them.
func dayOf(days []time.Time, at time.Time) int {
	day, exact := slices.BinarySearchFunc(days, at, time.Time.Compare)
	if !exact {
		day--
	}
	if day >= len(days)-1 {
		return -1
	}
	return day
}

// CountDays counts the sessions of a company, of those that are in sight, that began
// in each of the days, which are given by their beginnings and the end of the last
// one, and all of them by what they are counted as. Days begin at a quarter of an hour.
func (t *Tx) CountDays(company string, days []time.Time) (each []int64, as map[string]int64, err error) {
	each, as = make([]int64, len(days)-1), map[string]int64{}
	add := func(at time.Time, what string, n int64) {
		if day := dayOf(days, at); day >= 0 && what != "" {
			each[day] += n
			as[what] += n
		}
	}
	from, to := ns(days[0]), ns(days[len(days)-1])
	if t.sight != nil { // somebody's own are few, and are counted one by one
		args := []any{company, from, to}
		seen := t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
		err = t.each(`SELECT s.started_at, `+countsAs+` FROM streams s WHERE s.company = $1 AND s.started_at >= $2 AND s.started_at < $3`+seen, args,
			func(scan func(...any) error) error {
				var at time.Time
				var is string
				err := scan(stamp{&at}, &is)
				add(at, is, 1)
				return err
			})
		return each, as, err
	}
	err = t.each(`SELECT quarter, what, n FROM session_counts WHERE company = $1 AND quarter >= $2 AND quarter < $3`,
		[]any{company, from / int64(quarter), to / int64(quarter)}, func(scan func(...any) error) error {
			var q, n int64
			var what string
			err := scan(&q, &what, &n)
			add(time.Unix(0, q*int64(quarter)), what, n)
			return err
		})
	if err != nil {
		return nil, nil, err
	}
	err = t.each(`SELECT started_at, counted, `+countsAs+` FROM streams WHERE company = $1 AND started_at >= $2 AND started_at < $3 AND counted <> `+countsAs,
		[]any{company, from, to}, func(scan func(...any) error) error {
			var at time.Time
			var was, is string
			err := scan(stamp{&at}, &was, &is)
			add(at, was, -1)
			add(at, is, 1)
			return err
		})
	return each, as, err
}

// CountWithdrawn and CountObjected are how many of the sessions of a company that
// are in sight and began from one time (in) to another (not in) had their grant
// withdrawn, and were objected to.
func (t *Tx) CountWithdrawn(company string, from, to time.Time) (int64, error) {
	return t.count(company, " AND s.withdrawn_at > 0", from, to)
}

func (t *Tx) CountObjected(company string, from, to time.Time) (int64, error) {
	return t.count(company, " AND s.objected_at > 0", from, to)
}

// count counts the sessions in sight of a time that fit a condition on streams s.
func (t *Tx) count(company, cond string, from, to time.Time) (n int64, err error) {
	args := []any{company, ns(from), ns(to)}
	cond += t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
	err = t.one(`SELECT COUNT(*) FROM streams s WHERE s.company = $1 AND s.started_at >= $2 AND s.started_at < $3`+cond, args, &n)
	return n, err
}

// CountNew counts sessions that are not, or otherwise than they are now, at most
// max of them. n is how many it did; 0: all are.
func (t *Tx) CountNew(max int) (n int, err error) {
	type key struct {
		company string
		quarter int64
		what    string
	}
	counts, refs := map[key]int64{}, []any{}
	err = t.each(`SELECT company, ref, started_at, counted, `+countsAs+` FROM streams WHERE counted <> `+countsAs+` LIMIT $1`, []any{int64(max)},
		func(scan func(...any) error) error {
			var company, ref, was, is string
			var at int64
			if err := scan(&company, &ref, &at, &was, &is); err != nil {
				return err
			}
			if was != "" {
				counts[key{company, at / int64(quarter), was}]--
			}
			counts[key{company, at / int64(quarter), is}]++
			refs = append(refs, ref)
			return nil
		})
	if err != nil || len(refs) == 0 {
		return 0, err
	}
	// In one order, so that two servers that count at once do not wait for each other.
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b key) int {
		return strings.Compare(fmt.Sprintf("%s %020d %s", a.company, a.quarter, a.what), fmt.Sprintf("%s %020d %s", b.company, b.quarter, b.what))
	}) {
		if _, err := t.exec(`INSERT INTO session_counts (company, quarter, what, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (company, quarter, what) DO UPDATE SET n = session_counts.n + excluded.n`, k.company, k.quarter, k.what, counts[k]); err != nil {
			return 0, err
		}
	}
	for chunk := range slices.Chunk(refs, 100) {
		places := make([]string, len(chunk))
		for i := range chunk {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
		if _, err := t.exec(`UPDATE streams SET counted = `+countsAs+` WHERE ref IN (`+strings.Join(places, ", ")+`)`, chunk...); err != nil {
			return 0, err
		}
	}
	return len(refs), nil
}

// AnyUncounted tells whether CountNew has something to do.
func (t *Tx) AnyUncounted() (any bool, err error) {
	err = t.one(`SELECT EXISTS (SELECT 1 FROM streams WHERE counted <> `+countsAs+`)`, nil, &any)
	return any, err
}
