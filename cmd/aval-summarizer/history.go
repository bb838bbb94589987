package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"aval/assets"
	"aval/summarizer/company"
)

func (a *app) companyHistory() *cobra.Command {
	var before int64
	var limit int
	cmd := a.companyStep("history [--before N] [--limit N] --data DIR", "Show what was changed in the company's settings, newest first",
		`Shows every change of options, policies, modules, groups and assignments: who made
it, what was before and what is since. company undo N takes one back.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			if limit < 1 || limit > 1000 {
				return usageError{errors.New("--limit is from 1 to 1000")}
			}
			all, err := co.History(ctx, before, limit)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "Nothing has been changed yet.")
				}
				for _, c := range all {
					fmt.Fprintf(w, "%d  %s  %s  %s %s: %s -> %s", c.Number, seen(c.At), c.Actor, c.Kind, strings.TrimSpace(c.Name), short(c.Old), short(c.New))
					switch {
					case c.Undone > 0:
						fmt.Fprintf(w, "  [taken back by %d]", c.Undone)
					case c.Undoes > 0:
						fmt.Fprintf(w, "  [takes back %d]", c.Undoes)
					case !c.CanUndo:
						fmt.Fprint(w, "  [final]")
					}
					fmt.Fprintln(w)
				}
			})
		})
	cmd.Flags().Int64Var(&before, "before", 0, "only those with a smaller number")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many")
	return cmd
}

// short is a value's JSON, cut for one line.
func short(raw []byte) string {
	if s := string(raw); len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(string(raw[:79]), "") + "…"
}

func (a *app) companyUndo() *cobra.Command {
	return a.companyStep("undo N --data DIR", "Take a change of the settings back, by its number in company history",
		`Makes a new change that restores what was before. It is refused where something
else was chosen since, and where what would come back can allow a recording
without a question and so needs the company's release key.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 1 {
				return usageError{fmt.Errorf("%q is no number of a change", args[0])}
			}
			if err := co.Undo(ctx, n); err != nil {
				return err
			}
			return a.print(map[string]int64{"undone": n}, func(w io.Writer) {
				fmt.Fprintf(w, "Change %d is taken back. Connected devices hear of it within seconds.\n", n)
			})
		})
}

func (a *app) companyActivate() *cobra.Command {
	var accept, lang string
	cmd := a.companyStep("activate [--lang LANG] [--accept HASH] --data DIR", "Show the terms, or accept them and activate Session Insights",
		`Without --accept it shows the terms and the hash of this text. With that hash the
terms are accepted, and the company asks about sessions as it has chosen; who,
when and which text stands in the history. Until a company is activated nothing
is asked.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			text, in, sum := company.Terms(lang)
			if accept != "" {
				if err := co.Activate(ctx, in, accept); err != nil {
					return err
				}
				return a.print(map[string]string{"terms": company.TermsVersion, "sha256": sum}, func(w io.Writer) {
					fmt.Fprintln(w, "Session Insights are activated. company show says about which sessions the company asks.")
				})
			}
			return a.print(map[string]any{"terms": company.TermsVersion, "lang": in, "text": text, "sha256": sum}, func(w io.Writer) {
				for i, p := range text {
					fmt.Fprintf(w, "%d. %s\n", i+1, p)
				}
				fmt.Fprintf(w, "\nTo accept them: aval-summarizer company activate --lang %s --accept %s --data %s\n", in, sum, quoteArg(a.data))
			})
		})
	cmd.Flags().StringVar(&accept, "accept", "", "accept the terms that have this hash")
	cmd.Flags().StringVar(&lang, "lang", "en", "language of the terms: "+strings.Join(assets.LangsOf("console"), " or "))
	return cmd
}

func (a *app) companyDeactivate() *cobra.Command {
	return a.companyStep("deactivate --data DIR", "Have the company ask about nothing any more; what it has chosen stays", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			if err := co.Deactivate(ctx); err != nil {
				return err
			}
			return a.print(map[string]bool{"activated": false}, func(w io.Writer) {
				fmt.Fprintln(w, "Deactivated. Connected devices hear of it within seconds. To begin again: company activate")
			})
		})
}
