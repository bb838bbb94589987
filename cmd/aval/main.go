// Command aval is the service that decides, asks and records, and the command
// line for people, administrators and the hooks of remote tools.
//
// The one rule that must not be broken: a command never decides anything itself;
// it asks the service, and what the service does not answer is not done.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/ipc"
	"aval/cmd/internal/command"
)

// version is set at link time from FyneApp.toml.
var version = "0.0.0-dev"

// Exit codes of every command.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

func main() { os.Exit(run(arguments(os.Args), os.Stdin, os.Stdout, os.Stderr)) }

// app is what all commands share.
type app struct {
	socket string
	json   bool
	in     io.Reader
	out    io.Writer
	errOut io.Writer
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func run(args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, errOut: errOut}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	command.Topics(root)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errFound) { // the page has said it
		return exitFailed
	}
	a.json = a.json || command.Wrong(err) && command.AsksJSON(args)
	return a.fail(cmd, err)
}

// fail says what went wrong in one sentence and gives the exit code.
func (a *app) fail(cmd *cobra.Command, err error) int {
	code, e := exitFailed, &ipc.Error{}
	var usage usageError
	switch {
	case errors.As(err, &usage), command.Wrong(err):
		code = exitUsage
		e = &ipc.Error{Code: ipc.CodeBadRequest, Message: err.Error(), Hint: "see " + cmd.CommandPath() + " --help"}
	case errors.As(err, &e):
		switch e.Code {
		case ipc.CodeBadRequest:
			code = exitUsage
		case ipc.CodeRefused:
			code = exitRefused
		}
	case errors.Is(err, context.Canceled):
		e = &ipc.Error{Code: ipc.CodeFailed, Message: "interrupted"}
	case errors.Is(err, context.DeadlineExceeded):
		e = errSilent
	default:
		e = &ipc.Error{Code: ipc.CodeFailed, Message: err.Error()}
	}
	command.Failure{Code: e.Code, Message: e.Message, Hint: e.Hint}.Report(a.errOut, "aval", a.json)
	return code
}

// errSilent is a service that is there and does not answer.
var errSilent = &ipc.Error{Code: ipc.CodeFailed, Message: "the Aval service did not answer in time", Hint: "try again; if it stays so, restart it (aval stop, aval start)"}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "aval",
		Short: "Decides whether a remote session may be recorded for a summary, and asks the person in front of the screen",
		Long: `Aval decides whether a remote-support session may be recorded for a summary,
asks the person in front of the screen where it must, and records only with a
grant: a yes, a standing setting, or a policy that is announced.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a policy or by rights.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVar(&a.socket, "socket", ipc.DefaultSocket(), "socket of the service")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.runCmd(), a.explainCmd(), a.settingsCmd(), a.policyCmd(), a.sessionCmd(), a.moduleCmd(), a.consentCmd(), a.sentCmd(), a.purgeCmd(),
		a.enrollCmd(), a.unenrollCmd(), a.signInCmd(), a.signOutCmd(), a.statusCmd(), a.stateCmd(), a.doctorCmd())
	root.AddCommand(a.serviceCmds()...)
	root.AddCommand(a.setupCmds()...)
	command.Version(root, version)
	command.Man(root, version, manual)
	return root
}

// manual is what the manual page says after the commands.
const manual = `FILES
/etc/aval/policies/managed, /etc/aval/policies/recommended: policies, as JSON
/etc/aval/enroll.d: token files with which the service enrols this computer; each is removed once it has been used
/var/lib/aval: the state of the service, of root alone
/run/aval/agent.sock: its local API
ENVIRONMENT
AVAL_SOCKET: another place of the local API, for the commands
HTTPS_PROXY, NO_PROXY: in the environment of the service, the way to the company's server
SEE ALSO
aval-desktop(1), aval-ui(1), aval-summarizer(1)
`

// answerWithin bounds the service's answer to what needs no waiting.
const answerWithin = 10 * time.Second

// dialWithin is how long the service may take to greet: a command fails within a
// second where none answers, and its process has to start and to end.
const dialWithin = 800 * time.Millisecond

// dial connects within a second: hooks must never hold a connection up.
func (a *app) dial(ctx context.Context) (*ipc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	c, err := ipc.Dial(ctx, a.socket, ipc.Hello{Program: "aval", Build: version})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errSilent
	}
	return c, err
}

// call asks the service one thing.
func (a *app) call(ctx context.Context, m ipc.Method, params, result any) error {
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return c.Call(ctx, m, params, result)
}

// print writes v as JSON, or lets text write it for people.
func (a *app) print(v any, text func(w io.Writer)) error {
	return command.Print(a.out, a.json, v, text)
}
