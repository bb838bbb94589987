package store

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// Facts are what an administrator wants to know of a database.
type Facts struct {
	Engine  string        `json:"engine"`
	Where   string        `json:"where"` // without a password
	Schema  int64         `json:"schema"`
	Bytes   int64         `json:"bytes"`
	Latency time.Duration `json:"latency_ns"` // of one small question
	// Ahead is the database's clock minus this computer's; zero where it is the same.
	Ahead time.Duration `json:"clock_ahead_ns"`
	// Doubts are settings of the database under which a promise may not hold.
	Doubts []string `json:"doubts"`
}

// Inspect looks at the database; it changes nothing.
func (db *DB) Inspect(ctx context.Context) (f Facts, err error) {
	f.Where = db.Where()
	start := time.Now()
	if err := db.View(ctx, func(tx *Tx) error {
		return tx.one(`SELECT MAX(version_id) FROM goose_db_version`, nil, &f.Schema)
	}); err != nil {
		return f, err
	}
	f.Latency = time.Since(start)
	return f, db.engine.inspect(ctx, db, &f)
}

func (e *sqliteEngine) inspect(ctx context.Context, db *DB, f *Facts) error {
	if err := db.read.QueryRowContext(ctx, `SELECT 'SQLite ' || sqlite_version()`).Scan(&f.Engine); err != nil {
		return e.explain(err)
	}
	for _, part := range []string{"", "-wal"} {
		if st, err := os.Stat(e.path + part); err == nil {
			f.Bytes += st.Size()
		}
	}
	var verdict string
	if err := db.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return e.explain(err)
	}
	if verdict != "ok" {
		f.Doubts = append(f.Doubts, "it is damaged: "+verdict)
	}
	return nil
}

func (e *postgresEngine) inspect(ctx context.Context, db *DB, f *Facts) error {
	var fsync, pages, collation string
	var connections, used int
	var now time.Time
	before := time.Now()
	err := db.read.QueryRowContext(ctx, `SELECT 'PostgreSQL ' || current_setting('server_version'), pg_database_size(current_database()),
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('max_connections')::int,
		(SELECT COUNT(*) FROM pg_stat_activity)::int, (SELECT datcollate FROM pg_database WHERE datname = current_database()), clock_timestamp()`).
		Scan(&f.Engine, &f.Bytes, &fsync, &pages, &connections, &used, &collation, &now)
	if err != nil {
		return e.explain(err)
	}
	f.Ahead = now.Sub(before.Add(time.Since(before) / 2)).Round(time.Millisecond)
	if fsync != "on" {
		f.Doubts = append(f.Doubts, "fsync is off there: a power cut loses what was acknowledged")
	}
	if pages != "on" {
		f.Doubts = append(f.Doubts, "full_page_writes is off there: a power cut may damage it")
	}
	if used > connections*9/10 {
		f.Doubts = append(f.Doubts, fmt.Sprintf("%d of %d connections are in use there", used, connections))
	}
	if !slices.Contains([]string{"C", "POSIX", "C.UTF-8", "C.utf8"}, collation) {
		f.Doubts = append(f.Doubts, fmt.Sprintf("it sorts by %s: after an upgrade of that system's C library its indexes must be rebuilt (REINDEX), and names sort otherwise than in the embedded database", collation))
	}
	return nil
}

// JobCount is how many jobs of a kind are in a state.
type JobCount struct {
	Kind   JobKind
	State  JobState
	N      int64
	Oldest time.Time // the earliest time at which one of them was due
}

// JobCounts counts the jobs of all companies, done ones left out.
func (t *Tx) JobCounts() (list []JobCount, err error) {
	err = t.each(`SELECT kind, state, COUNT(*), MIN(CASE WHEN state = 'leased' THEN lease_until ELSE run_at END) FROM jobs
		WHERE state <> 'done' GROUP BY kind, state ORDER BY kind, state`, nil, func(scan func(...any) error) error {
		var c JobCount
		if err := scan(&c.Kind, &c.State, &c.N, stamp{&c.Oldest}); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

// Skews are the clock differences of the computers that have connected since, the
// latest max of them.
func (t *Tx) Skews(since time.Time, max int) (list []time.Duration, err error) {
	err = t.each(`SELECT clock_skew FROM devices WHERE last_seen_at > $1 AND code = '' ORDER BY last_seen_at DESC LIMIT $2`,
		[]any{ns(since), int64(max)}, func(scan func(...any) error) error {
			var d int64
			err := scan(&d)
			list = append(list, time.Duration(d))
			return err
		})
	return list, err
}

// CountDevices counts the enrolled computers of all companies that are not
// revoked, and those of them that have connected since.
func (t *Tx) CountDevices(since time.Time) (all, seen int64, err error) {
	err = t.one(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN last_seen_at > $1 THEN 1 ELSE 0 END), 0) FROM devices
		WHERE revoked_at = 0 AND code = ''`, []any{ns(since)}, &all, &seen)
	return all, seen, err
}
