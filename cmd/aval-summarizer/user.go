package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) userCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "The company's supporters", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.userCreate(), a.userList(), a.userDisable())
	return cmd
}

func (a *app) userCreate() *cobra.Command {
	var unlogged bool
	cmd := a.companyStep("create NAME --data DIR", "Add a supporter, by the name that people at computers read", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			u, err := co.CreateUser(ctx, args[0], !unlogged)
			if err != nil {
				return err
			}
			return a.print(u, func(w io.Writer) { fmt.Fprintf(w, "Created user %s (%s).\n", u.Name, u.ID) })
		})
	cmd.Flags().BoolVar(&unlogged, "no-log", false, "their sessions are not to be summarised")
	return cmd
}

func (a *app) userList() *cobra.Command {
	return a.companyStep("list --data DIR", "List the supporters", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.Users(ctx)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "There is no user yet: aval-summarizer user create NAME")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, u := range all {
					state := "summarised"
					switch {
					case !u.DisabledAt.IsZero():
						state = "disabled"
					case !u.LogSessions:
						state = "not summarised"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\n", u.ID, u.Name, state)
				}
				t.Flush()
			})
		})
}

func (a *app) userDisable() *cobra.Command {
	return a.companyStep("disable ID --data DIR", "End what a supporter may do, with their tokens", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.DisableUser(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"disabled": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Disabled.") })
		})
}
