// Command aval-desktop is what Aval keeps running in a person's desktop session:
// it shows the bar while a session is recorded, opens the windows that ask, and
// tells the service which window is in front while a grant covers that.
//
// The one rule that must not be broken: it holds no decision of its own. It
// captures only with grants that it has verified itself, and stops capturing
// when the service, the display or the bar is not there any more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"aval/agent/ipc"
	"aval/agent/prompt/launch"
)

// version is set at link time from FyneApp.toml.
var version = "0.0.0-dev"

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	launch.Clean()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

const usage = `aval-desktop runs in your desktop session. It shows the recording bar, asks
whether a session may be recorded for a summary, and ends with the session.
Your desktop starts it by itself.

  aval-desktop [--socket PATH]

  --socket PATH   where the Aval service listens (default %s)
  --version       print the version
  --help          print this
`

func run(args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("aval-desktop", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	socket := flags.String("socket", ipc.DefaultSocket(), "")
	showVersion := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, usage, ipc.DefaultSocket())
		return exitDone
	case err != nil:
		fmt.Fprintf(errOut, "aval-desktop: %v; aval-desktop --help says what there is\n", err)
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(errOut, "aval-desktop: %q is not expected; aval-desktop --help says what there is\n", flags.Arg(0))
		return exitUsage
	case *showVersion:
		fmt.Fprintln(out, "aval-desktop", version)
		return exitDone
	case *socket == "":
		fmt.Fprintln(errOut, "aval-desktop: --socket is empty: name where the Aval service listens")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	log := slog.New(slog.NewTextHandler(errOut, nil))
	err := serve(ctx, *socket, surroundings(os.Getenv), log)
	var other errOther
	switch {
	case errors.As(err, &other):
		log.Info("starting anew", "version", version, "service", other.build)
		fmt.Fprintln(errOut, "aval-desktop: start anew:", renew(other.build)) // it returns only where it failed
		return exitFailed
	case errors.Is(err, errRunning):
		fmt.Fprintln(errOut, "aval-desktop:", err)
		return exitDone // the desktop is served, whoever started twice
	case err != nil:
		fmt.Fprintln(errOut, "aval-desktop:", err)
		return exitFailed
	}
	return exitDone
}
