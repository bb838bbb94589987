package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

func (a *app) deviceCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "The company's computers, and groups of them", Args: cobra.NoArgs,
		Long: `Managed devices are the computers that were enrolled with the company; beside them
are computers on which a user is signed in to their account, and the keys of single
sessions, by a session code. A device's policy is its own;
else the one of its group; else the one of all devices.

  aval-summarizer device group create Shops --data DIR
  aval-summarizer device move reception-1 reception-2 --group Shops --data DIR
  aval-summarizer policy assign Offices --group Shops --data DIR`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.deviceList(), a.deviceShow(), a.deviceRename(), a.deviceRevoke(), a.deviceMove(), a.deviceGroup(), a.deviceApprove())
	return cmd
}

func (a *app) deviceList() *cobra.Command {
	var f company.DeviceFilter
	var single bool
	cmd := a.companyStep("list [--search TEXT] [--group GROUP] [--reach STATE] [--revoked] [--sessions] --data DIR", "List the computers, those enrolled last first", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			f := f
			if single {
				f.Kind = store.Single
			}
			if f.Group != "" && f.Group != company.NoGroup {
				g, err := co.Group(ctx, f.Group)
				if err != nil {
					return err
				}
				f.Group = g.ID
			}
			all := []company.Device{}
			for {
				page, next, err := co.Devices(ctx, f)
				if err != nil {
					return err
				}
				if all = append(all, page...); next == "" {
					break
				}
				f.After = next
			}
			return a.print(all, func(w io.Writer) { writeDevices(w, all) })
		})
	cmd.Flags().StringVar(&f.Search, "search", "", "only those whose name has this in it, or with this id")
	cmd.Flags().StringVar(&f.Group, "group", "", "only those in this group, or in "+company.NoGroup)
	cmd.Flags().StringVar((*string)(&f.Reach), "reach", "", "only those at which somebody can be asked (ready), or not: unreachable, or one of "+reaches())
	cmd.Flags().BoolVar(&f.Revoked, "revoked", false, "those that were revoked")
	cmd.Flags().BoolVar(&single, "sessions", false, "the keys of single sessions, by a code, instead of computers")
	return cmd
}

func writeDevices(w io.Writer, all []company.Device) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There is none. A computer is enrolled with: aval-summarizer token create --out token.json")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DEVICE\tNAME\tGROUP\tPOLICY\tLAST SEEN\tREACH\tVERSION")
	for _, d := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Name, orNone(d.Group), policyOf(d), seen(d.LastSeenAt), reachOf(d), d.Version)
	}
	_ = t.Flush() // to a terminal or a buffer
	for _, d := range all {
		if !d.LogBrokenAt.IsZero() {
			fmt.Fprintf(w, "%s: its log of records was put back or written anew on %s; device show %s says more.\n", d.Name, seen(d.LogBrokenAt), d.ID)
		}
	}
}

// reaches are the states of reach, for help.
func reaches() string {
	var all []string
	for _, r := range company.AllReached() {
		all = append(all, string(r))
	}
	return strings.Join(all, ", ")
}

// reachOf says whether somebody there could be asked.
func reachOf(d company.Device) string {
	if d.Reach == nil {
		return "-"
	}
	return d.Reach.State
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func seen(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// policyOf says which policy a device has.
func policyOf(d company.Device) string {
	s := "-"
	if d.Account != "" {
		return "none: account of " + d.AccountName
	}
	if d.Policy != nil {
		s = fmt.Sprintf("%s version %d", d.Policy.Name, d.Policy.Version)
	}
	if d.Waits {
		s += " (a change waits)"
	}
	return s
}

func (a *app) deviceShow() *cobra.Command {
	return a.companyStep("show DEVICE --data DIR", "Show a computer's state, by its id or name", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			d, err := co.Device(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s\n", d.ID, d.Name)
				switch {
				case d.Account != "":
					fmt.Fprintf(w, "  signed in to the account of %s; no computer of the company's\n", d.AccountName)
				case !d.Managed:
					fmt.Fprintln(w, "  the key of one session, by a code; no computer of the company's")
				}
				if d.Hostname != d.Name && d.Hostname != "" {
					fmt.Fprintf(w, "  calls itself %s\n", d.Hostname)
				}
				fmt.Fprintf(w, "  group: %s\n  policy: %s", orNone(d.Group), policyOf(d))
				if d.Policy != nil {
					fmt.Fprintf(w, ", since %s", seen(d.Policy.Since))
				}
				if d.Assigned != "" {
					fmt.Fprintf(w, ", assigned to %s", map[string]string{"device": "this device", "group": "its group", "all": "all devices"}[d.Assigned])
				}
				fmt.Fprintf(w, "\n  last seen: %s, agent %s, its clock differs by %s\n", seen(d.LastSeenAt), orNone(d.Version), d.ClockSkew.Round(time.Second))
				if r := d.Reach; r != nil {
					fmt.Fprintf(w, "  asking: %s, since %s", reachSentence(r), seen(r.At))
					if r.StartFile != "" {
						fmt.Fprintf(w, "; add to %s there: %s", r.StartFile, r.StartLine)
					} else if r.StartLine != "" {
						fmt.Fprintf(w, "; run there, as the person: %s", r.StartLine)
					}
					fmt.Fprintln(w)
				}
				fmt.Fprintf(w, "  last session recorded: %s\n", seen(d.LastSessionAt))
				if b := d.LogBreak; b != nil {
					fmt.Fprintf(w, "  its log of records does not continue what it showed before, since %s, %d times: it had %d records on %s, and %d others on %s.\n"+
						"  The computer was put back from a copy, or its log was written anew. Its records from before are evidence still.\n",
						seen(b.At), b.Times, b.Kept.Size, seen(b.Kept.At), b.Other.Size, seen(b.Other.At))
				}
				if !d.RevokedAt.IsZero() {
					fmt.Fprintf(w, "  revoked on %s\n", seen(d.RevokedAt))
				}
			})
		})
}

// reachSentence is a state for people.
func reachSentence(r *company.Reach) string {
	switch r.State {
	case wire.ReachReady:
		return "somebody can be asked"
	case wire.ReachLocked:
		return "the screen is locked or left"
	case wire.ReachNobody:
		return "nobody is signed in"
	case wire.ReachNoHelper:
		return "unreachable, aval-desktop does not run on the desktop"
	case wire.ReachNoPrompt:
		return "unreachable, neither aval-ui nor a dialog program is installed"
	}
	return "unreachable, the last question could not be shown"
}

func (a *app) deviceRename() *cobra.Command {
	return a.companyStep("rename DEVICE NAME --data DIR", "Change what a computer is called here", `An empty NAME is the one that the computer gave itself.`, cobra.ExactArgs(2),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.RenameDevice(ctx, args[0], args[1]); err != nil {
				return err
			}
			return a.print(map[string]string{"device": args[0], "name": args[1]}, func(w io.Writer) { fmt.Fprintln(w, "Renamed.") })
		})
}

func (a *app) deviceRevoke() *cobra.Command {
	return a.companyStep("revoke DEVICE --data DIR", "End a computer's right to connect and to send, for good",
		`Ends a computer's right to connect and to send. It cannot be undone: the computer
is enrolled, or signed in, anew. What it sent stays. One that is signed in to an
account signs itself out when it hears of it; another agent that cannot connect
any more stops recording when its options expire.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.RevokeDevice(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"revoked": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Revoked.") })
		})
}

func (a *app) deviceMove() *cobra.Command {
	var group string
	var none bool
	cmd := a.companyStep("move DEVICE… (--group GROUP | --none) --data DIR", "Put computers into a group, or into none", "", cobra.MinimumNArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if none == (group != "") {
				return usageError{errors.New("name a group with --group GROUP, or --none")}
			}
			n, err := co.MoveDevices(ctx, args, group)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"moved": n, "group": group}, func(w io.Writer) { fmt.Fprintf(w, "%d moved. Connected devices hear of it within seconds.\n", n) })
		})
	cmd.Flags().StringVar(&group, "group", "", "the group, by its name or id")
	cmd.Flags().BoolVar(&none, "none", false, "into no group")
	return cmd
}

func (a *app) deviceGroup() *cobra.Command {
	cmd := &cobra.Command{Use: "group", Short: "Groups of computers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	said := func(use, short string, n int, what string, do func(context.Context, *company.Service, []string) error) *cobra.Command {
		return a.companyStep(use+" --data DIR", short, "", cobra.ExactArgs(n), func(ctx context.Context, co *company.Service, args []string) error {
			if err := do(ctx, co, args); err != nil {
				return err
			}
			return a.print(map[string]string{"group": args[n-1]}, func(w io.Writer) { fmt.Fprintln(w, what) })
		})
	}
	cmd.AddCommand(a.deviceGroupList(),
		said("create NAME", "Make an empty group", 1, "Created.", func(ctx context.Context, co *company.Service, args []string) error {
			_, err := co.CreateGroup(ctx, args[0])
			return err
		}),
		said("rename GROUP NAME", "Name a group anew", 2, "Renamed.", func(ctx context.Context, co *company.Service, args []string) error {
			return co.RenameGroup(ctx, args[0], args[1])
		}),
		said("delete GROUP", "Delete a group; its devices are in none then", 1, "Deleted. company undo brings it back.", func(ctx context.Context, co *company.Service, args []string) error {
			return co.DeleteGroup(ctx, args[0])
		}))
	return cmd
}

func (a *app) deviceGroupList() *cobra.Command {
	return a.companyStep("list --data DIR", "List the groups", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, none, err := co.Groups(ctx)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "GROUP\tDEVICES\tPOLICY\tID")
				for _, g := range all {
					fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", g.Name, g.Devices, orNone(g.Policy), g.ID)
				}
				fmt.Fprintf(t, "(in none)\t%d\t\t\n", none)
				_ = t.Flush()
			})
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
