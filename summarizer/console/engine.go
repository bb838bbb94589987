package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
)

// tryWithin bounds a trial: the page that shows it must still be answered in time.
const tryWithin = 45 * time.Second

// engineRoutes are the part of the table about who writes summaries.
func (c *Console) engineRoutes() []Route {
	if c.o.Models == nil {
		return nil
	}
	return []Route{
		{Method: "GET", Pattern: "/ai/engine", Needs: company.SettingsRead, Menu: "engine.title", In: InAI, serve: c.engine},
		{Method: "POST", Pattern: "/ai/engine", Needs: company.SettingsWrite, serve: c.setEngine},
		{Method: "POST", Pattern: "/ai/engine/try", Needs: company.SettingsWrite, serve: c.tryEngine},
	}
}

// enginePage is who writes a company's summaries.
type enginePage struct {
	frame
	MayWrite    bool
	Now         string
	Model       bool // a model writes now
	Choice      string
	Server      string // the server's model in words; empty: it has none
	URL, Header string
	ModelName   string
	HasKey      bool
	Done, Wrong string
	Trial       *trialView
}

// trialView is what came of a trial.
type trialView struct {
	OK        bool
	Says      string
	Title     string
	Sentences []string
	Steps     []string
}

// engineWords are an engine in words.
func engineWords(cat *assets.Catalog, engine string) string {
	model, host := consent.SplitEngine(engine)
	args := assets.Args{"model": summary.Clean(model, 60), "host": summary.Clean(host, 100)}
	switch {
	case engine == consent.EngineRules || engine == "":
		return cat.T("engine.rules", nil)
	case host == consent.EngineHere:
		return cat.T("engine.here", args)
	case host == "":
		return summary.Clean(model, 60)
	}
	return cat.T("engine.outside", args)
}

// modelWords is a model and, where it is elsewhere, its host: within a sentence.
func modelWords(engine string) string {
	model, host := consent.SplitEngine(engine)
	if model = summary.Clean(model, 60); host != "" && host != consent.EngineHere {
		model += " (" + summary.Clean(host, 100) + ")"
	}
	return model
}

// fellBack says why the rules wrote although a model had been chosen; empty: they
// were meant to.
func fellBack(cat *assets.Catalog, why summary.Why) string {
	if !slices.Contains([]summary.Why{summary.WhyGranted, summary.WhyUnreachable, summary.WhyRefused, summary.WhyInvalid, summary.WhyUnsupported}, why) {
		return ""
	}
	return cat.T("engine.fallback."+string(why), nil)
}

func (c *Console) engine(w http.ResponseWriter, r *http.Request, v visitor) {
	p := enginePage{}
	if r.URL.Query().Get("done") == "saved" {
		p.Done = v.cat.T("engine.saved", nil)
	}
	c.showEngine(w, r, v, http.StatusOK, p)
}

// showEngine shows the page; what p has of the form stands in it.
func (c *Console) showEngine(w http.ResponseWriter, r *http.Request, v visitor, status int, p enginePage) {
	e, err := v.co.Engine(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.frame = c.frameOf(r, v, v.cat.T("engine.title", nil))
	p.Back, p.MayWrite, p.HasKey = "/ai/engine", v.may(company.SettingsWrite), e.HasKey
	p.Now, p.Model = engineWords(v.cat, e.Engine), e.Engine != consent.EngineRules
	if e.Server != "" {
		p.Server = engineWords(v.cat, e.Server)
	}
	if p.Choice == "" {
		switch {
		case e.Choice != company.EngineDefault:
			p.Choice = string(e.Choice)
		case e.Applies && e.Server != "":
			p.Choice = string(company.EngineServer)
		default:
			p.Choice = string(company.EngineByRules)
		}
		if e.Own != nil {
			p.URL, p.ModelName, p.Header = e.Own.URL, e.Own.Model, e.Own.Header
		}
	}
	c.show(w, r, status, "engine", p)
}

// setEngine keeps the choice. An address inside of the server's network is refused
// here in words, and by the client that would speak to it in any case.
func (c *Console) setEngine(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	choice := company.EngineChoice(r.PostFormValue("choice"))
	m := llm.Config{URL: strings.TrimSpace(r.PostFormValue("url")), Model: r.PostFormValue("model"), Header: r.PostFormValue("header"), Key: r.PostFormValue("key")}
	var err error
	if choice == company.EngineOwn && c.o.Hub != nil {
		_, err = c.o.Hub.CheckURL(m.URL)
	}
	if err != nil {
		err = errors.Join(llm.ErrAddress, err)
	} else {
		err = v.co.SetEngine(r.Context(), choice, m, strings.TrimSpace(m.Key) == "")
	}
	if err == nil {
		http.Redirect(w, r, "/ai/engine?done=saved", http.StatusSeeOther)
		return
	}
	for _, k := range []struct {
		err  error
		word string
	}{{llm.ErrAddress, "address"}, {llm.ErrModel, "model"}, {llm.ErrHeader, "header"}, {llm.ErrKey, "key"}, {company.ErrKeyHost, "host"}, {company.ErrEngine, "choice"}} {
		if errors.Is(err, k.err) {
			c.showEngine(w, r, v, http.StatusUnprocessableEntity, enginePage{Choice: string(choice), URL: m.URL, ModelName: m.Model, Header: m.Header,
				Wrong: v.cat.T("engine.wrong."+k.word, nil)})
			return
		}
	}
	c.broken(w, r, err)
}

// tryEngine asks the company's model about a session that never was.
func (c *Console) tryEngine(w http.ResponseWriter, r *http.Request, v visitor) {
	var m *llm.Config
	var own bool
	if err := c.db.View(r.Context(), func(t *store.Tx) (err error) { m, own, err = v.co.ModelIn(t); return err }); err != nil {
		c.broken(w, r, err)
		return
	}
	if m == nil {
		c.showEngine(w, r, v, http.StatusConflict, enginePage{Wrong: v.cat.T("engine.try.none", nil)})
		return
	}
	e, err := c.o.Models.Engine(*m, !own)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), tryWithin)
	defer cancel()
	t, err := e.Try(ctx, v.cat.Lang)
	seconds := strings.Replace(strconv.FormatFloat(t.Taken.Seconds(), 'f', 1, 64), ".", v.cat.T("console.decimal", nil), 1)
	view := &trialView{OK: err == nil}
	if err != nil {
		var f *summary.Failure
		why := summary.WhyUnreachable
		if errors.As(err, &f) {
			why = f.Why
		}
		// Nothing that was recorded was sent: what the server said can be shown.
		view.Says = v.cat.T("engine.try.failed", assets.Args{"why": fellBack(v.cat, why), "error": summary.Clean(err.Error(), 300), "seconds": seconds})
	} else {
		view.Says = v.cat.T("engine.try.done", assets.Args{"seconds": seconds, "form": t.Form, "kept": t.Summary.Made.Kept, "dropped": t.Summary.Made.Dropped,
			"in": t.Summary.Made.TokensIn, "out": t.Summary.Made.TokensOut})
		view.Title = t.Summary.Name
		for _, s := range t.Summary.Sentences {
			view.Sentences = append(view.Sentences, s.Text)
		}
		for _, s := range t.Summary.Steps {
			view.Steps = append(view.Steps, s.Application+": "+s.Action)
		}
	}
	c.showEngine(w, r, v, http.StatusOK, enginePage{Trial: view})
}
