// Package llm has a language model write summaries: any server that speaks the
// chat completions protocol of OpenAI (Ollama, llama.cpp, vLLM, Azure, …).
//
// The one rule that must not be broken: not one event of a session is sent to a
// model that its grants do not name. What comes back is a stranger's text: it is
// taken apart claim by claim (summary.Compose), and what the events do not bear
// out never gets any further.
package llm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"aval/agent/redact"
	"aval/summarizer/summary"
)

// Version is the version of what the model is told. It changes whenever the same
// events would be put to it otherwise.
const Version = "1"

// Limits of one summary.
const (
	// DefaultTimeout bounds one call; MaxTimeout is the longest that may be chosen.
	DefaultTimeout = time.Minute
	MaxTimeout     = 4 * time.Minute
	// DefaultInput is how many bytes of events are sent at most: some 8,000 tokens.
	DefaultInput = 24 << 10
	MinInput     = 2 << 10
	MaxInput     = 1 << 20
	// tokensOut is how long an answer may be.
	tokensOut = 2000
	// tries is how often one summary is asked for before it is given up, where the
	// answer is not what was asked for. A server that does not answer is asked by
	// the next attempt of the job.
	tries = 2
)

// errGranted: the grants of a session do not name this model.
var errGranted = errors.New("the session was allowed for another engine")

// Engine asks one model. It is safe for use by several goroutines.
type Engine struct {
	c      Config
	client *http.Client
	count  *Counts
	now    func() time.Time

	speech // what is known of the server
}

// Name is the engine as people are told it, see consent.Engine.
func (e *Engine) Name() string { return e.c.Name() }

// Write has the model write. Every error is a *summary.Failure.
func (e *Engine) Write(ctx context.Context, in summary.Session, lang string) (summary.Summary, error) {
	// The one door to the network: what was granted for anything else stays here.
	if in.Engine != e.Name() {
		return summary.Summary{}, e.count.failed(&summary.Failure{Why: summary.WhyGranted, Err: errGranted})
	}
	s, err := e.write(ctx, in, lang)
	if err != nil {
		var f *summary.Failure
		if !errors.As(err, &f) {
			f = &summary.Failure{Why: summary.WhyUnreachable, Later: true, Err: err}
		}
		return summary.Summary{}, e.count.failed(f)
	}
	e.count.written()
	return s, nil
}

func (e *Engine) write(ctx context.Context, in summary.Session, lang string) (summary.Summary, error) {
	scrub, err := redact.New(redact.Options{Names: []string{in.Supporter}})
	if err != nil {
		return summary.Summary{}, &summary.Failure{Why: summary.WhyInvalid, Err: err}
	}
	items, left := summary.Items(in, e.c.Input)
	if items = scrubbed(items, scrub); len(items) == 0 {
		return summary.Summary{}, &summary.Failure{Why: summary.WhyUnsupported, Err: errors.New("there is nothing to tell the model")}
	}
	lang = language(lang)
	q, err := newQuestion(items, lang)
	if err != nil {
		return summary.Summary{}, &summary.Failure{Why: summary.WhyInvalid, Err: err}
	}
	sum := sha256.Sum256([]byte(q.data))
	made := summary.Made{InputHash: hex.EncodeToString(sum[:]), Shown: len(items), LeftOut: left}
	began := e.now()
	var last *summary.Failure
	for range tries {
		a, err := e.ask(ctx, q)
		made.TokensIn, made.TokensOut = made.TokensIn+a.in, made.TokensOut+a.out
		if err != nil {
			var f *summary.Failure
			if errors.As(err, &f) && f.Why == summary.WhyInvalid {
				last = f
				continue
			}
			return summary.Summary{}, err
		}
		claims, err := read(a.text, lang)
		if err != nil {
			last = &summary.Failure{Why: summary.WhyInvalid, Err: err}
			continue
		}
		s, kept, dropped := summary.Compose(in, lang, scrubClaims(claims, scrub), items, left)
		e.count.claims(kept, dropped)
		if kept == 0 || dropped > 2*kept {
			last = &summary.Failure{Why: summary.WhyUnsupported, Err: fmt.Errorf("of the model's statements %d were borne out by events and %d were not", kept, dropped)}
			continue
		}
		made.Kept, made.Dropped, made.MilliTaken = kept, dropped, e.now().Sub(began).Milliseconds()
		s.Engine, s.EngineVersion, s.Made = e.Name(), Version, &made
		return s, nil
	}
	return summary.Summary{}, last
}

// scrubbed redacts the events once more before they leave; an event that cannot
// be searched does not.
func scrubbed(items []summary.Item, r *redact.Redactor) []summary.Item {
	var out []summary.Item
	for _, it := range items {
		fields, whole := make(map[string]string, len(it.Fields)), true
		for k, v := range it.Fields {
			t, err := r.Text(v)
			if err != nil {
				whole = false
				break
			}
			fields[k] = t
		}
		if whole {
			it.Fields = fields
			out = append(out, it)
		}
	}
	return out
}

// scrubClaims redacts what came back: a model may know, or make up, what it was
// not shown. What cannot be searched is emptied, and so dropped.
func scrubClaims(c summary.Claims, r *redact.Redactor) summary.Claims {
	one := func(cl *summary.Claim) {
		t, err := r.Text(cl.Text)
		if err != nil {
			t = ""
		}
		cl.Text = t
	}
	one(&c.Name)
	for i := range c.Sentences {
		one(&c.Sentences[i])
	}
	for i := range c.FollowUps {
		one(&c.FollowUps[i])
	}
	for i := range c.Steps {
		one(&c.Steps[i].Claim)
		app := summary.Claim{Text: c.Steps[i].Application}
		one(&app)
		c.Steps[i].Application = app.Text
	}
	return c
}
