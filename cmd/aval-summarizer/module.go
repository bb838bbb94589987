package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/summarizer/company"
)

func (a *app) moduleCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "QuickSupport modules: Aval for one session, without installation", Args: cobra.NoArgs,
		Long: `A module is a small signed file. With it and the programs of Aval, a person whose
computer has no Aval starts it for one session (aval module run FILE), enters the
supporter's session code, and is asked as always. The file holds no secret: without
a code it opens nothing.

Each module has a switch, "Enable Session Insights for this module". It counts
under outgoing=modules: then only sessions by modules whose switch is on are asked
about. Under outgoing=all it has no effect, for every session is asked about.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.moduleCreate(), a.moduleList(), a.moduleSwitch("enable", true), a.moduleSwitch("disable", false), a.moduleRevoke())
	return cmd
}

// madeModule is what module create prints with --json.
type madeModule struct {
	company.Module
	File string `json:"file"`
}

func (a *app) moduleCreate() *cobra.Command {
	var name, out string
	var days int
	var insights bool
	cmd := a.companyStep("create --name NAME --data DIR [--insights] [--days N] [--out FILE]", "Make a module",
		`Makes a module and writes its signed file. Hand the file out together with the
programs of Aval: a person runs aval module run FILE, or starts a copy of aval under
another name that lies beside a file named company.avalmodule.`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			// The file comes first: a module that nobody has is of no use.
			f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if err != nil {
				return fmt.Errorf("write module: %w", err)
			}
			defer f.Close()
			m, raw, err := co.CreateModule(ctx, name, insights, days)
			if err == nil {
				_, err = f.Write(raw)
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				return errors.Join(err, os.Remove(out))
			}
			return a.print(madeModule{m, out}, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s: module %q (%s), good until %s.\n%s\n", out, m.Name, m.ID, m.ExpiresAt.Local().Format(time.DateOnly), moduleWords(m))
			})
		})
	cmd.Flags().StringVar(&name, "name", "", "the module's name, as people are to read it")
	cmd.Flags().IntVar(&days, "days", company.ModuleDays, "how many days it stands")
	cmd.Flags().BoolVar(&insights, "insights", false, "enable Session Insights for this module")
	cmd.Flags().StringVar(&out, "out", "company.avalmodule", "write the module to this new file")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// moduleWords says what a module's switch comes to.
func moduleWords(m company.Module) string {
	switch {
	case !m.RevokedAt.IsZero():
		return "It is revoked: it does not start any more."
	case m.Outgoing == consent.OutgoingOff:
		return "The company asks about no outgoing session (outgoing=off), by this module neither."
	case m.Outgoing == consent.OutgoingAll:
		return "The company asks about every outgoing session (outgoing=all): the module's switch has no effect."
	case m.Enabled:
		return "Session Insights are enabled for this module: sessions by it are asked about."
	}
	return "Session Insights are not enabled for this module: sessions by it are not asked about."
}

func (a *app) moduleList() *cobra.Command {
	return a.companyStep("list --data DIR", "List the modules", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.Modules(ctx)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "There is no module yet: aval-summarizer module create --name NAME")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "MODULE\tNAME\tSWITCH\tASKS\tGOOD UNTIL")
				for _, m := range all {
					on, asks, until := "off", "no", m.ExpiresAt.Local().Format(time.DateOnly)
					if m.Enabled {
						on = "on"
					}
					if m.Asks {
						asks = "yes"
					}
					if !m.RevokedAt.IsZero() {
						asks, until = "no", "revoked"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", m.ID, m.Name, on, asks, until)
				}
				t.Flush()
			})
		})
}

func (a *app) moduleSwitch(use string, on bool) *cobra.Command {
	return a.companyStep(use+" ID --data DIR", map[bool]string{true: "Enable", false: "Disable"}[on]+" Session Insights for a module",
		`Sets the module's own switch. It counts under outgoing=modules alone, from the next
code that is entered in the module; under outgoing=all it has no effect.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			m, err := co.SwitchModule(ctx, args[0], on)
			if err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) { fmt.Fprintf(w, "Module %q is %sd. %s\n", m.Name, use, moduleWords(m)) })
		})
}

func (a *app) moduleRevoke() *cobra.Command {
	return a.companyStep("revoke ID --data DIR", "End a module for good",
		"Ends a module: it does not start any more, and no code is taken in it. Sessions\nthat are open go on.", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			m, err := co.RevokeModule(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) { fmt.Fprintf(w, "Module %q is revoked.\n", m.Name) })
		})
}
