package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// A program goes on with a database that a newer one has changed only where that
// one says that it may; a server that is running notices what comes later. Planted:
// with the second column taken for enough, what a newer server had begun and not
// finished was opened; without Fits in /readyz the balancer kept the older server
// (test/scale).
func TestNewerSchema(t *testing.T) {
	for _, c := range []struct {
		name    string
		says    string
		refused bool
	}{
		{"it says nothing", ``, true},
		{"it has begun and not said anything yet", `UPDATE schema_oldest SET version = 9998, oldest = 25`, true},
		{"only newer programs", `UPDATE schema_oldest SET version = 9999, oldest = 9998`, true},
		{"this one may", `UPDATE schema_oldest SET version = 9999, oldest = 25`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := storetest.Dir(t)
			db := open(t, dir)
			k := seed(t, db, "x/1", 1)
			if err := db.Fits(t.Context()); err != nil {
				t.Fatal(err)
			}
			storetest.Damage(t, dir, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
			if c.says != "" {
				storetest.Damage(t, dir, c.says)
			}
			if err := db.Fits(t.Context()); errors.Is(err, store.ErrNewer) != c.refused || !c.refused && err != nil {
				t.Errorf("while it runs: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for name, open := range map[string]func() (*store.DB, error){
				"server":  func() (*store.DB, error) { return store.Open(t.Context(), dir) },
				"command": func() (*store.DB, error) { return store.OpenBeside(t.Context(), dir) },
			} {
				db, err := open()
				if errors.Is(err, store.ErrNewer) != c.refused || !c.refused && err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err != nil {
					if !strings.Contains(err.Error(), "newer aval-summarizer") {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				tx(t, db, func(tx *store.Tx) error { _, err := tx.Stream(k); return err })
				_ = db.Close()
			}
		})
	}
}

// takesAway finds what a server of the version before could not go on with.
var takesAway = regexp.MustCompile(`(?i)\b(DROP\s+(TABLE|COLUMN)|RENAME\b|ALTER\s+COLUMN|ADD\s+CONSTRAINT|CREATE\s+TRIGGER)|ADD\s+COLUMN\s+[^;]*NOT\s+NULL\s*(;|CHECK|REFERENCES|UNIQUE)`)

// uniqueIndex is one more thing that an older server may run into: on a table that
// was there before.
var uniqueIndex = regexp.MustCompile(`(?i)CREATE\s+UNIQUE\s+INDEX\s+\w+\s+ON\s+(\w+)`)

// contracting names the migrations that take away, with what oldestSchema must be
// at least since then.
var contracting = map[int64]int64{}

// From the one that made schema_oldest on, a migration only adds, or stands in the
// table above. Planted: the expressions are tried first.
func TestMigrationsOnlyAdd(t *testing.T) {
	for statement, want := range map[string]bool{
		"ALTER TABLE a DROP COLUMN b;": true, "DROP TABLE a;": true, "ALTER TABLE a RENAME TO b;": true, "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;": true,
		"ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT '';": false, "CREATE TABLE a (b TEXT NOT NULL);": false, "DROP INDEX x;": false,
		"CREATE UNIQUE INDEX x ON a(b);": true, "CREATE TABLE a (b TEXT NOT NULL); CREATE UNIQUE INDEX x ON a(b);": false,
	} {
		if got := taken(statement) != ""; got != want {
			t.Errorf("%s: %v", statement, got)
		}
	}
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		var n int64
		if _, err := fmt.Sscanf(filepath.Base(file), "%d_", &n); err != nil {
			t.Fatal(err)
		}
		if n < 23 {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		least, ok := contracting[n]
		switch what := taken(string(raw)); {
		case what != "" && !ok:
			t.Errorf("%s takes something away that a server of the version before still uses (%s): see schema.go", file, what)
		case store.OldestSchema < least:
			t.Errorf("%s needs programs of schema %d, and this version lets those of %d go on", file, least, store.OldestSchema)
		}
	}
}

// taken is the statement that takes something away; empty: there is none.
func taken(sql string) string {
	sql = regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(sql, "")
	if what := takesAway.FindString(sql); what != "" {
		return what
	}
	for _, m := range uniqueIndex.FindAllStringSubmatch(sql, -1) {
		if !regexp.MustCompile(`(?i)CREATE\s+TABLE\s+` + m[1] + `\b`).MatchString(sql) {
			return m[0]
		}
	}
	return ""
}
