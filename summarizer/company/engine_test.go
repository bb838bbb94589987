package company_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"aval/agent/record"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary/llm"
)

// served opens the companies of dir as a server that was started with model.
func served(t *testing.T, db *store.DB, model *llm.Config) *company.Host {
	t.Helper()
	if model != nil {
		if err := model.Check(); err != nil {
			t.Fatal(err)
		}
	}
	h, err := company.Open(t.Context(), db, company.Options{Name: "Example Support", Server: "https://support.example.com:8443", Model: model})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// told is the engine that a company's devices are told.
func told(t *testing.T, db *store.DB, co *company.Service) string {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Device(co.ID(), "d-"+co.ID()); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.InsertDevice(store.Device{ID: "d-" + co.ID(), Company: co.ID(), EnrolledAt: t0}, "k-"+co.ID(), make([]byte, 32))
	})
	if err != nil {
		t.Fatal(err)
	}
	env, err := co.Options(t.Context(), "d-"+co.ID())
	if err != nil {
		t.Fatal(err)
	}
	var o record.Options
	if _, err := record.OpenAs(env, record.OneKey(co.PublicKey()), record.TypePolicy, &o); err != nil {
		t.Fatal(err)
	}
	return o.Engine
}

func used(t *testing.T, db *store.DB, co *company.Service) (c *llm.Config, own bool) {
	t.Helper()
	if err := db.View(t.Context(), func(tx *store.Tx) (err error) { c, own, err = co.ModelIn(tx); return err }); err != nil {
		t.Fatal(err)
	}
	return c, own
}

// TestServersModel: the server's model is the first company's at once, and nobody
// else's until they choose it; devices are told with each change of it, and when it
// is gone they are told that, too. Seen caught: with the comparison of names taken
// out of ModelIn, the company whose devices were told of another model gets one.
func TestServersModel(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := served(t, db, nil)
	home, err := h.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := h.Create(t.Context(), "Other", "", "", company.Server)
	if err != nil {
		t.Fatal(err)
	}
	of := func(h *company.Host, id string) *company.Service {
		co, err := h.Of(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return co
	}
	check := func(what string, co *company.Service, engine string) {
		t.Helper()
		c, own := used(t, db, co)
		name := "rules"
		if c != nil {
			name = c.Name()
		}
		if got := told(t, db, co); got != engine || name != engine || own {
			t.Errorf("%s: devices are told %q, and %q writes (own %t); it should be %q", what, got, name, own, engine)
		}
	}
	check("without one", home, "rules")
	for _, m := range []llm.Config{{URL: "http://localhost:11434/v1", Model: "qwen2.5:7b"}, {URL: "https://llm.example.com/v1", Model: "qwen2.5:7b", Key: "canary"}} {
		h = served(t, db, &m)
		check("the first company", of(h, home.ID()), m.Name())
		check("another company", of(h, other.ID()), "rules")
	}
	if err := of(h, other.ID()).SetEngine(t.Context(), company.EngineServer, llm.Config{}, false); err != nil {
		t.Fatal(err)
	}
	check("another that chose it", of(h, other.ID()), "qwen2.5:7b@llm.example.com")
	if err := of(h, home.ID()).SetEngine(t.Context(), company.EngineByRules, llm.Config{}, false); err != nil {
		t.Fatal(err)
	}
	check("the first that chose rules", of(h, home.ID()), "rules")
	h = served(t, db, &llm.Config{URL: "https://llm.example.com/v1", Model: "qwen2.5:14b"})
	check("the first that chose rules", of(h, home.ID()), "rules")
	check("another, after a new model", of(h, other.ID()), "qwen2.5:14b@llm.example.com")
	// What a server of other options says is not what this one sends to.
	stale := of(h, other.ID())
	if c, _ := used(t, db, of(served(t, db, nil), other.ID())); c != nil {
		t.Error("a server without a model has one")
	}
	if c, _ := used(t, db, stale); c != nil {
		t.Error("the devices are told of rules, and a model writes")
	}
	check("another, without a model", of(served(t, db, nil), other.ID()), "rules")
}

// TestOwnModel: a company's own model is told to its devices; its key is sealed,
// stays out of history, audit and what is shown, and is not given to another host.
func TestOwnModel(t *testing.T) {
	dir, now := storetest.Dir(t), t0
	db, co := openCompany(t, dir, &now)
	defer db.Close()
	co = co.As(company.Actor{Kind: company.KindUser, ID: "1", Role: company.Administrator})
	set := func(c llm.Config, keep bool) error { return co.SetEngine(t.Context(), company.EngineOwn, c, keep) }
	for _, bad := range []llm.Config{{}, {URL: "https://llm.example.com/v1"}, {URL: "llm.example.com", Model: "m"}, {URL: "https://llm.example.com/v1", Model: "m m"}} {
		if err := set(bad, false); !errors.Is(err, company.ErrEngine) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := co.SetEngine(t.Context(), "other", llm.Config{}, false); !errors.Is(err, company.ErrEngine) {
		t.Error(err)
	}
	if got := told(t, db, co); got != "rules" {
		t.Error(got)
	}
	own := llm.Config{URL: "https://llm.example.com/v1", Model: "m-1", Header: "api-key", Key: "canary-key"}
	if err := set(own, false); err != nil {
		t.Fatal(err)
	}
	if got := told(t, db, co); got != "m-1@llm.example.com" {
		t.Error(got)
	}
	if c, is := used(t, db, co); c == nil || !is || c.Key != "canary-key" || c.Header != "api-key" {
		t.Errorf("%+v %t", c, is)
	}
	e, err := co.Engine(t.Context())
	if err != nil || e.Choice != company.EngineOwn || !e.HasKey || e.Own.Model != "m-1" || e.Own.Key != "" {
		t.Errorf("%+v %v", e, err)
	}
	// Another model at the same host keeps the key; at another host it must be entered.
	own.Model, own.Key = "m-2", ""
	if err := set(own, true); err != nil {
		t.Fatal(err)
	}
	if c, _ := used(t, db, co); c.Key != "canary-key" || c.Model != "m-2" {
		t.Errorf("%+v", c)
	}
	for _, elsewhere := range []string{"https://llm.example.net/v1", "https://llm.example.com:8443/v1", "http://llm.example.com:443/v1"} {
		if err := set(llm.Config{URL: elsewhere, Model: "m-2"}, true); !errors.Is(err, company.ErrEngine) {
			t.Errorf("%s gets the key: %v", elsewhere, err)
		}
	}
	all, err := co.History(t.Context(), 0, 50)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := co.Audits(t.Context(), store.AuditFilter{Action: "engine-set", Max: 50})
	if err != nil || len(rows) != 2 || rows[0].Actor != "user:1" {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	choices, err := co.Choices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said, err := json.Marshal([]any{all, rows, choices, e})
	if err != nil || strings.Contains(string(said), "canary") || !strings.Contains(string(said), "m-2@llm.example.com") {
		t.Errorf("%s %v", said, err)
	}
	if err := co.Undo(t.Context(), all[0].Number); !errors.Is(err, company.ErrFinal) {
		t.Error(err)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(storetest.Content(t, dir)), "canary") {
		t.Error("the key is stored in the clear")
	}
	if err := co.SetEngine(t.Context(), company.EngineByRules, llm.Config{}, false); err != nil {
		t.Fatal(err)
	}
	if e, err := co.Engine(t.Context()); err != nil || e.Own != nil || e.HasKey || e.Engine != "rules" {
		t.Errorf("%+v %v", e, err)
	}
	if got := told(t, db, co); got != "rules" {
		t.Error(got)
	}
}
