package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"aval/summarizer/store"
)

// million fills a company with n sessions by SQL alone: a minute apart, of 40
// supporters and 3 tools, with words that many, few and single sessions have.
func million(b *testing.B, n int) *store.DB {
	b.Helper()
	dir := b.TempDir()
	db, err := store.Open(context.Background(), dir)
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Tx(context.Background(), func(x *store.Tx) error {
		if err := x.InsertCompany(store.Company{ID: "c1", Name: "c1", Tier: "self-hosted", Lang: "en", Settings: "{}", CreatedAt: t0}); err != nil {
			return err
		}
		return x.InsertDevice(store.Device{ID: "d1", Company: "c1", Name: "Balcão-01", AgentVersion: "1", EnrolledAt: t0}, "k", make([]byte, 32))
	}); err != nil {
		b.Fatal(err)
	}
	raw, err := sql.Open("sqlite", filepath.Join(dir, store.File)+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	count := fmt.Sprintf("WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < %d) ", n-1)
	at := fmt.Sprintf("%d + n * 60000000000", t0.UnixNano())
	term := func(value string) string {
		return count + `INSERT INTO session_terms SELECT 'c1', CAST(` + value + ` AS BLOB), ` + at + `, printf('%020x', n) FROM i`
	}
	for _, q := range []string{
		count + `INSERT INTO streams (company, device, session, ref, tool, supporter, supporter_verified, direction, basis, provenance, groups, started_at, opened_at,
			updated_at, acked, acked_hash, last_event_at, ended_at, end_reason, withdrawn_at, objected_at, erased_at, has_terms, title)
			SELECT 'c1', 'd1', 't/' || n, printf('%020x', n), 'ssh', 'Ana', FALSE, 'outgoing', 'consent', 'P2', '', ` + at + `, 1, 1, 9, x'', 1, 1, 'ended', 0, 0, 0, TRUE, 'Session ' || n FROM i`,
		term(`'w' || CASE n % 3 WHEN 0 THEN 'impressora' WHEN 1 THEN 'impressao' ELSE 'rede' END`), // a third each
		term(`'wcommon'`),
		term(`'w' || printf('%d', n)`), // one each
		term(`'ssupporter' || (n % 40)`),
		term(`'t' || CASE n % 1000 WHEN 0 THEN 'rare' ELSE 'ssh' END`),
		`ANALYZE`,
	} {
		if _, err := raw.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	return db
}

// BenchmarkSearch looks for what is common, rare, nowhere, and for conditions
// that are common alone and rare together, among AVAL_SESSIONS sessions (20,000
// if that is not set). worst-ms is the slowest of all looks.
func BenchmarkSearch(b *testing.B) {
	n := 20_000
	if s := os.Getenv("AVAL_SESSIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	db := million(b, n)
	defer db.Close()
	middle := store.Cursor{StartedAt: t0.Add(time.Duration(n/2) * time.Minute), Ref: fmt.Sprintf("%020x", n/2)}
	for _, c := range []struct {
		name  string
		q     store.Query
		after store.Cursor
	}{
		{"list", store.Query{}, store.Cursor{}},
		{"list-deep", store.Query{}, middle},
		{"common-word", store.Query{Text: "common"}, store.Cursor{}},
		{"prefix-of-many", store.Query{Text: "impress"}, store.Cursor{}},
		{"one-letter", store.Query{Text: "i"}, store.Cursor{}},
		{"broad-prefix", store.Query{Text: "1"}, store.Cursor{}},
		{"single", store.Query{Text: strconv.Itoa(n / 3)}, store.Cursor{}},
		{"nowhere", store.Query{Text: "xylophone"}, store.Cursor{}},
		{"two-common", store.Query{Text: "impressora common"}, store.Cursor{}},
		{"never-together", store.Query{Text: "impressora rede"}, store.Cursor{}},
		{"word-and-rare-tool", store.Query{Text: "rede", Tool: "rare"}, store.Cursor{}},
		{"dates", store.Query{From: t0.Add(time.Duration(n/2) * time.Minute), To: t0.Add(time.Duration(n/2+500) * time.Minute), Supporter: "supporter7"}, store.Cursor{}},
		{"failed", store.Query{State: store.ListFailed}, store.Cursor{}},
		{"open-state", store.Query{State: store.ListRecording}, store.Cursor{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				if err := db.View(context.Background(), func(x *store.Tx) error { _, err := x.Search("c1", c.q, c.after, 50); return err }); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			b.ReportMetric(float64(slices.Max(times))/1e6, "worst-ms")
		})
	}
}
