package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/ipc"
	"aval/cmd/internal/command"
)

func (a *app) signInCmd() *cobra.Command {
	var r ipc.SignIn
	cmd := &cobra.Command{
		Use: "sign-in --server URL", Short: "Sign in to your account of a company, on a computer that nobody manages",
		Long: `Signs you in to your account of a company, by a code that you have approved at
the company's server. While the company asks about all incoming connections,
remote sessions on your desktop are then summarised for it, whoever connects:
you are told each time, you can stop each, and what you have chosen in the
settings counts. Other people's desktops on this computer are not concerned.

Where the server's certificate is its own, its address carries its fingerprint:
https://HOST:PORT#sha256:... aval sign-out ends it.`,
		Example: "  aval sign-in --server https://support.example.com", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			ctx, done := context.WithCancel(cmd.Context()) // Ctrl+C gives up there, too
			defer done()
			var shown sync.WaitGroup
			res, err := c.SignIn(ctx, r, func(code ipc.SignInCode) {
				fmt.Fprintf(a.errOut, "Open  %s\nEnter %s\nWaiting until %s. Ctrl+C gives up.\n", code.URL, code.Code, code.Expires.Local().Format("15:04"))
				if command.Terminal(a.in) {
					shown.Go(func() { a.countDown(ctx, code.Expires) })
				}
			})
			done()
			shown.Wait()
			if err != nil {
				return err
			}
			return a.print(res, func(w io.Writer) {
				fmt.Fprintf(w, "You are signed in as %s at %s (%s).\n", command.Printable(res.User), command.Printable(res.Company), res.Server)
			})
		},
	}
	cmd.Flags().StringVar(&r.Server, "server", "", "address of the company's server")
	_ = cmd.MarkFlagRequired("server")
	return cmd
}

// countDown shows how much time is left, in place, until ctx ends.
func (a *app) countDown(ctx context.Context, until time.Time) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		left := max(0, time.Until(until)).Round(time.Second)
		fmt.Fprintf(a.errOut, "\r%d:%02d left ", int(left.Minutes()), int(left.Seconds())%60)
		select {
		case <-tick.C:
		case <-ctx.Done():
			fmt.Fprintln(a.errOut)
			return
		}
	}
}

// signedOut is what sign-out prints with --json.
type signedOut struct {
	SignedIn bool   `json:"signed_in"`
	Company  string `json:"company"`
	Told     bool   `json:"told"`
}

func (a *app) signOutCmd() *cobra.Command {
	return &cobra.Command{
		Use: "sign-out", Short: "Sign out; recordings that rest on it end, unsent events stay sealed on this computer", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r ipc.SignOutResult
			if err := a.call(cmd.Context(), ipc.MethodSignOut, nil, &r); err != nil {
				return err
			}
			return a.print(signedOut{false, r.Company, r.Told}, func(w io.Writer) {
				fmt.Fprintln(w, "You are signed out. The company asks for nothing on this computer now.")
				if !r.Told {
					fmt.Fprintf(w, "The server of %s could not be told; it is told when it can be reached, while Aval runs here.\n", command.Printable(r.Company))
				}
			})
		},
	}
}
