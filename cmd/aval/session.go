package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/session/watch"
	"aval/cmd/internal/command"
)

func (a *app) sessionCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "Remote sessions: what is going on, and the hook for any remote tool", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.sessionList(), a.sessionBegin(), a.sessionJoin(), a.sessionEvent(), a.sessionEnd(), a.sessionPAM(),
		a.control("pause", "Pause the recording of a session", "", "paused"),
		a.control("resume", "Go on with a paused recording",
			"Goes on with a paused recording. Where the programs of Aval are installed (aval install) this is refused, also\n"+
				"for root: nobody can tell whose hand typed it. Use the bar, with this computer's own mouse.", "resumed"))
	return cmd
}

func (a *app) sessionList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List open sessions", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []ipc.SessionInfo{}
			if err := a.call(cmd.Context(), ipc.MethodSessionList, nil, &list); err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "No session is open.")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "SESSION\tSUPPORTER\tMAY\tSINCE\tOUTCOME\tRECORDED\tEVENTS")
				for _, s := range list {
					rec := "no"
					switch {
					case s.Recording && s.Why == "":
						rec = "yes"
					case s.Recording:
						rec = "partly: " + s.Why
					case s.Why != "":
						rec = "no: " + s.Why
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", s.Session, s.Supporter, cmp.Or(strings.Join(s.Kinds, ", "), "not known"), s.StartedAt.Local().Format("15:04:05"), s.Outcome, rec, s.Events)
				}
				t.Flush()
			})
		},
	}
}

func (a *app) sessionBegin() *cobra.Command {
	var r ipc.SessionBegin
	cmd := &cobra.Command{
		Use:   "begin --tool T --id ID --supporter NAME",
		Short: "Tell Aval that a remote session begins",
		Long: `Registers a session and prints what was decided. The exit code is 0 whatever the
decision is: refusing the recording is never refusing the session. It is 1
within a second when the service does not answer, so hook lines end in "|| :".

With --hold it waits until the question has ended: use it where the tool can
wait, so that the person is asked before the supporter holds the mouse.`,
		Example: `  x11vnc -accept 'aval session begin --tool x11vnc --id "$RFB_X11VNC_PID-$RFB_CLIENT_ID-$RFB_LOGIN_TIME" \
      --supporter "$RFB_CLIENT_IP" --pid "$RFB_X11VNC_PID" --hold || :'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Code != "" {
				if r.Code != "-" {
					return usageError{errors.New("a code is read from standard input (--code -), never from the command line, where every user of this computer could read it")}
				}
				var err error
				if r.Code, err = a.readCode(); err != nil {
					return err
				}
			}
			ctx := cmd.Context()
			c, err := a.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			if !r.Hold && r.Code == "" {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, answerWithin)
				defer cancel()
			}
			var res ipc.SessionBeginResult
			if err := c.Call(ctx, ipc.MethodSessionBegin, r, &res); err != nil {
				return err
			}
			return a.printBegun(res)
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Tool, "tool", "", "name of the remote tool")
	f.StringVar(&r.ID, "id", "", "the tool's own id of the session, unique while it lasts")
	f.StringVar(&r.Supporter, "supporter", "", "who connects, as the tool knows it")
	f.StringVar(&r.Address, "address", "", "where they connect from")
	f.StringVar(&r.Company, "company", "", "the enrolled company that asks; anything else is ignored")
	f.StringVar(&r.Code, "code", "", "a session code, read from standard input: -")
	f.StringVar(&r.Desktop, "desktop", "", "the desktop viewed: a display (:10) or a session id of logind")
	f.IntVar(&r.PID, "pid", 0, "a process whose end ends the session")
	f.BoolVar(&r.Hold, "hold", false, "wait until the question has ended")
	for _, n := range []string{"tool", "id", "supporter"} {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

// printBegun says what was decided.
func (a *app) printBegun(res ipc.SessionBeginResult) error {
	return a.print(res, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s (%s)", res.Session, res.Verdict, res.Reason)
		if res.Verdict == consent.Ask {
			fmt.Fprintf(w, ", %s", res.Outcome)
		}
		fmt.Fprintln(w)
	})
}

// maxCode is the longest session code that is read, in bytes.
const maxCode = 512

// readCode reads a session code from standard input: one line.
func (a *app) readCode() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(a.in, maxCode)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read code: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usageError{errors.New("no code came from standard input: type it, or pipe it in")}
	}
	return line, nil
}

func (a *app) sessionJoin() *cobra.Command {
	var r ipc.SessionJoin
	cmd := &cobra.Command{
		Use:   "join -",
		Short: "Enter a code that you got from the support",
		Long: `Reads a session code from standard input: XXXX-XXXX@server as the support says
it, or the link that they sent. The company that made it may then ask, once,
whether this session may be recorded for a summary; the code itself allows
nothing. It is never given as an argument, for every user of this computer can
read the arguments of a running program.

Where one session is open on your desktop that nobody asks about yet, the code
is for that one. Otherwise it opens a session of its own, which ends with the
remote connection that follows it, or with aval session end.`,
		Example: `  aval session join -
  aval session join - < code.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return nil
			}
			return usageError{errors.New("a code is read from standard input, never from the command line, where every user of this computer could read it: run aval session join - and type the code then")}
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if command.Terminal(a.in) && !a.json {
				fmt.Fprint(a.errOut, "Code: ")
			}
			var err error
			if r.Code, err = a.readCode(); err != nil {
				return err
			}
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			var res ipc.SessionBeginResult
			if err := c.Call(cmd.Context(), ipc.MethodSessionJoin, r, &res); err != nil {
				return err
			}
			return a.printBegun(res)
		},
	}
	cmd.Flags().StringVar(&r.Desktop, "desktop", "", "the desktop viewed: a display (:10) or a session id of logind")
	cmd.Flags().BoolVar(&r.Hold, "hold", false, "wait until the question has ended")
	return cmd
}

func (a *app) sessionEvent() *cobra.Command {
	r := ipc.SessionEvent{Fields: map[string]string{}}
	var kind string
	var fields []string
	short := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "event --id ID --kind K [--text TEXT] [--field NAME=VALUE]...",
		Short: "Report what the tool knows: a chat message, a note, a transferred file",
		Long: "Reports one event of a session that you began. It is recorded only with a grant\n" +
			"that covers it; \"recorded\" then means: on disk, and delivered exactly once.\n\nKinds and their fields:\n" + kindsHelp(),
		Example: `  aval session event --id 7 --kind chat --from supporter --text "I will restart the printer service"
  aval session event --id 7 --kind file-transferred --name report.pdf --field direction=to-computer`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, f := range fields {
				name, value, ok := strings.Cut(f, "=")
				if !ok {
					return usageError{fmt.Errorf("--field %q is not NAME=VALUE", f)}
				}
				r.Fields[name] = value
			}
			for name, v := range short {
				if cmd.Flags().Changed(name) {
					r.Fields[name] = *v
				}
			}
			r.Kind = event.Kind(kind)
			var res ipc.SessionEventResult
			if err := a.call(cmd.Context(), ipc.MethodSessionEvent, r, &res); err != nil {
				return err
			}
			return a.print(res, func(w io.Writer) {
				if res.Recorded {
					fmt.Fprintf(w, "recorded as %d\n", res.Seq)
				} else {
					fmt.Fprintf(w, "not recorded: %s\n", res.Reason)
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.ID, "id", "", "the session: ID or TOOL/ID")
	f.StringVar(&kind, "kind", "", "kind of event")
	f.StringArrayVar(&fields, "field", nil, "a field, NAME=VALUE")
	for name, help := range map[string]string{"text": "field text", "from": "field from", "name": "field name"} {
		short[name] = f.String(name, "", help)
	}
	_ = cmd.MarkFlagRequired("id")
	_ = cmd.MarkFlagRequired("kind")
	_ = cmd.RegisterFlagCompletionFunc("kind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, d := range event.Defs {
			if d.Source == event.FromTool {
				out = append(out, string(d.Kind))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func kindsHelp() string {
	var b strings.Builder
	for _, d := range event.Defs {
		if d.Source != event.FromTool {
			continue
		}
		var names []string
		for _, f := range d.Fields {
			n := f.Name
			if len(f.OneOf) > 0 {
				n += " (" + strings.Join(f.OneOf, ", ") + ")"
			}
			if f.Required {
				n += " *"
			}
			names = append(names, n)
		}
		fmt.Fprintf(&b, "  %-17s %s: %s\n", d.Kind, d.Doc, strings.Join(names, ", "))
	}
	return strings.TrimRight(b.String(), "\n")
}

func (a *app) sessionEnd() *cobra.Command {
	var r ipc.SessionEnd
	cmd := &cobra.Command{
		Use: "end --id ID", Short: "Tell Aval that a remote session has ended", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s ipc.SessionInfo
			if err := a.endSession(cmd.Context(), r, &s); err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) { fmt.Fprintf(w, "%s has ended.\n", s.Session) })
		},
	}
	cmd.Flags().StringVar(&r.ID, "id", "", "the session: ID or TOOL/ID")
	_ = cmd.MarkFlagRequired("id")
	return cmd
}

// endWithin is how long the end of a session is tried: a restart of the service
// takes a second.
const endWithin = 3 * time.Second

// endSession tries for longer than other commands: nobody waits for it, and an
// end that is not heard would leave a session open.
func (a *app) endSession(ctx context.Context, r ipc.SessionEnd, s *ipc.SessionInfo) error {
	for end := time.Now().Add(endWithin); ; {
		err := a.call(ctx, ipc.MethodSessionEnd, r, s)
		var refused *ipc.Error
		if err == nil || (errors.As(err, &refused) && refused.Code != ipc.CodeFailed) || time.Now().After(end) {
			return err
		}
		if _, serr := os.Stat(a.socket); serr != nil {
			return err // there is no service at all
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sessionPAM is what pam_exec(8) calls. It never fails and never waits: a fault
// of ours must lock nobody out.
func (a *app) sessionPAM() *cobra.Command {
	return &cobra.Command{
		Use: "pam-hook", Short: "Tell Aval of a login, out of pam_exec", Args: cobra.NoArgs,
		Long: `For one line in /etc/pam.d/sshd:
  session optional pam_exec.so quiet /usr/bin/aval session pam-hook`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := watch.FromPAMEnv(os.Getenv, os.Getppid())
			if err != nil {
				return usageError{err}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
			defer cancel()
			if err := a.call(ctx, ipc.MethodSessionPAM, p, nil); err != nil {
				fmt.Fprintln(a.errOut, "aval:", err)
			}
			return nil
		},
	}
}

func (a *app) control(action, short, long, done string) *cobra.Command {
	return &cobra.Command{
		Use: action + " TOOL/ID", Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r ipc.WithdrawResult
			if err := a.call(cmd.Context(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: args[0], Action: action}, &r); err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { fmt.Fprintf(w, "%s is %s.\n", args[0], done) })
		},
	}
}
