package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
)

func (a *app) sessionCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "Ask for a session: by a code, by announcing one, or by taking one that waits", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.sessionCode(), a.sessionAnnounce(), a.sessionWaiting(), a.sessionTake(), a.sessionRefuse())
	return cmd
}

func (a *app) sessionCode() *cobra.Command {
	var f company.CodeFor
	var unlogged bool
	var far *remote
	cmd := a.companyStep("code --supporter NAME --data DIR", "Make a session code",
		`Makes a code that lets the company ask, on one computer that it does not manage,
for the summary of one session. It can be used once, within ten minutes. The
person enters it in Aval's main window, opens its link, or runs

  aval session join -

and types it there. They are then asked as always: a code allows nothing.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			f.LogSessions = !unlogged
			c, err := co.NewCode(ctx, f)
			if err != nil {
				return err
			}
			return a.printCode(c)
		})
	far = a.remoteFlags(cmd)
	beside := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := far.client()
		switch {
		case err != nil:
			return err
		case client == nil && f.Supporter == "":
			return usageError{errors.New("say who will connect: --supporter NAME")}
		case client == nil:
			return beside(cmd, args)
		case f.Supporter != "" || unlogged:
			return usageError{errors.New("with --server the code is of the token's user: leave --supporter and --no-log out")}
		}
		res, err := client.CreateCodeWithResponse(cmd.Context(), &v1.CreateCodeParams{}, v1.NewCode{Module: f.Module})
		if err != nil {
			return reached(err)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		return a.printCode(company.NewCode{ID: res.JSON201.Id, Code: res.JSON201.Code, Link: res.JSON201.Link, Supporter: res.JSON201.Supporter,
			ExpiresAt: res.JSON201.ExpiresAt, Pinned: res.JSON201.Pinned})
	}
	cmd.Flags().StringVar(&f.Supporter, "supporter", "", "who will connect, as the person is to read it")
	cmd.Flags().StringVar(&f.Module, "module", "", "the module that the session goes through: its ID or name (its switch for summaries counts)")
	cmd.Flags().BoolVar(&unlogged, "no-log", false, "the supporter's sessions are not to be summarised")
	return cmd
}

func (a *app) printCode(c company.NewCode) error {
	return a.print(c, func(w io.Writer) {
		fmt.Fprintf(w, "Code:  %s\nLink:  %s\nGood once, until %s.\n", c.Code, c.Link, c.ExpiresAt.Local().Format("15:04"))
		if c.Pinned {
			fmt.Fprintln(w, "The server's certificate is its own, so the code carries its fingerprint: send it whole.")
		}
	})
}

// deliverWithin is how long an announcement waits for the computer's word.
const deliverWithin = 8 * time.Second

func (a *app) sessionAnnounce() *cobra.Command {
	var user, device string
	var far *remote
	cmd := a.companyStep("announce --device ID --user ID --data DIR", "Tell a computer who is about to connect",
		`Tells a computer that is enrolled here, signed, which of the company's people is
about to connect: the question then names them as verified, and whether their
sessions are to be summarised counts. The next session that begins there within
ten minutes is theirs. ID is the Aval ID that the computer shows in its main
window and in aval status; user list shows the users.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			an, err := co.Announce(ctx, user, device)
			if err != nil {
				return err
			}
			return a.waitTold(ctx, an, func() (bool, error) { return co.Delivered(ctx, an.ID) })
		})
	far = a.remoteFlags(cmd)
	beside := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := far.client()
		switch {
		case err != nil:
			return err
		case client == nil && user == "":
			return usageError{errors.New("say who is about to connect: --user ID")}
		case client == nil:
			return beside(cmd, args)
		case user != "":
			return usageError{errors.New("with --server it is the token's user who is about to connect: leave --user out")}
		}
		ctx := cmd.Context()
		res, err := client.AnnounceWithResponse(ctx, &v1.AnnounceParams{}, v1.NewAnnouncement{Device: device})
		if err != nil {
			return reached(err)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		an := company.Announced{ID: res.JSON201.Id, Device: res.JSON201.Device, Supporter: res.JSON201.Supporter, ExpiresAt: res.JSON201.ExpiresAt, Delivered: res.JSON201.Delivered}
		return a.waitTold(ctx, an, func() (bool, error) {
			res, err := client.GetAnnouncementWithResponse(ctx, an.ID)
			if err != nil {
				return false, reached(err)
			}
			return res.JSON200 != nil && res.JSON200.Delivered, answered(res.StatusCode(), res.Body)
		})
	}
	cmd.Flags().StringVar(&device, "device", "", "the computer's Aval ID")
	cmd.Flags().StringVar(&user, "user", "", "who is about to connect: a user's id")
	_ = cmd.MarkFlagRequired("device")
	return cmd
}

// waitTold waits a little until the computer knows, and says whether it does.
func (a *app) waitTold(ctx context.Context, an company.Announced, told func() (bool, error)) (err error) {
	for end := time.Now().Add(deliverWithin); !an.Delivered && time.Now().Before(end); {
		select {
		case <-time.After(400 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if an.Delivered, err = told(); err != nil {
			return err
		}
	}
	return a.print(an, func(w io.Writer) {
		if an.Delivered {
			fmt.Fprintf(w, "The computer knows that %s is about to connect, until %s.\n", an.Supporter, an.ExpiresAt.Local().Format("15:04"))
			return
		}
		fmt.Fprintf(w, "The computer is not connected to this server now. It is told if it connects before %s.\n", an.ExpiresAt.Local().Format("15:04"))
	})
}
