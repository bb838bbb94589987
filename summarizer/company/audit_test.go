package company_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// host is a server with one company, which the test deals with as the server does.
func host(t *testing.T) (*store.DB, *company.Host, *company.Service) {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h, err := company.Open(t.Context(), db, company.Options{Server: "https://support.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	co, err := h.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return db, h, co
}

// A row that was altered, removed, moved, inserted or written anew with its leaf
// is found, and so is a log that was shortened together with its tree; the
// untouched log holds. Each of the rows below is a planted fault; with
// VerifyAudit's comparison of the roots taken out, "leaf too" and "cut off" passed.
func TestAuditTampering(t *testing.T) {
	for name, row := range map[string]struct {
		do   []string
		want string // in the first problem; empty: all holds
	}{
		"untouched":      {nil, ""},
		"who":            {[]string{`UPDATE audit SET actor = 'user:X' WHERE seq = 4`}, "row 4 "},
		"detail":         {[]string{`UPDATE audit SET detail = 'Maria' WHERE seq = 4`}, "row 4 "},
		"value":          {[]string{`UPDATE audit SET after_value = REPLACE(after_value, 'viewer', 'editor') WHERE seq = 4`}, "row 4 "},
		"time":           {[]string{`UPDATE audit SET at = at + 1 WHERE seq = 4`}, "row 4 "},
		"salt":           {[]string{`UPDATE audit SET salt = x'00000000000000000000000000000000' WHERE seq = 4`}, "row 4 "},
		"removed":        {[]string{`DELETE FROM audit WHERE seq = 4`}, "row 4 is missing"},
		"the last one":   {[]string{`DELETE FROM audit WHERE seq = 8`}, "the last ones are missing"},
		"two exchanged":  {[]string{`UPDATE audit SET seq = 99 WHERE seq = 4`, `UPDATE audit SET seq = 4 WHERE seq = 5`, `UPDATE audit SET seq = 5 WHERE seq = 99`}, "row 4 "},
		"inserted":       {[]string{`INSERT INTO audit (id, company, seq, at, actor, action, subject, detail, before_value, after_value, salt) SELECT 'x', company, 9, at, actor, action, subject, detail, before_value, after_value, salt FROM audit WHERE seq = 8`}, "row 9 "},
		"leaf too":       {[]string{`UPDATE audit_nodes SET hash = (SELECT hash FROM audit_nodes n WHERE n.node = 0) WHERE node = 1`, `DELETE FROM audit WHERE seq = 1`, `INSERT INTO audit (id, company, seq, at, actor, action, subject, detail, before_value, after_value, salt) SELECT 'x', company, 1, at, actor, action, subject, detail, before_value, after_value, salt FROM audit WHERE seq = 0`}, ""},
		"cut off":        {[]string{`DELETE FROM audit WHERE seq >= 5`, `UPDATE audit_logs SET size = 5`}, "does not agree"},
		"head of no one": {[]string{`UPDATE audit_logs SET head = x'7b7d'`}, "not signed by this company"},
		"no head":        {[]string{`UPDATE audit_logs SET head = x''`}, "not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			db, _, co := host(t)
			for i := range 6 {
				if _, err := co.CreateUser(t.Context(), company.NewUser{Name: fmt.Sprint("Person ", i), Role: company.Viewer}); err != nil {
					t.Fatal(err)
				}
			}
			before, err := co.VerifyAudit(t.Context())
			if err != nil || !before.OK || before.Rows != 9 || before.SignedAt.IsZero() {
				t.Fatalf("%+v %v", before, err)
			}
			storetest.Damage(t, db.Dir(), row.do...)
			r, err := co.VerifyAudit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if row.do == nil {
				if !r.OK || len(r.Problems) != 0 {
					t.Errorf("%+v", r)
				}
				return
			}
			if r.OK || len(r.Problems) == 0 || !strings.Contains(r.Problems[0], row.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Who has the company's key and rewrites the whole log is found by a head that
// somebody kept. Planted: without the kept head the rewritten log passes, which
// is asserted here too.
func TestAuditKeptHead(t *testing.T) {
	db, h, co := host(t)
	if _, err := co.CreateUser(t.Context(), company.NewUser{Name: "Ana"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := co.ExportAudit(t.Context(), &out, store.AuditFilter{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var last struct{ Head json.RawMessage }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 5 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if _, err := co.CreateUser(t.Context(), company.NewUser{Name: "Bia"}); err != nil {
		t.Fatal(err)
	}
	if r, err := co.VerifyAudit(t.Context(), last.Head); err != nil || !r.OK {
		t.Fatalf("a log that went on: %+v %v", r, err)
	}
	// Everything is taken away, and written anew without Ana.
	for _, table := range []string{"audit", "audit_nodes", "audit_logs"} {
		storetest.Damage(t, db.Dir(), `DELETE FROM `+table)
	}
	for range 6 {
		if _, err := co.CreateUser(t.Context(), company.NewUser{Name: "Bia"}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := co.VerifyAudit(t.Context()); err != nil || !r.OK {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := co.VerifyAudit(t.Context(), last.Head); err != nil || r.OK || !strings.Contains(r.Problems[0], "are not those") {
		t.Errorf("%+v %v", r, err)
	}
	other, err := h.Create(t.Context(), "Other", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := other.VerifyAudit(t.Context(), last.Head); err != nil || r.OK {
		t.Errorf("another company's head: %+v %v", r, err)
	}
	if r, err := other.VerifyAudit(t.Context()); err != nil || !r.OK || r.Rows != 1 {
		t.Errorf("a new company's log: %+v %v", r, err)
	}
}

// Whatever text stands in a row, the log holds when it is read back.
func TestAuditAnyText(t *testing.T) {
	db, _, co := host(t)
	rapid.Check(t, func(rt *rapid.T) {
		bytesOf := func(name string) string { return string(rapid.SliceOf(rapid.Byte()).Draw(rt, name)) }
		a := store.Audit{Company: co.ID(), At: time.Now(), Actor: "server", Action: "x", Subject: bytesOf("subject"), Detail: rapid.String().Draw(rt, "detail"), Before: bytesOf("before"), After: rapid.String().Draw(rt, "after")}
		for range rapid.IntRange(1, 3).Draw(rt, "rows") {
			if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.AddAudit(a) }); err != nil {
				rt.Fatal(err)
			}
		}
		if r, err := co.VerifyAudit(t.Context()); err != nil || !r.OK {
			rt.Fatalf("%+v %v", r, err)
		}
	})
}

// A transaction that fails leaves no row, and one that is read only cannot write one.
func TestAuditWithItsChange(t *testing.T) {
	db, _, co := host(t)
	before, err := co.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := co.ChangeUser(t.Context(), "nobody", company.UserChange{}); err == nil {
		t.Error("nobody was changed")
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error { return tx.AddAudit(store.Audit{Company: co.ID(), At: time.Now()}) }); err == nil {
		t.Error("a view wrote")
	}
	after, err := co.VerifyAudit(t.Context())
	if err != nil || !after.OK || after.Rows != before.Rows || after.Root != before.Root {
		t.Errorf("%+v %+v %v", before, after, err)
	}
}
