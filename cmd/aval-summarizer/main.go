// Command aval-summarizer is the server: it takes in what agents send, writes
// summaries and shows them; beside it run the commands for its administrator.
//
// The one rule that must not be broken: a command says in one sentence what went
// wrong and what to do, ends with the right code, and changes nothing halfway.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"aval/cmd/internal/command"
	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/store"
)

// version is set at link time from FyneApp.toml.
var version = "0.0.0-dev"

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// app is what all commands share.
type app struct {
	json bool
	data string
	// database is the address of --database; empty: what the data folder says.
	database string
	// companyID is --company: which company a command is about.
	companyID string
	out       io.Writer
	errOut    io.Writer
	log       *slog.Logger
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func run(args []string, out, errOut io.Writer) int {
	a := &app{out: out, errOut: errOut, log: slog.New(slog.NewTextHandler(errOut, nil))}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	command.Topics(root)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	a.json = a.json || command.Wrong(err) && command.AsksJSON(args)
	return a.fail(cmd, err)
}

// fail says what went wrong in one sentence and gives the exit code.
func (a *app) fail(cmd *cobra.Command, err error) int {
	code, f := exitFailed, command.Failure{Message: err.Error()}
	var usage usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, store.ErrUnsupported), command.Wrong(err):
		code, f.Hint = exitUsage, "see "+cmd.CommandPath()+" --help"
	case errors.Is(err, context.Canceled):
		f.Message = "interrupted"
	}
	f.Report(a.errOut, "aval-summarizer", a.json)
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "aval-summarizer",
		Short: "Stores the sessions that were allowed to be recorded, and writes their summaries",
		Long: `The summarizer takes in the events of remote-support sessions that the person at
the computer allowed to be recorded, writes a summary of each, and shows it to
the company's administrator.

Begin with:  aval-summarizer serve --data DIR

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.serveCmd(), a.exportCmd(), a.companyCmd(), a.policyCmd(), a.sessionCmd(), a.moduleCmd(), a.integrationCmd(), a.deviceCmd(), a.userCmd(), a.providerCmd(), a.tokenCmd(), a.creditsCmd(), a.auditCmd(), a.verifyCmd(),
		a.backupCmd(), a.restoreCmd(), a.migrateCmd(), a.doctorCmd(), a.versionCmd())
	command.Version(root, version)
	command.Man(root, version, manual)
	return root
}

// manual is what the manual page says after the commands.
const manual = `FILES
/etc/default/aval-summarizer: the options that the packaged service is started with
/var/lib/aval-summarizer: its data
SEE ALSO
aval(1)
`

// dataFlag adds --data to a command, and --database.
func (a *app) dataFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.data, "data", "", "the server's data folder")
	_ = cmd.MarkFlagDirname("data")
	cmd.Flags().StringVar(&a.database, "database", "", "address of a PostgreSQL database, postgres://USER@HOST/NAME (default: the one that the data folder remembers, else the embedded one in it)")
}

// needData refuses a call without --data in words.
func (a *app) needData() error {
	if a.data == "" {
		return usageError{errors.New("name the server's data folder: --data DIR")}
	}
	return nil
}

// beside opens the store beside a running server, or without one.
func (a *app) beside(ctx context.Context) (*store.DB, error) {
	if err := a.needData(); err != nil {
		return nil, err
	}
	db, err := store.OpenBeside(ctx, a.data, store.Database(a.database))
	if err != nil {
		return nil, err
	}
	if err := credit.LoadRules(a.data); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// companyFlag adds --company to a command.
func (a *app) companyFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.companyID, "company", "", "which company, by id, where the server has several: company list")
}

// company is the company that a command is about, as the command line deals with
// it: the one that --company names, else the only one.
func (a *app) company(ctx context.Context, db *store.DB) (*company.Service, error) {
	h, err := company.Load(ctx, db, company.Options{Log: a.log})
	if err != nil {
		return nil, err
	}
	all, err := h.All(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, co := range all {
		if co.ID() == a.companyID || a.companyID == "" && len(all) == 1 {
			return co.As(company.Command), nil
		}
		c, err := co.Company(ctx)
		if err != nil {
			return nil, err
		}
		names = append(names, fmt.Sprintf("%s (%s)", c.ID, c.Name))
	}
	if a.companyID == "" {
		return nil, usageError{fmt.Errorf("this server has several companies, name one with --company ID: %s", strings.Join(names, ", "))}
	}
	return nil, fmt.Errorf("there is no company %s here; there are: %s", a.companyID, strings.Join(names, ", "))
}

// print writes v as JSON, or lets text write it for people.
func (a *app) print(v any, text func(w io.Writer)) error {
	return command.Print(a.out, a.json, v, text)
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": version}, func(w io.Writer) { fmt.Fprintln(w, "aval-summarizer", version) })
		}}
}
