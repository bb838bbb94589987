package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
	"aval/summarizer/summary/llm"
)

// writer is who writes a company's summaries, as the API has it.
type writer = v1.SummaryEngine

// companyEngine shows or chooses who writes a company's summaries: the console's
// page, for who works without it.
func (a *app) companyEngine() *cobra.Command {
	var m llm.Config
	var keyFile string
	// chosen is the choice and, with own, the model; the key is read as late as can be.
	chosen := func(cmd *cobra.Command, args []string) (v1.EngineChoice, error) {
		choice, given := v1.EngineChoice(""), false
		for _, name := range []string{"url", "model", "key-file", "key-header"} {
			given = given || cmd.Flags().Changed(name)
		}
		if len(args) > 0 {
			if choice = v1.EngineChoice(args[0]); !choice.Valid() {
				return "", usageError{fmt.Errorf("there is no choice %q: default, server, rules or own", args[0])}
			}
		}
		if given && choice != v1.Own {
			return "", usageError{errors.New("--url, --model, --key-file and --key-header go with the choice own")}
		}
		if choice != v1.Own {
			return choice, nil
		}
		m.Key = os.Getenv(keyVariable)
		if keyFile != "" {
			raw, err := readSmall(keyFile)
			if err != nil {
				return "", fmt.Errorf("read the model's key: %w", err)
			}
			if m.Key = strings.TrimSpace(raw); m.Key == "" {
				return "", fmt.Errorf("read the model's key: %s is empty", keyFile)
			}
		}
		if err := m.Check(); err != nil {
			return "", usageError{fmt.Errorf("--url and --model are needed with own: %w", err)}
		}
		return choice, nil
	}
	var cmd *cobra.Command
	cmd = a.companyStep("engine [default|server|rules|own] (--data DIR | --server URL --token-file F)", "Show or choose who writes the company's summaries",
		`server: the language model that the server was started with; rules: none; own: a
model that the company names, with --url and --model, and where it needs a key
--key-file (or the environment's `+keyVariable+`). The key is kept sealed, is never
shown, and stays when it is left out and the host is the same. default: the
server's model for the company that the server was set up for, the rules for
every other one. Computers are told within seconds, and what people allowed for
one engine is not given to another. Which model a server has, only it knows: what
leads there needs --server.`,
		cobra.MaximumNArgs(1), func(ctx context.Context, co *company.Service, args []string) error {
			choice, err := chosen(cmd, args)
			switch {
			case err != nil:
				return err
			case choice == v1.Default, choice == v1.Server:
				return usageError{fmt.Errorf("which model the server has, only the server knows: %s needs --server, or the console", choice)}
			case choice != "":
				if err := co.SetEngine(ctx, company.EngineChoice(choice), m, m.Key == ""); err != nil {
					return err
				}
			}
			e, err := co.Engine(ctx)
			if err != nil {
				return err
			}
			out := writer{Choice: v1.EngineChoice(cmp.Or(string(e.Choice), string(v1.Default))), Engine: e.Engine, Applies: e.Applies, HasKey: e.HasKey}
			if e.Own != nil {
				out.Url, out.Model, out.KeyHeader = e.Own.URL, e.Own.Model, e.Own.Header
			}
			return a.printWriter(out)
		})
	a.orFar(cmd, func(ctx context.Context, client *v1.ClientWithResponses, args []string) error {
		choice, err := chosen(cmd, args)
		if err != nil {
			return err
		}
		if choice != "" {
			res, err := client.SetEngineWithResponse(ctx, v1.NewSummaryEngine{Choice: choice, Url: m.URL, Model: m.Model, Key: m.Key, KeyHeader: m.Header})
			if err != nil {
				return reached(err)
			}
			if err := answered(res.StatusCode(), res.Body); err != nil {
				return err
			}
			return a.printAnswer(res.Body)
		}
		res, err := client.GetEngineWithResponse(ctx)
		if err != nil {
			return reached(err)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		return a.printAnswer(res.Body)
	})
	cmd.Flags().StringVar(&m.URL, "url", "", "with own: the model's base address, https://HOST/v1")
	cmd.Flags().StringVar(&m.Model, "model", "", "with own: the model's name there")
	cmd.Flags().StringVar(&keyFile, "key-file", "", "with own: a file with the model's key")
	cmd.Flags().StringVar(&m.Header, "key-header", "", "with own: the header that carries the key (default: Authorization, as a bearer token)")
	_ = cmd.MarkFlagFilename("key-file")
	return cmd
}

// printAnswer prints what a server elsewhere says of it.
func (a *app) printAnswer(body []byte) error {
	var e writer
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return a.printWriter(e)
}

func (a *app) printWriter(e writer) error {
	return a.print(e, func(w io.Writer) {
		fmt.Fprintf(w, "choice = %s: summaries are written by %s\n", e.Choice, e.Engine)
		if e.Server != "" {
			fmt.Fprintf(w, "the server's model: %s\n", e.Server)
		}
		if e.Url != "" {
			key := "no key"
			if e.HasKey {
				key = "a key is kept, in the header " + cmp.Or(e.KeyHeader, "Authorization")
			}
			fmt.Fprintf(w, "the company's own: %s at %s, %s\n", e.Model, e.Url, key)
		}
	})
}
