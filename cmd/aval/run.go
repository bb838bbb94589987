package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aval/agent"
	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/service"
	"aval/agent/session/watch"
	"aval/cmd/internal/command"
)

// defaultStateDir is where the installed service keeps its data.
var defaultStateDir = service.DefaultStateDir

// runFlags are the paths of a service.
type runFlags struct {
	stateDir, policyDir, group, tokenDir string
	tools                                []string // run only
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.stateDir, "state-dir", defaultStateDir, "folder of the service's data, of the service's user alone")
	cmd.Flags().StringVar(&f.policyDir, "policy-dir", agent.DefaultPolicyDir, "folder with managed/ and recommended/ policy files")
}

func (a *app) options(f runFlags) service.Options {
	return service.Options{StateDir: f.stateDir, Socket: a.socket, PolicyDir: f.policyDir}
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the service in the foreground",
		Long: `Runs the service until it is interrupted. As root it uses the system's folders.
To try it out as a user: aval run --state-dir DIR --socket DIR/agent.sock --policy-dir DIR/policies`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s *service.Service
			s, err := service.New(func(ctx context.Context) error { return a.serve(ctx, f, s.SessionChanges) }, service.Options{}) // the paths concern install alone
			if err != nil {
				return err
			}
			return s.Run(cmd.Context())
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.tokenDir, "token-dir", "", "folder in which device management lays token files; each is removed once it has been used (default "+service.DefaultTokenDir+" with the system's state folder, else none)")
	cmd.Flags().StringSliceVar(&f.tools, "tools", watch.ToolNames, "remote tools that it follows by itself; none: \"\"")
	cmd.Flags().StringVar(&f.group, "group", "", "group of the installed programs that ask people (default "+service.Group+" with the system's state folder, else none)")
	return cmd
}

func (a *app) serve(ctx context.Context, f runFlags, changes func() <-chan struct{}) error {
	for _, t := range f.tools {
		if !slices.Contains(watch.ToolNames, t) {
			return fmt.Errorf("there is no tool %q to follow: it knows %s", t, strings.Join(watch.ToolNames, ", "))
		}
	}
	log := slog.New(service.SystemLog(a.errOut))
	if f.group == "" && f.stateDir == defaultStateDir {
		f.group = service.Group
	}
	if f.tokenDir == "" && f.stateDir == defaultStateDir {
		f.tokenDir = service.DefaultTokenDir
	} else if f.tokenDir != "" {
		abs, err := filepath.Abs(f.tokenDir)
		if err != nil {
			return fmt.Errorf("find folder of token files: %w", err)
		}
		f.tokenDir = abs
	}
	return agent.Run(ctx, agent.Config{
		TokenDir: f.tokenDir, Machine: agent.ThisMachine(),
		Build: version, StateDir: f.stateDir, Socket: a.socket, PolicyDir: f.policyDir, Group: f.group, Tools: f.tools, Log: log, SessionChanges: changes,
		StartHelpers: service.StartsHelpers && f.stateDir == defaultStateDir,
		Ready:        func() { service.Ready() },
	})
}

func (a *app) serviceCmds() []*cobra.Command {
	act := func(use, short, done string, do func(*service.Service) error) *cobra.Command {
		var f runFlags
		cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			s, err := service.New(nil, a.options(f))
			if err != nil {
				return err
			}
			if err := do(s); err != nil {
				if errors.Is(err, os.ErrPermission) {
					return &ipc.Error{Code: ipc.CodeRefused, Message: use + " needs administrator rights", Hint: "run it as root"}
				}
				return fmt.Errorf("%s the service: %w", use, err)
			}
			return a.print(map[string]string{"service": done}, func(w io.Writer) { fmt.Fprintln(w, "The Aval service is "+done+".") })
		}}
		if use == "install" {
			f.add(cmd)
		}
		return cmd
	}
	return []*cobra.Command{
		act("install", "Install the service with the system's service manager", "installed", (*service.Service).Install),
		act("uninstall", "Remove the service; its data stays", "uninstalled", (*service.Service).Uninstall),
		act("start", "Start the installed service", "started", (*service.Service).Start),
		act("stop", "Stop the service", "stopped", (*service.Service).Stop),
	}
}

func (a *app) statusCmd() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how the service is doing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), answerWithin)
			defer cancel()
			var s struct {
				ipc.Status
				// KeyID names the key that signs this computer's records.
				KeyID string `json:"key_id"`
			}
			if err := c.Call(ctx, ipc.MethodStatus, nil, &s.Status); err != nil {
				return err
			}
			s.KeyID = record.KeyID(c.HelloResult().DeviceKey)
			return a.print(s, func(w io.Writer) {
				printStatus(w, s.Status)
				fmt.Fprintln(w, "Key:      ", s.KeyID, "(signs the records of this computer)")
			})
		},
	}
}

func printStatus(w io.Writer, s ipc.Status) {
	fmt.Fprintf(w, "Aval %s is running since %s (process %d).\n", s.Build, s.StartedAt.Local().Format("2006-01-02 15:04"), s.PID)
	if s.Company == "" {
		fmt.Fprintln(w, "Company:   none. Nobody can ask for a summary on this computer yet.")
		fmt.Fprintln(w, "           With the file that a company gives: aval enroll --token-file FILE. With a code from the support: aval session join -")
	} else {
		fmt.Fprintf(w, "Company:   %s (%s), %s\n", s.Company, s.Server, s.Link)
		if s.Account != "" {
			fmt.Fprintf(w, "Account:   signed in as %s; the company does not manage this computer (aval sign-out ends it)\n", command.Printable(s.Account))
		}
		if s.LinkError != "" {
			fmt.Fprintf(w, "           %s\n", s.LinkError)
		}
		fmt.Fprintf(w, "Asks for:  %s\n", asksFor(s))
		fmt.Fprintf(w, "Waiting:   %d events\n", s.Waiting)
	}
	for i, g := range s.Guests {
		name := "           "
		if i == 0 {
			name = "By a code: "
		}
		fmt.Fprintf(w, "%s%s, which calls itself %s, for a session with %s: %s\n", name, command.Printable(g.Server), command.Printable(g.Company), command.Printable(g.Supporter), g.Link)
	}
	if s.Device != "" {
		fmt.Fprintf(w, "Aval ID:   %s\n", s.Device)
	}
	fmt.Fprintf(w, "Sessions:  %d, %d of them recorded now\n", s.Sessions, s.Recording)
	if len(s.Desktops) == 0 {
		fmt.Fprintln(w, "Desktops:  none; nobody can be asked until aval-desktop runs in a desktop session")
	}
	for i, d := range s.Desktops {
		name := "           "
		if i == 0 {
			name = "Desktops:  "
		}
		if !d.Helper {
			fmt.Fprintf(w, "%s%s\n           → %s\n", name, command.Printable(unhelped(d)), command.Printable(startSentence(d)))
			continue
		}
		fmt.Fprintf(w, "%s%s of %s: %s\n", name, d.Desktop, d.User, d.State)
		if len(d.Gone) > 0 {
			fmt.Fprintf(w, "           %s\n", goneSentence(d.Gone))
		}
	}
	for _, n := range s.Notes {
		fmt.Fprintln(w, "Note:     ", n)
	}
}

// asksFor says about which sessions the company asks.
func asksFor(s ipc.Status) string {
	var parts []string
	switch s.Incoming {
	case consent.IncomingAll:
		parts = append(parts, "every session on this computer, because it manages it")
	case consent.IncomingPolicy:
		parts = append(parts, "sessions on this computer, if a policy for it says so (aval policy explain)")
	}
	switch s.Outgoing {
	case consent.OutgoingAll:
		parts = append(parts, "sessions that its people start")
	case consent.OutgoingModules:
		parts = append(parts, "sessions that its people start by a module")
	}
	if len(parts) == 0 {
		return "no session"
	}
	what := strings.Join(parts, "; ")
	if s.Required {
		what += "\n           A policy has them recorded whatever people here have chosen; they are told, and can object."
	}
	return what
}

func (a *app) explainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain",
		Short: "Decide for inputs on standard input, one JSON object a line; needs no service",
		Long: `Reads one input a line on standard input and writes one decision a line, in
order: the same function that the service calls. docs/decision.md has the names
and the table. A line that is not such an input is answered with bad-input.`,
		Example: `  echo '{"direction":"outgoing", ...}' | aval explain --json`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return policy.Explain(a.in, a.out) },
	}
}
