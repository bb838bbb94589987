//go:build e2e

package browser_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/llm"
	"aval/summarizer/summary/llm/far"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
	"aval/test/browser"
)

// model lets the company use a model of its own, which writes about one session.
func (s *site) model(t *testing.T, pool *llm.Pool) error {
	ctx := t.Context()
	m := far.New(t)
	co, err := s.host.Of(ctx, sample.Company)
	if err != nil {
		return err
	}
	admin := co.As(company.Actor{Kind: company.KindUser, ID: "u2", Name: "Bia Rocha", Role: company.Administrator})
	c := llm.Config{URL: m.Base(), Model: "qwen2.5-7b-instruct", Key: "canary"}
	if err := admin.SetEngine(ctx, company.EngineOwn, c, false); err != nil {
		return err
	}
	in := sample.Printer("pt-BR")
	in.ID, in.Grant, in.Engine = "anydesk/12", "grant-anydesk/12", c.Name()
	k, err := sample.Store(ctx, s.db, sample.Company, in, time.Now().Add(-30*time.Minute))
	if err != nil {
		return err
	}
	s.modelled = k.Ref()
	r := runner.New(s.db, runner.Options{Log: slog.New(slog.DiscardHandler), Engine: func(tx *store.Tx, _ store.Company) (runner.Engine, error) {
		c, own, err := co.ModelIn(tx)
		if err != nil {
			return nil, err
		}
		return pool.Engine(*c, !own)
	}})
	for worked := true; worked; {
		if worked, err = r.Step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// TestTry: the button on the page of who writes leads to what the model wrote, and
// that page is judged like the others.
func TestTry(t *testing.T) {
	s, b := start(t), open(t)
	if err := b.Go(s.link(t)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []browser.View{{Lang: "pt-BR", Width: 390}, {Lang: "en", Width: 1280, Dark: true}} {
		if err := b.Set(v); err != nil {
			t.Fatal(err)
		}
		if err := b.Go(s.url + "/lang?to=" + v.Lang + "&back=/ai/engine"); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(b.Context(), chromedp.Click(`form[action="/ai/engine/try"] button`), chromedp.WaitVisible(`.trial li`)); err != nil {
			t.Fatal(err)
		}
		r, err := b.Look()
		if err != nil {
			t.Fatal(err)
		}
		keep(t, "engine-tried", v, r)
		if err := r.Err(); err != nil {
			t.Errorf("%s: %v", v.Name(), err)
		}
	}
}
