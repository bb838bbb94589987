package link_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	astore "aval/agent/store"
	"aval/summarizer/api"
	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary"
	"aval/summarizer/summary/runner"
)

// moving is a server in use, with something of everything in it, that is put
// elsewhere while a computer still has events for it.
type moving struct {
	*testing.T
	s        *server
	c        *computer
	stop     func() // the computer's link
	st       astore.Stream
	user     company.User
	secret   string // of an API token
	endpoint string
	beta     string // the second company
}

func hub(t *testing.T, db *store.DB) *integration.Hub {
	t.Helper()
	h, err := integration.New(db, integration.Options{Allow: []string{"127.0.0.1"}, Server: "https://127.0.0.1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// inUse starts a server in dir and uses it through its services.
func inUse(t *testing.T, dir string) *moving {
	t.Helper()
	s, err := listen(dir, "127.0.0.1:0", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	m := &moving{T: t, s: s, c: enrol(t, dir, nil)}
	ctx := t.Context()
	co := s.co.As(company.Command)
	m.user, err = co.CreateUser(ctx, company.NewUser{Name: "Ana Prado", Login: "ana@example.com", Role: company.Editor})
	if err != nil {
		t.Fatal(err)
	}
	if m.secret, _, err = co.CreateAPIToken(ctx, company.NewAPIToken{Name: "reports", Scopes: []company.Permission{company.SummariesRead}}); err != nil {
		t.Fatal(err)
	}
	if _, err := co.CreatePolicy(ctx, "Office"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := co.CreateModule(ctx, "Help desk", true, 30); err != nil {
		t.Fatal(err)
	}
	e, _, err := hub(t, s.db).Of(co.ID(), "command").Create(ctx, integration.Endpoint{Kind: "webhook", Name: "chat", Config: integration.Config{URL: "https://127.0.0.1:1/x"}, Events: store.Types, Enabled: true}, integration.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	m.endpoint = e.ID
	beta, err := s.host.Create(ctx, "Beta Help", "pt-BR", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	m.beta = beta.ID()

	_, m.stop = m.c.connect(m.c.config(""))
	done, _ := m.c.grant("x/1")
	m.c.append(done, append(m.c.titles("x/1", 0, 30), m.c.ended("x/1"))...)
	until(t, "a session that has ended", func() bool { return m.c.acked(done) })
	r := runner.New(s.db, runner.Options{Log: slog.New(slog.DiscardHandler)})
	for worked := true; worked; {
		if worked, err = r.Step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := co.EditSummary(ctx, m.c.key("x/1"), 1, func(e summary.Edit) summary.Edit { e.Name = "Impressão corrigida"; return e }); err != nil {
		t.Fatal(err)
	}
	m.st, _ = m.c.grant("x/2")
	m.c.append(m.st, m.c.titles("x/2", 0, 40)...)
	until(t, "half of a session", func() bool { return m.c.acked(m.st) })
	m.s.close()
	m.c.append(m.st, m.c.titles("x/2", 40, 60)...) // made while there is no server
	return m
}

// goesOn starts a server on dir at the old one's address, and looks at everything.
func (m *moving) goesOn(dir string) {
	m.Helper()
	s, err := listen(dir, m.s.addr, nil, 0)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(s.close)
	until(m, "the rest of the session", func() bool { return m.c.acked(m.st) })
	once(m, stored(m, s.db, m.c.key("x/2")), 100)
	once(m, stored(m, s.db, m.c.key("x/1")), 30)
	until(m, "the summary of while it was moved", func() bool {
		w := m.c.summaryOf(astore.Stream{Company: m.c.enr.Company, Session: "x/1"})
		return w.GetName() == "Impressão corrigida" && w.GetVersion() == 2
	})
	ctx := m.Context()
	if r, err := api.VerifyStore(ctx, s.db); err != nil || !r.OK || r.Sessions != 2 || r.Events != 131 {
		m.Errorf("verify: %+v, %v", r, err)
	}
	for _, id := range []string{s.co.ID(), m.beta} {
		co, err := s.host.Of(ctx, id)
		if err != nil {
			m.Fatal(err)
		}
		if r, err := co.VerifyAudit(ctx); err != nil || !r.OK || r.Rows == 0 || r.SignedAt.IsZero() {
			m.Errorf("audit log of %s: %+v, %v", id, r, err)
		}
		if _, err := co.CreateUser(ctx, company.NewUser{Name: "Rui"}); err != nil { // and it goes on
			m.Error(err)
		}
		if r, err := co.VerifyAudit(ctx); err != nil || !r.OK {
			m.Errorf("audit log of %s, one row later: %+v, %v", id, r, err)
		}
	}
	if u, err := s.co.User(ctx, m.user.ID); err != nil || u.Login != "ana@example.com" || u.Role != company.Editor {
		m.Errorf("user: %+v, %v", u, err)
	}
	if _, _, err := s.host.TokenOf(ctx, m.secret); err != nil {
		m.Errorf("the API token: %v", err)
	}
	// The secret of the webhook can still be opened: its key came along.
	if e, err := hub(m.T, s.db).Of(s.co.ID(), "command").Endpoint(ctx, m.endpoint); err != nil || len(e.Has) != 1 {
		m.Errorf("webhook: %+v, %v", e, err)
	}
	if _, err := hub(m.T, s.db).Of(s.co.ID(), "command").Rotate(ctx, m.endpoint); err != nil {
		m.Errorf("rotate the webhook's secret: %v", err)
	}
}

// TestPostgresConverted: an embedded database that is in use goes into PostgreSQL,
// and the server that starts on it is the same one for everybody: the computer
// that still has events delivers each once, records and audit logs verify, the
// secrets can be opened. Planted: without the keys in the new folder nothing of it
// works; without keys/integrations.key alone the webhook cannot be opened.
func TestPostgresConverted(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "new")
	m := inUse(t, from)
	p := storetest.Server(t)
	if err := errors.Join(p.Exec("postgres", "DROP DATABASE IF EXISTS moved"), p.Create("moved", "template0")); err != nil {
		t.Fatal(err)
	}
	list, err := store.Convert(t.Context(), from, to, p.Address("moved"), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, c := range list {
		rows[c.Table] = c.Rows
	}
	if rows["companies"] != 2 || rows["summaries"] != 2 || rows["credit_uses"] != 1 || rows["events"] != 71 || rows["audit_nodes"] == 0 {
		t.Errorf("what was copied: %v", rows)
	}
	m.goesOn(to)
}

// TestRestoredServer: a server that is put back from its backup is the same one
// for everybody; the key of the integrations' secrets is in the backup too.
// Planted: keys/integrations.key left out of it.
func TestRestoredServer(t *testing.T) {
	dir, to := storetest.Dir(t), filepath.Join(t.TempDir(), "new")
	m := inUse(t, dir)
	putBack(t, to, backup(t, dir))
	m.goesOn(to)
}

// backup is a backup's file of a server that may be running.
func backup(t *testing.T, dir string) (file string) {
	t.Helper()
	db, err := store.OpenBeside(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "sqlite.tar")
	manifest, err := db.Archive(t.Context(), file, "test", time.Now())
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(manifest.Database, "pgdump") {
		named := filepath.Join(filepath.Dir(file), "postgres.tar")
		if err := os.Rename(file, named); err != nil {
			t.Fatal(err)
		}
		return named
	}
	return file
}

// putBack restores a backup into a new folder, and where it is one of PostgreSQL
// into a new database.
func putBack(t *testing.T, to, file string) {
	t.Helper()
	address := ""
	if filepath.Base(file) == "postgres.tar" {
		p := storetest.Server(t)
		if err := errors.Join(p.Exec("postgres", "DROP DATABASE IF EXISTS restored"), p.Create("restored", "template0")); err != nil {
			t.Fatal(err)
		}
		address = p.Address("restored")
	}
	if _, err := store.Unpack(t.Context(), to, address, file); err != nil {
		t.Fatal(fmt.Errorf("restore: %w", err))
	}
}
