// Command aval-ui shows Aval's windows to one user, one window to a process:
// without arguments the main window, with "settings" the settings, with
// "join -" that with a session code, "activity" what was decided and sent, with "notice" what a policy records, with
// "consent" one question, with "refused" why a support file was not started.
//
// The one rule that must not be broken: it carries no authority and no answer
// of its own; the service decides what an answer is worth.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"aval/agent/ipc"
	"aval/agent/prompt/launch"
	"aval/assets"
	"aval/ui/consentview"
)

// version is set at link time from FyneApp.toml.
var version = "0.0.0-dev"

// Exit codes. exitNoOpenGL and exitCannotShow are EX_UNAVAILABLE and EX_TEMPFAIL of
// sysexits.h.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNoOpenGL   = 69
	exitCannotShow = 75
)

const usage = `usage: aval-ui [--socket PATH] [--locale LOCALE]
       aval-ui join - [--socket PATH] [--locale LOCALE]
       aval-ui settings [--socket PATH] [--locale LOCALE]
       aval-ui activity [--session TOOL/ID] [--socket PATH] [--locale LOCALE]
       aval-ui notice --session TOOL/ID [--socket PATH] [--locale LOCALE]
       aval-ui refused --why WORD [--day DAY] [--locale LOCALE]
       aval-ui consent --question ID [--last] [--socket PATH] [--locale LOCALE]

Without arguments it shows what Aval is doing. "join -" does so with a session
code in its field, which it reads from standard input; the person sends it off.
"settings" shows what happens when
a session may be recorded, and why, and changes it. "activity" shows what was decided
on this computer and everything that left it. "notice" tells of a session that a
policy has recorded. "refused" says why a support file was not started; it needs no
service. "consent" shows one question; the
service starts it, with a nonce on file descriptor 3 or on standard input, and with
--last where there is no other way to ask.

exit status: 0 done, 1 failed or the service is gone, 2 wrong use, 69 there is no
OpenGL for the window, 75 it could not be shown for another reason.
`

type options struct {
	socket, locale, question, session string
	code, why                         string
	day                               time.Time
	last                              bool
}

func main() {
	launch.Clean()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// maxCode is the longest session code that is read, in bytes.
const maxCode = 512

// readCode reads a session code: one line.
func readCode(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxCode)).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" && (err == nil || errors.Is(err, io.EOF)) {
		err = errors.New("it is empty")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read code from standard input: %w", err)
	}
	return line, nil
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	consent := len(args) > 0 && args[0] == "consent"
	settings := len(args) > 0 && args[0] == "settings"
	activity := len(args) > 0 && args[0] == "activity"
	notice := len(args) > 0 && args[0] == "notice"
	join := len(args) > 0 && args[0] == "join"
	given := args
	refused := len(args) > 0 && args[0] == "refused"
	if consent || settings || activity || notice || join || refused {
		args = args[1:]
	}
	fromInput := join && len(args) > 0 && args[0] == "-"
	if fromInput {
		args = args[1:]
	}
	var o options
	flags := flag.NewFlagSet("aval-ui", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.socket, "socket", ipc.DefaultSocket(), "")
	flags.StringVar(&o.locale, "locale", "", "")
	showVersion := flags.Bool("version", false, "")
	if consent {
		flags.StringVar(&o.question, "question", "", "")
		flags.BoolVar(&o.last, "last", false, "")
	}
	if activity || notice {
		flags.StringVar(&o.session, "session", "", "")
	}
	if refused {
		flags.StringVar(&o.why, "why", "", "")
		flags.Func("day", "", func(s string) (err error) { o.day, err = time.Parse(time.DateOnly, s); return err })
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return exitDone
	case err == nil && join && (!fromInput || flags.NArg() > 0) && !*showVersion:
		err = errors.New("a code is read from standard input, never from the command line, where every user of this computer could read it: aval-ui join -")
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case err == nil && consent && o.question == "" && !*showVersion:
		err = errors.New("--question is missing")
	case err == nil && notice && o.session == "" && !*showVersion:
		err = errors.New("--session is missing")
	}
	if err != nil {
		fmt.Fprintf(errs, "aval-ui: %v: see aval-ui --help\n", err)
		return exitUsage
	}
	if *showVersion {
		fmt.Fprintln(out, "aval-ui", version)
		return exitDone
	}
	if o.locale == "" {
		o.locale = assets.Locale()
	}
	if join {
		if o.code, err = readCode(in); err != nil {
			fmt.Fprintf(errs, "aval-ui: %v\n", err)
			return exitUsage
		}
	}
	log := slog.New(slog.NewTextHandler(errs, nil))
	switch {
	case consent:
		err = guarded(questionVisibleWithin, func() error { return showConsent(o, log) })
	case notice:
		err = guarded(mainVisibleWithin, func() error { return showNotice(o) })
	case refused:
		err = guarded(mainVisibleWithin, func() error { return showRefusal(o) })
	case activity:
		err = guarded(mainVisibleWithin, func() error { return showActivity(o) })
	default:
		err = guarded(mainVisibleWithin, func() error { return showMain(o, settings) })
	}
	if errors.Is(err, consentview.ErrNoOpenGL) && !consent && !notice {
		if code, ok := bySoftware(o, given, log); ok {
			return code
		}
	}
	if settings && errors.Is(err, consentview.ErrCannotShow) && listSettings(o) == nil {
		return exitDone
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, consentview.ErrNoOpenGL):
		fmt.Fprintf(errs, "aval-ui: %v\n", err)
		return exitNoOpenGL
	case errors.Is(err, consentview.ErrCannotShow):
		fmt.Fprintf(errs, "aval-ui: %v\n", err)
		return exitCannotShow
	}
	fmt.Fprintf(errs, "aval-ui: %v\n", err)
	return exitFailed
}

// bySoftware shows the window by the copy of this program that draws by software,
// where there is one, and returns its status. The windows of a question and of a notice
// are started by aval-desktop alone, which then starts the copy itself.
func bySoftware(o options, args []string, log *slog.Logger) (code int, ok bool) {
	path, err := launch.FindSoft("aval-ui")
	if err != nil {
		return 0, false
	}
	p, err := launch.Start(context.Background(), launch.Program{Path: path, Args: args, Nonce: o.code, Env: []string{launch.Software}})
	if err != nil {
		log.Error("draw by software", "program", path, "err", err)
		return 0, false
	}
	<-p.Done()
	return p.Exit().Code, true
}
