package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
)

// eitherWay has a command do one thing beside the server, or, with --server, by its
// API.
func (a *app) eitherWay(cmd *cobra.Command, far func(ctx context.Context, client *v1.ClientWithResponses, args []string) error) *cobra.Command {
	r := a.remoteFlags(cmd)
	beside := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := r.client()
		switch {
		case err != nil:
			return err
		case client == nil:
			return beside(cmd, args)
		}
		return far(cmd.Context(), client, args)
	}
	return cmd
}

func (a *app) sessionWaiting() *cobra.Command {
	show := func(all []company.Opening) error {
		return a.print(all, func(w io.Writer) {
			if len(all) == 0 {
				fmt.Fprintln(w, "Nobody waits.")
				return
			}
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NUMBER\tMODULE\tSINCE\tUNTIL")
			for _, o := range all {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.Number, o.Module, o.CreatedAt.Local().Format("15:04:05"), o.ExpiresAt.Local().Format("15:04"))
			}
			_ = t.Flush() // to a terminal or a buffer
		})
	}
	cmd := a.companyStep("waiting --data DIR", "List the people who have opened a module and wait for a supporter",
		`Lists the modules that were opened without a code: the person sees a number and
reads it out. session take makes the session a supporter's.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.Openings(ctx)
			if err != nil {
				return err
			}
			return show(all)
		})
	return a.eitherWay(cmd, func(ctx context.Context, client *v1.ClientWithResponses, _ []string) error {
		res, err := client.ListOpeningsWithResponse(ctx)
		if err != nil {
			return reached(err)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		all := []company.Opening{}
		for _, o := range res.JSON200.Openings {
			all = append(all, company.Opening{ID: o.Id, Number: o.Number, Module: o.Module, CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt})
		}
		return show(all)
	})
}

func (a *app) sessionTake() *cobra.Command {
	var user string
	show := func(t company.Taken) error {
		return a.print(t, func(w io.Writer) {
			fmt.Fprintf(w, "The session of %s is %s's. The person is asked now.\n", t.Number, t.Supporter)
		})
	}
	cmd := a.companyStep("take NUMBER --user ID --data DIR", "Be the supporter of somebody who waits",
		`Makes one of the company's people the supporter of a session that a module has
opened, by the number that the person at the computer reads out. The person is then
asked as always, and reads that supporter's name: taking it allows nothing.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if user == "" {
				return usageError{errors.New("say whose session it is: --user ID")}
			}
			t, err := co.TakeOpening(ctx, user, args[0])
			if err != nil {
				return err
			}
			return show(t)
		})
	cmd.Flags().StringVar(&user, "user", "", "who is the supporter: a user's id")
	return a.eitherWay(cmd, func(ctx context.Context, client *v1.ClientWithResponses, args []string) error {
		if user != "" {
			return usageError{errors.New("with --server it is the token's user who takes it: leave --user out")}
		}
		res, err := client.TakeOpeningWithResponse(ctx, args[0], &v1.TakeOpeningParams{})
		if err != nil {
			return reached(err)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		o := res.JSON200
		return show(company.Taken{Opening: company.Opening{ID: o.Id, Number: o.Number, Module: o.Module, CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt}, Supporter: o.Supporter, Device: o.Device})
	})
}

func (a *app) sessionRefuse() *cobra.Command {
	show := func(which string) error {
		return a.print(map[string]string{"refused": which}, func(w io.Writer) { fmt.Fprintln(w, "Turned away.") })
	}
	cmd := a.companyStep("refuse NUMBER --data DIR", "Turn somebody away who waits", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			o, err := co.RefuseOpening(ctx, args[0])
			if err != nil {
				return err
			}
			return show(o.Number)
		})
	return a.eitherWay(cmd, func(ctx context.Context, client *v1.ClientWithResponses, args []string) error {
		res, err := client.RefuseOpeningWithResponse(ctx, args[0])
		if err != nil {
			return reached(err)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		return show(args[0])
	})
}
