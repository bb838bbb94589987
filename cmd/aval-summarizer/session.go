package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) sessionCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "Ask for a session: by a code, or announce one", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.sessionCode(), a.sessionAnnounce())
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
			f.LogSessions = !unlogged
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
	cmd.Flags().StringVar(&f.Module, "module", "", "the module that the session goes through: its ID or name (its switch for summaries counts)")
	cmd.Flags().BoolVar(&unlogged, "no-log", false, "the supporter's sessions are not to be summarised")
	_ = cmd.MarkFlagRequired("supporter")
	return cmd
}

// deliverWithin is how long an announcement waits for the computer's word.
const deliverWithin = 8 * time.Second

func (a *app) sessionAnnounce() *cobra.Command {
	var user, device string
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
			for end := time.Now().Add(deliverWithin); !an.Delivered && time.Now().Before(end); {
				select {
				case <-time.After(200 * time.Millisecond):
				case <-ctx.Done():
					return ctx.Err()
				}
				if an.Delivered, err = co.Delivered(ctx, an.ID); err != nil {
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
		})
	cmd.Flags().StringVar(&device, "device", "", "the computer's Aval ID")
	cmd.Flags().StringVar(&user, "user", "", "who is about to connect: a user's id")
	_ = cmd.MarkFlagRequired("device")
	_ = cmd.MarkFlagRequired("user")
	return cmd
}
