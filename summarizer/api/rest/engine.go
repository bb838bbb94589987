package rest

import (
	"context"
	"errors"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/summary/llm"
)

// engine is a company's choice as callers read it: never with its key.
func engine(e company.Engine) v1.SummaryEngine {
	out := v1.SummaryEngine{Choice: v1.EngineChoice(e.Choice), Engine: e.Engine, Server: e.Server, Applies: e.Applies, HasKey: e.HasKey}
	if e.Choice == company.EngineDefault {
		out.Choice = v1.Default
	}
	if e.Own != nil {
		out.Url, out.Model, out.KeyHeader = e.Own.URL, e.Own.Model, e.Own.Header
	}
	return out
}

func (o *operations) GetEngine(ctx context.Context, _ v1.GetEngineRequestObject) (v1.GetEngineResponseObject, error) {
	e, err := from(ctx).co.Engine(ctx)
	return v1.GetEngine200JSONResponse(engine(e)), err
}

func (o *operations) SetEngine(ctx context.Context, r v1.SetEngineRequestObject) (v1.SetEngineResponseObject, error) {
	b, co := r.Body, from(ctx).co
	choice := company.EngineChoice(b.Choice)
	if b.Choice == v1.Default {
		choice = company.EngineDefault
	}
	m := llm.Config{URL: b.Url, Model: b.Model, Header: b.KeyHeader, Key: b.Key}
	switch {
	case choice != company.EngineOwn && m != (llm.Config{}):
		return nil, problem{400, "invalid_request", "Address, model and key are the company's own model's: they go with the choice own."}
	case choice == company.EngineOwn:
		// Inside of the server's network nobody is spoken to: said now, not when a
		// session is to be summarised.
		if _, err := o.o.Hub.CheckURL(m.URL); err != nil {
			if errors.Is(err, integration.ErrForbidden) {
				return nil, problem{400, "invalid_request", sentence(err.Error())}
			}
			return nil, err
		}
	}
	if err := co.SetEngine(ctx, choice, m, m.Key == ""); err != nil {
		return nil, err
	}
	e, err := co.Engine(ctx)
	return v1.SetEngine200JSONResponse(engine(e)), err
}
