package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/summarizer/company"
)

func (a *app) companyCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "company", Short: "The companies of this server, and about which sessions one asks", Args: cobra.NoArgs,
		Long: `Outgoing sessions are those that the company's people start, on anybody's
computer. Incoming ones are those on the computers that the company manages,
whoever connects. The two are independent; a session that is both is looked at
as incoming first, and recorded once.

  aval-summarizer company set incoming=policy --data DIR

Connected devices have it within seconds.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.companyCreate(), a.companyList(), a.companyShow(), a.companySet(), a.companyActivate(), a.companyDeactivate(), a.companyEngine(), a.companyHistory(), a.companyUndo(), a.companyRustDesk())
	return cmd
}

func (a *app) companyShow() *cobra.Command {
	return a.companyStep("show --data DIR", "Show about which sessions the company asks", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error { return a.choices(ctx, co) })
}

// choices prints what the company has chosen and what it means for people.
func (a *app) choices(ctx context.Context, co *company.Service) error {
	c, err := co.Choices(ctx)
	if err != nil {
		return err
	}
	return a.print(c, func(w io.Writer) {
		if c.Activation == nil {
			fmt.Fprintln(w, "Not activated: nothing is asked, whatever stands below. company activate shows the terms.")
		} else if !c.Activation.ByPerson() {
			fmt.Fprintln(w, "Activated; nobody has accepted the terms by name yet (company activate).")
		}
		fmt.Fprintf(w, "outgoing = %s: %s\n", c.Outgoing, outgoingWords[c.Outgoing])
		fmt.Fprintf(w, "incoming = %s: %s\n", c.Incoming, incomingWords[c.Incoming])
		how := "people at managed devices may choose Denied or After confirmation, and it counts"
		if c.IncomingEnforced {
			how = "people at managed devices cannot refuse; they are told, and can object"
		}
		if c.Incoming != consent.IncomingAll {
			how += " (counts with incoming=all; with incoming=policy, the policy's own enforce says it)"
		}
		fmt.Fprintf(w, "incoming_enforced = %v: %s\n", c.IncomingEnforced, how)
		switch c.Sees {
		case company.SeesGroup:
			fmt.Fprintln(w, "sees = group: viewers and supporters see the sessions that they or somebody of their group started")
		case company.SeesOwn:
			fmt.Fprintln(w, "sees = own: viewers and supporters see the sessions that they started")
		}
		if r := c.RustDesk; r.On {
			fmt.Fprintln(w, "rustdesk = on: RustDesk clients that were given an address by company rustdesk report their connections")
			if r.Forward != "" {
				fmt.Fprintf(w, "rustdesk_forward = %s: their reports are passed on\n", r.Forward)
			}
		}
		if c.Releases == "release-key" {
			fmt.Fprintln(w, "Asking about incoming sessions needs the company's release key: policy draft, policy sign, policy publish --signed.")
		}
		for _, name := range c.Waiting {
			fmt.Fprintf(w, "Waiting: the release of policy %q does not vouch for this; its devices are not asked about incoming sessions.\n", name)
		}
		if c.WaitingUnassigned {
			fmt.Fprintln(w, "Waiting: devices without a policy are not asked about incoming sessions, for no release vouches for it.")
		}
	})
}

var outgoingWords = map[consent.OutgoingOption]string{
	consent.OutgoingOff:     "sessions that the company's people start are not asked about",
	consent.OutgoingAll:     "sessions that the company's people start are asked about",
	consent.OutgoingModules: "only sessions by a module that asks for summaries are asked about",
}

var incomingWords = map[consent.IncomingOption]string{
	consent.IncomingOff:    "being a managed device is no reason to record",
	consent.IncomingAll:    "sessions on every managed device are recorded with a notice, unless a policy excludes the device",
	consent.IncomingPolicy: "sessions on managed devices whose policy sets Reporting and Insights to on are recorded with a notice",
}

func (a *app) companySet() *cobra.Command {
	return a.companyStep("set KEY=VALUE… --data DIR", "Change about which sessions the company asks",
		`The keys: outgoing=off|on|all|modules, incoming=off|on|all|policy (on: what was
chosen when it was last on; the first time outgoing=all, incoming=policy), and
incoming_enforced=true|false: whether people at managed devices may not refuse
under incoming=all. sees=all|group|own: whose sessions viewers and supporters see.
rustdesk=on|off: whether RustDesk clients may report their
connections here, with rustdesk_forward=https://HOST (or nothing) for the server
that has their reports otherwise. All is done, or nothing.

What lets sessions be recorded without a question counts only under the key that
devices pinned when they were enrolled: the server's own, as it begins, or the
company's release key (policy release-key).`, cobra.MinimumNArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			var ch company.Change
			seen := map[string]bool{}
			for _, arg := range args {
				key, value, ok := strings.Cut(arg, "=")
				if !ok || seen[key] {
					return usageError{fmt.Errorf("%q is not one KEY=VALUE for each key", arg)}
				}
				seen[key] = true
				switch key {
				case "outgoing":
					o := consent.OutgoingOption(value)
					ch.Outgoing = &o
				case "incoming":
					i := consent.IncomingOption(value)
					ch.Incoming = &i
				case "incoming_enforced":
					if value != "true" && value != "false" {
						return usageError{errors.New("incoming_enforced is true or false")}
					}
					on := value == "true"
					ch.IncomingEnforced = &on
				case "rustdesk":
					if value != "on" && value != "off" {
						return usageError{errors.New("rustdesk is on or off")}
					}
					on := value == "on"
					ch.RustDesk = &on
				case "sees":
					sees := company.Sees(value)
					ch.Sees = &sees
				case "rustdesk_forward":
					ch.RustDeskForward = &value
				default:
					return usageError{fmt.Errorf("there is no option %q: outgoing, incoming, incoming_enforced, sees, rustdesk, rustdesk_forward", key)}
				}
			}
			if err := co.SetOptions(ctx, ch); err != nil {
				return err
			}
			return a.choices(ctx, co)
		})
}

func (a *app) companyRustDesk() *cobra.Command {
	return a.companyStep("rustdesk DEVICE --data DIR", "Show the address to which a device's RustDesk reports its connections",
		`The address is for this device alone, and a secret: who has it, speaks for the
device. rustdesk=off ends all addresses, and rustdesk=on makes new ones.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			server, err := co.RustDeskServer(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(map[string]string{"device": args[0], "api_server": server}, func(w io.Writer) {
				fmt.Fprintln(w, "As administrator on that computer:")
				fmt.Fprintln(w, "  rustdesk --option api-server", server)
			})
		})
}
