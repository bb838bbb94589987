package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"aval/agent"
	"aval/agent/module"
	"aval/agent/session/watch"
)

func (a *app) moduleCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "A company's QuickSupport module: Aval for one session, without installation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.moduleShow(), a.moduleRun())
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

func (a *app) moduleRun() *cobra.Command {
	o := module.Options{Build: version, In: a.in, Out: a.out}
	var window bool
	cmd := &cobra.Command{
		Use: "run FILE", Short: "Run a module for one session: nothing is installed, and nothing stays",
		Long: `Runs a company's module, as you and without any rights, for one session. It says
whose it is, and reads the code that the support gave you from standard input. With
an empty line instead, or where standard input ends, it gets a number that you read
out to the support, and waits until somebody there has taken the session (in Aval's
window, where standard input has ended). Then it asks you whether the session may be
recorded. When the support
is over, press Enter: then you are asked whether what was recorded may be sent, and
until you say so nothing leaves. Ctrl-C ends it at once; what was not sent is
destroyed. In the end nothing is left on this computer.

A module that was changed, has expired, was revoked or is of somebody else does not
start (exit code 3), and none does where Aval is installed: enter the code there.

A copy of aval under another name, beside a file named company.avalmodule, runs that
module when it is started without arguments. Where nobody reads a terminal, or with
--window, a module that does not start says why in a window.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := knownTools(o.Tools); err != nil {
				return err
			}
			// A terminal that is closed is no reason to leave anything.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			slog.SetDefault(slog.New(slog.DiscardHandler)) // here a person reads
			o.Path, o.Socket = args[0], a.socket
			o.Opened = func(m module.Module) { printModule(a.out, m) }
			err := module.Run(ctx, o)
			if window {
				showRefusal(ctx, err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.PolicyDir, "policy-dir", agent.DefaultPolicyDir, "folder with managed/ and recommended/ policy files")
	cmd.Flags().StringSliceVar(&o.Tools, "tools", watch.ToolNames, "remote tools that it follows by itself; none: \"\"")
	cmd.Flags().BoolVar(&window, "window", false, "say in a window why the module does not start")
	return cmd
}

// arguments are those of the program; a copy under another name, started without
// any, runs the module beside it.
func arguments(args []string) []string {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(args[0])), ".exe")
	if len(args) > 1 || name == "aval" {
		return args[1:]
	}
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	beside := filepath.Join(filepath.Dir(self), module.Beside)
	if _, err := os.Stat(beside); err != nil {
		return nil
	}
	args = []string{"module", "run", beside}
	if clicked() {
		args = append(args, "--window")
	}
	return args
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
