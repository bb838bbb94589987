package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// What was used of credits is counted as sessions are, and for the same reasons: see
// counts.go. A use is never changed once it is there.

// UsedDays is how much each lot of a company was used in each of the days, which are
// given by their beginnings and the end of the last one. Days begin at a quarter of
// an hour.
func (t *Tx) UsedDays(company string, days []time.Time) (each []map[string]int64, err error) {
	each = make([]map[string]int64, len(days)-1)
	for i := range each {
		each[i] = map[string]int64{}
	}
	from, to := ns(days[0]), ns(days[len(days)-1])
	add := func(query string, unit int64) {
		if err != nil {
			return
		}
		err = t.each(query, []any{company, from / unit, to / unit}, func(scan func(...any) error) error {
			var at, n int64
			var lot string
			err := scan(&at, &lot, &n)
			if day := dayOf(days, time.Unix(0, at*unit)); day >= 0 {
				each[day][lot] += n
			}
			return err
		})
	}
	add(`SELECT quarter, lot, n FROM credit_counts WHERE company = $1 AND quarter >= $2 AND quarter < $3`, int64(quarter))
	add(`SELECT at, lot, amount FROM credit_uses WHERE company = $1 AND at >= $2 AND at < $3 AND counted = 0 AND amount > 0`, 1)
	return each, err
}

// CountUses counts uses that are not, at most max of them. n is how many it did; 0:
// all are.
func (t *Tx) CountUses(max int) (n int, err error) {
	type key struct {
		company string
		quarter int64
		lot     string
	}
	counts, uses := map[key]int64{}, map[string][]any{}
	err = t.each(`SELECT company, device, session, lot, amount, at FROM credit_uses WHERE counted = 0 AND amount > 0 LIMIT $1`, []any{int64(max)},
		func(scan func(...any) error) error {
			var k Key
			var lot string
			var amount, at int64
			err := scan(&k.Company, &k.Device, &k.Session, &lot, &amount, &at)
			counts[key{k.Company, at / int64(quarter), lot}] += amount
			uses[k.Company] = append(uses[k.Company], k.Device, k.Session)
			n++
			return err
		})
	if err != nil {
		return 0, err
	}
	// In one order, so that two servers that count at once do not wait for each other.
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b key) int {
		return strings.Compare(fmt.Sprintf("%s %020d %s", a.company, a.quarter, a.lot), fmt.Sprintf("%s %020d %s", b.company, b.quarter, b.lot))
	}) {
		if _, err := t.exec(`INSERT INTO credit_counts (company, quarter, lot, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (company, quarter, lot) DO UPDATE SET n = credit_counts.n + excluded.n`, k.company, k.quarter, k.lot, counts[k]); err != nil {
			return 0, err
		}
	}
	for _, company := range slices.Sorted(maps.Keys(uses)) {
		for chunk := range slices.Chunk(uses[company], 200) {
			args, rows := []any{company}, make([]string, len(chunk)/2)
			for i := range rows {
				args = append(args, chunk[2*i], chunk[2*i+1])
				rows[i] = fmt.Sprintf("($%d, $%d)", len(args)-1, len(args))
			}
			if _, err := t.exec(`UPDATE credit_uses SET counted = 1 WHERE company = $1 AND (device, session) IN (VALUES `+strings.Join(rows, ", ")+`)`, args...); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// AnyUncountedUse tells whether CountUses has something to do.
func (t *Tx) AnyUncountedUse() (any bool, err error) {
	err = t.one(`SELECT EXISTS (SELECT 1 FROM credit_uses WHERE counted = 0 AND amount > 0)`, nil, &any)
	return any, err
}
