package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
	"aval/summarizer/summary/runner"
)

// keyVariable may hold the key of the server's model. It is never an option: what
// stands on a command line, every user of the computer can read.
const keyVariable = "AVAL_LLM_KEY"

// sessionsAtOnce is how many sessions a server has written at a time: models take
// seconds to minutes, and the others need not wait for them.
const sessionsAtOnce = 4

// modelFlags are the options that name the server's language model.
type modelFlags struct {
	url, model, keyFile, header string
	timeout                     time.Duration
	input                       int
}

func (f *modelFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "llm-url", "", "base address of a language model that writes summaries, for example http://localhost:11434/v1 (default: none, summaries are written by rules)")
	cmd.Flags().StringVar(&f.model, "llm-model", "", "the model's name at --llm-url")
	cmd.Flags().StringVar(&f.keyFile, "llm-key-file", "", "a file with the model's key (default: the environment's "+keyVariable+", or none)")
	cmd.Flags().StringVar(&f.header, "llm-key-header", "", "the header that carries the key, for example api-key (default: Authorization, as a bearer token)")
	cmd.Flags().DurationVar(&f.timeout, "llm-timeout", llm.DefaultTimeout, "how long one call may take, at most "+llm.MaxTimeout.String())
	cmd.Flags().IntVar(&f.input, "llm-max-input", llm.DefaultInput, "how many bytes of a session's events the model is sent at most")
	_ = cmd.MarkFlagFilename("llm-key-file")
	cmd.MarkFlagsRequiredTogether("llm-url", "llm-model")
}

// config is the model that is meant; nil: none.
func (f *modelFlags) config() (*llm.Config, error) {
	if f.url == "" {
		if f.keyFile != "" || f.header != "" {
			return nil, usageError{errors.New("--llm-key-file and --llm-key-header say nothing without --llm-url and --llm-model")}
		}
		return nil, nil
	}
	c := llm.Config{URL: f.url, Model: f.model, Header: f.header, Key: os.Getenv(keyVariable), Timeout: f.timeout, Input: f.input}
	if f.keyFile != "" {
		raw, err := readSmall(f.keyFile)
		if err != nil {
			return nil, fmt.Errorf("read the model's key: %w", err)
		}
		if c.Key = strings.TrimSpace(raw); c.Key == "" {
			return nil, fmt.Errorf("read the model's key: %s is empty", f.keyFile)
		}
	}
	if err := c.Check(); err != nil {
		return nil, usageError{fmt.Errorf("--llm-url: %w", err)}
	}
	return &c, nil
}

// readSmall reads a file that holds one secret.
func readSmall(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 16<<10))
	return string(raw), err
}

// newPool makes what speaks to models: the server's own, and those that companies
// name, as far as --allow-host lets them inside.
func newPool(allow []string) (*llm.Pool, error) {
	guarded, err := integration.NewClient(allow, llm.MaxTimeout)
	if err != nil {
		return nil, err
	}
	return llm.NewPool(llm.Options{Guarded: guarded}), nil
}

// engineOf is what writes a company's summaries.
func (s *server) engineOf(tx *store.Tx, c store.Company) (runner.Engine, error) {
	co, err := s.co.Of(context.Background(), c.ID) // kept since the company is known
	if err != nil {
		return nil, err
	}
	m, own, err := co.ModelIn(tx)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return runner.Rules{}, nil
	}
	return s.models.Engine(*m, !own)
}

// newRunner is here so that serve names no engine itself.
func (a *app) newRunner(s *server) *runner.Runner {
	return runner.New(s.db, runner.Options{Log: a.log, Engine: s.engineOf, Workers: sessionsAtOnce, Tracer: s.traces.Tracer()})
}

// checkModels asks each model about a session that never was, as the server would.
func checkModels(c *checkup) (out []finding) {
	all, err := c.host.All(c.ctx)
	if err != nil {
		return []finding{{State: findWrong, Found: err.Error()}}
	}
	asked := map[string]bool{}
	for _, co := range all {
		var m *llm.Config
		var own bool
		if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) { m, own, err = co.ModelIn(tx); return err }); err != nil {
			out = append(out, finding{State: findWrong, Found: "the model of company " + co.ID() + ": " + err.Error(), Do: "enter its key anew in the console"})
			continue
		}
		e, err := co.Engine(c.ctx)
		switch {
		case err != nil:
			return []finding{{State: findWrong, Found: err.Error()}}
		case m == nil && e.Engine != consent.EngineRules && !asked[e.Engine]:
			asked[e.Engine] = true
			out = append(out, finding{State: findNote, Found: e.Engine + " was not asked", Do: "give this command the --llm options that serve is given"})
		case m != nil && (own || !asked[m.Name()]):
			asked[m.Name()] = true
			out = append(out, c.tryModel(*m, own))
		}
	}
	if len(out) == 0 {
		return []finding{{State: findOK, Found: "summaries are written by rules"}}
	}
	return out
}

func (c *checkup) tryModel(m llm.Config, own bool) finding {
	e, err := c.models.Engine(m, !own)
	if err != nil {
		return finding{State: findWrong, Found: err.Error()}
	}
	t, err := e.Try(c.ctx, "en")
	if err != nil {
		var f *summary.Failure
		do := "until it is mended the rules write, and the summaries say so"
		if errors.As(err, &f) && f.Why == summary.WhyUnsupported {
			do = "choose a larger model: this one does not keep to what it is shown"
		}
		return finding{State: findWrong, Found: fmt.Sprintf("%s: %v", m.Name(), err), Do: do}
	}
	return finding{State: findOK, Found: fmt.Sprintf("%s answers in %s, asked by %s; %d of its statements were borne out, %d were not",
		t.Engine, t.Taken.Round(10*time.Millisecond), cmp.Or(t.Form, "text"), t.Summary.Made.Kept, t.Summary.Made.Dropped)}
}
