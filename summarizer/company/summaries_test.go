package company_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
)

// TestSummaries: edits make versions and keep those before them, what was read
// too early changes nothing, writing anew costs nothing, and deleting takes
// everything but the proof.
func TestSummaries(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	db, home := openCompany(t, storetest.Dir(t), &now)
	ctx := t.Context()
	co := home.As(company.Actor{Kind: company.KindUser, ID: "u1", Name: "Edna", Role: company.Editor})
	view := func(f func(*store.Tx) error) {
		t.Helper()
		if err := db.View(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		if err := sample.FillTx(tx, home.ID(), "pt-BR"); err != nil {
			return err
		}
		c, err := tx.Company(home.ID())
		c.Tier = "business" // a session costs a credit
		if err == nil {
			err = tx.UpdateCompany(c)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	k, err := sample.Store(ctx, db, home.ID(), sample.Printer("pt-BR"), now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := co.EditSummary(ctx, k, 0, func(e summary.Edit) summary.Edit { return e }); !errors.Is(err, company.ErrNoSummary) {
		t.Errorf("edited before there is one: %v", err)
	}
	write := func() {
		t.Helper()
		r := runner.New(db, runner.Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
		for {
			worked, err := r.Step(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !worked {
				return
			}
		}
	}
	write()
	retitle := func(name string) func(summary.Edit) summary.Edit {
		return func(e summary.Edit) summary.Edit { e.Name = name; return e }
	}
	if v, err := co.EditSummary(ctx, k, 1, retitle("Outro título")); v != 2 || err != nil {
		t.Fatal(v, err)
	}
	if _, err := co.EditSummary(ctx, k, 1, retitle("Too late")); !errors.Is(err, company.ErrChanged) {
		t.Errorf("from an old version: %v", err)
	}
	if _, err := co.EditSummary(ctx, k, 2, retitle("")); !errors.Is(err, summary.ErrEdit) {
		t.Errorf("without a title: %v", err)
	}
	if v, err := co.RestoreSummary(ctx, k, 2, 1); v != 3 || err != nil {
		t.Fatal(v, err)
	}
	if _, err := co.RestoreSummary(ctx, k, 3, 9); !errors.Is(err, company.ErrNoSummary) {
		t.Errorf("restored what is not there: %v", err)
	}
	for range 2 { // the second click finds it on its way
		if err := co.RegenerateSummary(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	write()
	view(func(tx *store.Tx) error {
		all, err := tx.Summaries(k)
		if err != nil {
			return err
		}
		if len(all) != 4 || all[3].Author != "" || all[2].Author != "Edna" || !strings.Contains(all[2].JSON, "Outro título") || all[1].JSON != all[3].JSON || all[0].Author != "" {
			t.Errorf("versions %+v", all)
		}
		uses, err := tx.CreditUses(home.ID(), store.CreditUse{}, 10)
		if len(uses) != 1 {
			t.Errorf("%d credits for one session", len(uses))
		}
		return err
	})

	// Another company's key names nothing here: k.Company does not count.
	foreign := k
	foreign.Company = "another"
	if v, err := co.EditSummary(ctx, foreign, 4, retitle("Of this company")); v != 5 || err != nil {
		t.Errorf("the service's own company counts: %d %v", v, err)
	}
	if err := co.DeleteSession(ctx, store.Key{Device: "d-other", Session: k.Session}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another device's session: %v", err)
	}
	for range 2 {
		if err := co.DeleteSession(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	view(func(tx *store.Tx) error {
		st, err := tx.Stream(k)
		if err != nil {
			return err
		}
		events, err := tx.Events(k, 0, 0)
		if err != nil {
			return err
		}
		all, err := tx.Summaries(k)
		if err != nil {
			return err
		}
		grants, err := tx.Grants(k)
		if err != nil {
			return err
		}
		rows, err := tx.Audits(home.ID(), store.AuditFilter{Subject: k.Ref()})
		if err != nil {
			return err
		}
		var actions []string
		for _, a := range rows {
			actions = append(actions, a.Action)
			if strings.Contains(a.Detail+a.Before+a.After, "título") {
				t.Errorf("the audit holds words of a summary: %+v", a)
			}
		}
		if st.ErasedAt.IsZero() || st.Title != "" || st.JobState != "" || len(events) != 0 || len(all) != 0 || len(grants) != 1 ||
			strings.Join(actions, " ") != "session-deleted summary-edited summary-written summary-regenerated summary-restored summary-edited summary-written" {
			t.Errorf("after deleting: %+v, %d events, %d versions, %d grants, %q", st, len(events), len(all), len(grants), actions)
		}
		f, err := tx.Search(home.ID(), store.Query{Text: "impressora"}, store.Cursor{}, 10)
		if len(f.Streams) != 0 {
			t.Error("it is still found")
		}
		return err
	})
	if err := co.RegenerateSummary(ctx, k); !errors.Is(err, company.ErrNoSummary) {
		t.Errorf("written anew after deleting: %v", err)
	}
}
