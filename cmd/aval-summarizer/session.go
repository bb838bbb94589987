package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) sessionCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "Ask for a session on a computer that is not managed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.sessionCode())
	return cmd
}

func (a *app) sessionCode() *cobra.Command {
	var f company.CodeFor
	var unlogged bool
	cmd := a.companyStep("code --supporter NAME --data DIR", "Make a session code",
		`Makes a code that lets the company ask, on one computer that it does not manage,
for the summary of one session. It can be used once, within ten minutes. The
person enters it in Aval's main window, opens its link, or runs

  aval session join -

and types it there. They are then asked as always: a code allows nothing.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			f.LogSessions, f.By = !unlogged, "administrator"
			c, err := co.NewCode(ctx, f)
			if err != nil {
				return err
			}
			return a.print(c, func(w io.Writer) {
				fmt.Fprintf(w, "Code:  %s\nLink:  %s\nGood once, until %s.\n", c.Code, c.Link, c.ExpiresAt.Local().Format("15:04"))
				if c.Pinned {
					fmt.Fprintln(w, "The server's certificate is its own, so the code carries its fingerprint: send it whole.")
				}
			})
		})
	cmd.Flags().StringVar(&f.Supporter, "supporter", "", "who will connect, as the person is to read it")
	cmd.Flags().StringVar(&f.Module, "module", "", "the module that the session goes through")
	cmd.Flags().BoolVar(&f.ModuleEnabled, "module-insights", false, "the module's own switch for summaries is on")
	cmd.Flags().BoolVar(&unlogged, "no-log", false, "the supporter's sessions are not to be summarised")
	_ = cmd.MarkFlagRequired("supporter")
	return cmd
}
