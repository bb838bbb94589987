package scale

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// sessions that are stored; AVAL_SESSIONS is another number.
func sessions() int {
	if n, err := strconv.Atoi(os.Getenv("AVAL_SESSIONS")); err == nil {
		return n
	}
	return 1_000_000
}

// many fills a database with sessions, each with a job that is done, a summary
// and words to be found by; every hundredth with events. The numbers come from
// series, which the two databases write differently.
func many(b *testing.B, raw *sql.DB, postgres bool, n int) {
	series, hex := fmt.Sprintf("WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d)", n), "printf('%020x', i)"
	if postgres {
		series, hex = fmt.Sprintf("WITH g(i) AS (SELECT * FROM generate_series(1, %d))", n), "lpad(to_hex(i), 20, '0')"
	}
	bytes := func(text string) string {
		if postgres {
			return "convert_to(" + text + ", 'UTF8')"
		}
		return "CAST(" + text + " AS BLOB)"
	}
	empty := "x''"
	if postgres {
		empty = "''::bytea"
	}
	// A session every so often, ending now.
	every, err := strconv.ParseFloat(os.Getenv("AVAL_MINUTES"), 64)
	if err != nil {
		every = 1
	}
	at := fmt.Sprintf("(CAST(%d AS BIGINT) - (%d - i) * CAST(%d AS BIGINT))", time.Now().UnixNano(), n, int64(every*float64(time.Minute)))
	summary := `{"Name":"Printer does not print","Summary":"The queue was cleared and a test page printed."}`
	for _, s := range []string{
		`INSERT INTO devices (id, company, name, agent_version, enrolled_at, last_seen_at, clock_skew, revoked_at) SELECT 'd', id, 'desk', 'test', 1, 1, 0, 0 FROM companies`,
		series + ` INSERT INTO streams (company, device, session, ref, tool, supporter, supporter_verified, direction, basis, provenance, groups,
			started_at, opened_at, updated_at, acked, acked_hash, last_event_at, ended_at, end_reason, withdrawn_at, objected_at, erased_at, has_terms, title)
			SELECT c.id, 'd', 'x11vnc/' || i, ` + hex + `, 'x11vnc', 'Ana', TRUE, 'outgoing', 'consent', 'P2', 'windows', ` + at + `, ` + at + `, ` + at + `,
			0, ` + empty + `, 0, ` + at + `, 'ended', 0, 0, 0, TRUE, 'Printer does not print' FROM g, companies c`,
		series + ` INSERT INTO jobs (id, kind, ref, company, device, session, state, run_at, lease_until, attempts, last_error, created_at, done_at)
			SELECT ` + hex + `, 'summary', ` + hex + `, c.id, 'd', 'x11vnc/' || i, 'done', 1, 0, 1, '', 1, 1 FROM g, companies c`,
		series + ` INSERT INTO summaries (company, device, session, version, json, engine, lang, author, created_at)
			SELECT c.id, 'd', 'x11vnc/' || i, 1, '` + summary + `', 'rules', 'en', '', 1 FROM g, companies c`,
		series + ` INSERT INTO session_terms (company, term, started_at, ref) SELECT c.id, ` + bytes("'wprinter'") + `, ` + at + `, ` + hex + ` FROM g, companies c`,
		series + ` INSERT INTO session_terms (company, term, started_at, ref) SELECT c.id, ` + bytes("'wcase' || (i % 5000)") + `, ` + at + `, ` + hex + ` FROM g, companies c`,
		series + ` INSERT INTO session_terms (company, term, started_at, ref) SELECT c.id, ` + bytes("'bconsent'") + `, ` + at + `, ` + hex + ` FROM g, companies c`,
		series + ` INSERT INTO grants (company, device, id, session, key_id, envelope, tool, supporter, direction, basis, provenance, groups, made_at, not_before, expires, received_at, withdrawn_at)
			SELECT c.id, 'd', 'G' || i, 'x11vnc/' || i, 'k', ` + empty + `, 'x11vnc', 'Ana', 'outgoing', 'consent', 'P2', 'windows', 1, 1, 2, 1, 0 FROM g, companies c WHERE i % 100 = 0`,
		series + ` INSERT INTO events (company, device, session, seq, grant_id, kind, at, fields)
			SELECT c.id, 'd', 'x11vnc/' || i, s.n, 'G' || i, 'window-focused', 1, '{"title":"Printer queue"}' FROM g, companies c, (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) s WHERE i % 100 = 0`,
		fmt.Sprintf(`INSERT INTO credit_lots (id, company, kind, period, granted, remaining, valid_from, expires_at, created_at) SELECT 'L', id, 'addon', 'x', %d, 0, 1, 0, 1 FROM companies`, n),
		series + ` INSERT INTO credit_uses (company, device, session, lot, amount, at) SELECT c.id, 'd', 'x11vnc/' || i, 'L', 1, ` + at + ` FROM g, companies c`,
		strings.Replace(series, fmt.Sprint(n), fmt.Sprint(n/10), 1) + ` INSERT INTO devices (id, company, name, hostname, search, agent_version, enrolled_at, last_seen_at, clock_skew, revoked_at)
			SELECT 'D' || i, c.id, 'Desk ' || i, 'pc' || i, 'desk ' || i || ' pc' || i || '.example.com', 'test', i, 1, 0, 0 FROM g, companies c`,
	} {
		if _, err := raw.Exec(s); err != nil {
			b.Fatalf("%s: %v", s[:min(len(s), 150)], err)
		}
	}
}

// BenchmarkMillion is how long the list, a page far down, a search (a rare word, a
// common one, both), one session, the charts and a search among a tenth as many
// computers take, with a million of sessions stored. Goal: 100 ms each.
// AVAL_MINUTES=0.04 has all of them in the last month; 1, a session a minute, in two
// years.
func BenchmarkMillion(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			dir, address := b.TempDir(), ""
			if engine == "postgres" {
				p, err := storetest.StartPostgres("fsync=off", "max_wal_size=8GB", "shared_buffers=256MB")
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(p.Stop)
				if err := p.Create("aval", "template0"); err != nil {
					b.Fatal(err)
				}
				address = p.Address("aval")
			}
			db, err := store.Open(context.Background(), dir, store.Database(address))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = db.Close() })
			const company = "c1"
			if err := db.Tx(context.Background(), func(tx *store.Tx) error {
				return tx.InsertCompany(store.Company{ID: company, Name: "Example Support", Tier: "self-hosted", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: time.Now()})
			}); err != nil {
				b.Fatal(err)
			}
			driver, source := "pgx", address
			if engine == "sqlite" {
				driver, source = "sqlite", "file:"+filepath.Join(dir, store.File)+"?_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)&_pragma=journal_mode(WAL)"
			}
			raw, err := sql.Open(driver, source)
			if err != nil {
				b.Fatal(err)
			}
			n := sessions()
			many(b, raw, engine == "postgres", n)
			for left := 1; left > 0; { // what the server's runner does after an upgrade
				if err := db.Tx(context.Background(), func(tx *store.Tx) error {
					n, err := tx.IndexOldDevices(1000)
					if err == nil {
						left, err = tx.CountNew(10_000)
					}
					left += n
					if err == nil {
						n, err = tx.CountUses(10_000)
					}
					left += n
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
			if engine == "postgres" { // what it does by itself, soon; the embedded one never
				if _, err := raw.Exec(`VACUUM ANALYZE`); err != nil {
					b.Fatal(err)
				}
			}
			_ = raw.Close()

			var down store.Cursor // after half of them
			if err := db.View(context.Background(), func(tx *store.Tx) error {
				s, err := tx.StreamByRef(company, fmt.Sprintf("%020x", n/2))
				down = s.Cursor()
				return err
			}); err != nil {
				b.Fatal(err)
			}
			for _, what := range []struct {
				name string
				do   func(tx *store.Tx) error
			}{
				{"list", func(tx *store.Tx) error { return page(tx.Streams(company, store.Cursor{}, 50)) }},
				{"far-down", func(tx *store.Tx) error { return page(tx.Streams(company, down, 50)) }},
				{"search-rare", func(tx *store.Tx) error { return find(tx, company, "case4711") }},
				{"search-common", func(tx *store.Tx) error { return find(tx, company, "printer") }},
				{"search-both", func(tx *store.Tx) error { return find(tx, company, "printer case4711") }},
				{"charts", func(tx *store.Tx) error { return charts(tx, company) }},
				{"credits", func(tx *store.Tx) error { return credits(tx, company) }},
				{"computer-rare", func(tx *store.Tx) error { return computers(tx, company, fmt.Sprintf("c%d.ex", n/20)) }},
				{"computer-common", func(tx *store.Tx) error { return computers(tx, company, "example") }},
				{"open", func(tx *store.Tx) error {
					s, err := tx.StreamByRef(company, fmt.Sprintf("%020x", n/200*100))
					if err != nil {
						return err
					}
					if _, err := tx.Summaries(s.Key); err != nil {
						return err
					}
					evs, err := tx.Events(s.Key, 0, 0)
					if err == nil && len(evs) != 3 {
						err = fmt.Errorf("%d events", len(evs))
					}
					return err
				}},
			} {
				b.Run(what.name, func(b *testing.B) {
					for b.Loop() {
						if err := db.View(context.Background(), what.do); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms")
				})
			}
		})
	}
}

// days are the last n days and the end of today.
func days(n int) (out []time.Time) {
	const day = 24 * time.Hour
	for i := range n + 1 {
		out = append(out, time.Now().Truncate(day).Add(time.Duration(i-n+1)*day))
	}
	return out
}

// charts asks for what the overview shows of thirty days.
func charts(tx *store.Tx, company string) error {
	each, as, err := tx.CountDays(company, days(30))
	var all int64
	for _, n := range each {
		all += n
	}
	if err == nil && (all == 0 || as["consent"] != all) {
		err = fmt.Errorf("%d sessions, %v", all, as)
	}
	return err
}

// credits asks for what the chart of credits shows of sixty days.
func credits(tx *store.Tx, company string) error {
	each, err := tx.UsedDays(company, days(60))
	var all int64
	for _, used := range each {
		all += used["L"]
	}
	if err != nil {
		return err
	}
	if all == 0 {
		return fmt.Errorf("nothing was used")
	}
	return nil
}

func computers(tx *store.Tx, company, search string) error {
	list, err := tx.DevicePage(company, store.DeviceQuery{Search: search, Limit: 50})
	if err == nil && (len(list) == 0 || len(list) > 50) {
		err = fmt.Errorf("%d computers", len(list))
	}
	return err
}

func page(list []store.Stream, err error) error {
	if err == nil && len(list) != 50 {
		err = fmt.Errorf("%d on a page", len(list))
	}
	return err
}

func find(tx *store.Tx, company, words string) error {
	found, err := tx.Search(company, store.Query{Text: words}, store.Cursor{}, 50)
	if err == nil && len(found.Streams) == 0 {
		err = fmt.Errorf("%s is not found", strings.ToUpper(words))
	}
	return err
}
