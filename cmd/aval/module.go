package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/module"
)

func (a *app) moduleCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "A company's QuickSupport module: Aval for one session, without installation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.moduleShow())
	return cmd
}

// shownModule is what module show prints with --json.
type shownModule struct {
	Server  string    `json:"server"`
	Pinned  bool      `json:"pinned"`
	Company string    `json:"company"`
	Name    string    `json:"name"`
	Expires time.Time `json:"expires"`
	Asks    bool      `json:"asks"`
}

func (a *app) moduleShow() *cobra.Command {
	return &cobra.Command{
		Use: "show FILE", Short: "Show whose module a file is, after asking its server",
		Long: `Opens a module and asks the server that it names whether it stands by it. A module
that was changed, has expired, was revoked or is of somebody else is refused, with
exit code 3. Nothing is started and nothing is kept.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := module.Open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(shownModule{m.Host, m.Pinned, m.CompanyName, m.Name, m.Module.Expires, m.Asks}, func(w io.Writer) { printModule(w, m) })
		},
	}
}

// printModule says whose a module is: what was verified first, what is only said
// after it.
func printModule(w io.Writer, m module.Module) {
	how := "verified"
	if m.Pinned {
		how = "verified by nothing but the fingerprint in the module"
	}
	fmt.Fprintf(w, "Server:  %s (%s)\nCompany: %s (as it calls itself)\nModule:  %s, good until %s\n", m.Host, how, m.CompanyName, m.Name, m.Module.Expires.Local().Format(time.DateOnly))
	if !m.Asks {
		fmt.Fprintln(w, "The company does not ask about sessions by this module: nothing of them is recorded.")
	}
}
