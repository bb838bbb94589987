package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) deviceCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "The company's computers, enrolled and signed in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.deviceList(), a.deviceRevoke(), a.deviceApprove())
	return cmd
}

func (a *app) deviceList() *cobra.Command {
	return a.companyStep("list --data DIR", "List the computers", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.Devices(ctx)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "There is no computer yet: aval enroll, or aval sign-in, on one.")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, d := range all {
					state := "enrolled"
					if d.Account != "" {
						state = "signed in: " + d.AccountName
					}
					if !d.RevokedAt.IsZero() {
						state += ", revoked"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", d.ID, d.Name, state, d.Since.Local().Format("2006-01-02 15:04"))
				}
				t.Flush()
			})
		})
}

func (a *app) deviceRevoke() *cobra.Command {
	return a.companyStep("revoke ID --data DIR", "End a computer's right to send, for good",
		`Ends a computer's right to connect and to send. It cannot be undone: the computer
is enrolled, or signed in, anew. One that is signed in to an account is signed out
as soon as it hears of it; an enrolled one stops recording when its options expire.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.RevokeDevice(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"revoked": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Revoked.") })
		})
}

func (a *app) deviceApprove() *cobra.Command {
	var user string
	var refuse bool
	cmd := a.companyStep("approve CODE (--user ID | --refuse) --data DIR", "Sign a computer in to a user's account, or refuse it",
		`Approves the computer on which aval sign-in shows this code. While incoming=all,
the company then asks about sessions on that user's desktop there, whoever
connects; the person at it is told each time, and may deny. Approve only a code
that the user reads to you from their own screen.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if refuse == (user != "") {
				return usageError{errors.New("say whose account it is, or refuse it: --user ID or --refuse")}
			}
			w, err := co.DecideSignIn(ctx, args[0], "", user)
			if err != nil {
				return err
			}
			return a.print(w, func(out io.Writer) {
				what := "Approved"
				if refuse {
					what = "Refused"
				}
				fmt.Fprintf(out, "%s: %s, which asked from %s.\n", what, w.Name, w.Address)
			})
		})
	cmd.Flags().StringVar(&user, "user", "", "whose account it is: a user's id")
	cmd.Flags().BoolVar(&refuse, "refuse", false, "refuse the computer")
	return cmd
}
