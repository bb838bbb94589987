package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/agent/session/watch"
	"aval/cmd/internal/command"
)

// errFound ends doctor with status 1 after its page has said what is wrong.
var errFound = errors.New("something is wrong")

// checkup is what the checks look at.
type checkup struct {
	app    *app
	now    time.Time
	client *ipc.Client // nil: the service does not answer
	dial   error       // why not
	status ipc.Status
	policy ipc.PolicyResult
	newest ipc.ConsentEntry // the newest decision; zero: there is none
	tools  []watch.Hearing  // the remote tools, as far as can be seen
}

// checks is the page of doctor, in this order. A check looks and changes
// nothing; in particular it asks nobody.
var checks = []struct {
	name string
	look func(*checkup) []command.Finding
}{
	{"service", checkService},
	{"socket", checkSocket},
	{"server", checkServer},
	{"audit log", checkAudit},
	{"clock", checkClock},
	{"policy", checkPolicy},
	{"desktops", checkDesktops},
	{"tools", checkTools},
	{"question", checkQuestion},
	{"files", checkFiles},
	{"log", checkTroubles},
}

func (a *app) doctorCmd() *cobra.Command {
	var bundle string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what keeps people from being asked or sessions from being recorded",
		Long: `Looks at the service, its socket, the server, the clock, the policy, the desktops,
the remote tools, at what could show a question, without asking one, at the
installed files, and at the service's last warnings. Each finding says what to do.
Exit status 1 if something is wrong. With --bundle all of it is also written into
a new file for a helpdesk; nothing that was recorded is in it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := a.examine(cmd.Context())
			report := struct {
				OK     bool              `json:"ok"`
				Checks []command.Finding `json:"checks"`
				Tools  []watch.Hearing   `json:"tools"`
			}{OK: true, Tools: c.tools}
			for _, k := range checks {
				for _, f := range k.look(c) {
					f.Check = k.name
					for i, d := range f.Do {
						f.Do[i] = toDo.Replace(d)
					}
					report.Checks = append(report.Checks, f)
					report.OK = report.OK && f.State != command.StateWrong
				}
			}
			page := func(w io.Writer) {
				command.WriteFindings(w, report.Checks)
				fmt.Fprintln(w)
				printTools(w, report.Tools)
				if report.OK {
					fmt.Fprintln(w, "\nNothing is wrong.")
				}
			}
			if err := a.print(report, page); err != nil {
				return err
			}
			if bundle != "" {
				var text bytes.Buffer
				page(&text)
				if err := a.bundle(bundle, c, report, text.Bytes()); err != nil {
					return err
				}
			}
			if !report.OK {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "write all of it into this new file, .tar.gz")
	return cmd
}

// examine asks the service for what the checks need. What it does not answer
// stays empty, and the check of the service says why.
func (a *app) examine(ctx context.Context) *checkup {
	c := &checkup{app: a, now: time.Now(), tools: watch.Hearings()}
	if c.client, c.dial = a.dial(ctx); c.dial != nil {
		return c
	}
	defer c.client.Close()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var list ipc.ConsentListResult
	c.dial = errors.Join(
		c.client.Call(ctx, ipc.MethodStatus, nil, &c.status),
		c.client.Call(ctx, ipc.MethodPolicyShow, nil, &c.policy),
		c.client.Call(ctx, ipc.MethodConsentList, ipc.ConsentListPage{}, &list),
	)
	if len(list.Entries) > 0 {
		c.newest = list.Entries[0]
	}
	return c
}

func checkService(c *checkup) []command.Finding {
	switch {
	case errors.Is(c.dial, errSilent), errors.Is(c.dial, context.DeadlineExceeded):
		return command.Found(command.StateWrong, errSilent.Message, "try again; if it stays so, restart it: sudo aval stop && sudo aval start")
	case c.dial != nil:
		return command.Found(command.StateWrong, c.dial.Error(), "install and start it: sudo aval install && sudo aval start", "to try it out without root: aval run --state-dir DIR --socket FILE --policy-dir DIR, and name that --socket here")
	}
	f := command.Found(command.StateOK, fmt.Sprintf("Aval %s has been running since %s", c.status.Build, c.status.StartedAt.Local().Format("2006-01-02 15:04")))
	if c.status.Build != version {
		f = append(f, command.Finding{State: command.StateNote, Found: fmt.Sprintf("the service is version %s, this command is %s", c.status.Build, version), Do: []string{"restart the service: sudo aval stop && sudo aval start"}})
	}
	for _, n := range c.status.Notes {
		f = append(f, command.Finding{State: command.StateNote, Found: n})
	}
	return f
}

func checkServer(c *checkup) []command.Finding {
	s := c.status
	switch {
	case c.dial != nil:
		return nil
	case s.Company == "":
		return command.Found(command.StateNote, "no company knows this computer: nobody can ask for a summary", "to join one: sudo aval enroll --token-file FILE")
	case s.Link == "connected" && s.LinkError == "":
		return command.Found(command.StateOK, fmt.Sprintf("connected with %s at %s; %d events wait", s.Company, s.Server, s.Waiting))
	case s.Link == "refused":
		return command.Found(command.StateWrong, fmt.Sprintf("%s turns this computer away: %s", s.Server, s.LinkError), "ask the company's administrator whether this device was removed; to join again: sudo aval unenroll && sudo aval enroll --token-file FILE")
	case s.Link == "connecting" && s.LinkError == "" && c.now.Sub(s.StartedAt) < time.Minute:
		return command.Found(command.StateNote, "connecting with "+s.Server)
	}
	why := s.LinkError
	if why == "" {
		why = s.Link
	}
	return command.Found(command.StateWrong, fmt.Sprintf("no orderly connection with %s: %s", s.Server, why),
		fmt.Sprintf("nothing is lost: %d events wait and leave when it is back", s.Waiting), "see that this computer reaches that address (firewall, proxy: HTTPS_PROXY in the service's environment)")
}

// checkAudit tells of a company whose audit log is another one than it was. Nobody
// is asked less, and nothing is recorded less, for it.
func checkAudit(c *checkup) []command.Finding {
	b := c.status.AuditBreak
	if c.dial != nil || b == nil {
		return nil
	}
	day := func(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
	return command.Found(command.StateNote, fmt.Sprintf("the company's audit log does not continue what this computer saw on %s: it had %d entries then; since %s it has shown another one, of %d entries on %s",
		day(b.SeenAt), b.Seen, day(b.At), b.Shown, day(b.ShownAt)),
		"ask the company whether its server was put back from a backup: then entries after the backup are gone. If it was not, entries were changed or removed",
		"the company can compare: aval-summarizer audit verify. This computer keeps both, signed by the company; what was granted and recorded here is not touched by it")
}

// clockAhead is how far a record may lie in the future before the clock is suspect.
const clockAhead = time.Minute

func checkClock(c *checkup) []command.Finding {
	if ahead := c.newest.At.Sub(c.now); !c.newest.At.IsZero() && ahead > clockAhead {
		return command.Found(command.StateWrong, fmt.Sprintf("the newest decision is %s in the future: the clock was set back", ahead.Round(time.Second)),
			"set the clock right; until then no earlier answer counts for a further session")
	}
	at := c.now.Local().Format("2006-01-02 15:04:05 MST")
	switch synchronised, known := clockSynchronised(); {
	case !known:
		return command.Found(command.StateNote, at+"; whether it is kept in step cannot be seen here")
	case !synchronised:
		return command.Found(command.StateNote, at+"; it is not kept in step with a time server", "switch it on: sudo timedatectl set-ntp true")
	}
	return command.Found(command.StateOK, at+"; kept in step with a time server")
}

func checkPolicy(c *checkup) []command.Finding {
	p := c.policy
	switch {
	case c.dial != nil:
		return nil
	case p.State == consent.PolicyUnreadable:
		return command.Found(command.StateWrong, "the policy cannot be read, so nothing is recorded: "+p.Problem, "aval policy validate FILE lists what is wrong with a file; aval policy show names them")
	case p.State == consent.PolicyStale:
		return command.Found(command.StateWrong, fmt.Sprintf("the policy cannot be read; the last good one, of %s, counts for now: %s", p.GoodAt.Local().Format("2006-01-02 15:04"), p.Problem),
			"put it right before that one expires: aval policy validate FILE")
	case p.Problem != "":
		return command.Found(command.StateWrong, p.Problem, "aval policy show")
	case p.State == consent.PolicyNone:
		return command.Found(command.StateOK, "none is set")
	}
	return command.Found(command.StateOK, "in force; aval policy show lists it")
}

func checkDesktops(c *checkup) []command.Finding {
	if c.dial != nil {
		return nil
	}
	if len(c.status.Desktops) == 0 {
		return command.Found(command.StateNote, "nobody is signed in at a desktop: nobody can be asked", "where a desktop is open all the same, start aval-desktop in it")
	}
	var out []command.Finding
	for _, d := range c.status.Desktops {
		if d.Helper {
			out = append(out, command.Finding{State: command.StateOK, Found: fmt.Sprintf("%s of %s: %s", d.Desktop, d.User, d.State)})
			if len(d.Gone) > 0 {
				out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("%s of %s: %s", d.Desktop, d.User, goneSentence(d.Gone)),
					Do: []string{"where a session of X11 (Xorg) can be chosen at the login screen, sign in to that one to have them again"}})
			}
			continue
		}
		out = append(out, command.Finding{State: command.StateWrong, Found: unhelped(d), Do: []string{startSentence(d)}})
	}
	return out
}

// goneSentence says what a change from X11 to Wayland took.
func goneSentence(groups []event.Group) string {
	var names []string
	for _, g := range groups {
		names = append(names, string(g))
	}
	return "it changed from X11 to Wayland, so these groups cannot be recorded there any more: " + strings.Join(names, ", ")
}

// unhelped names a desktop session that nothing of Aval runs in.
func unhelped(d ipc.DesktopStatus) string {
	where := ""
	if d.Display != "" && d.Display != d.Desktop {
		where = " (" + d.Display + ")"
	}
	return fmt.Sprintf("%s%s of %s: %s, aval-desktop does not run there, so nobody can be asked and nothing is recorded", d.Desktop, where, d.User, d.State)
}

// startSentence says how a desktop gets its helper.
func startSentence(d ipc.DesktopStatus) string {
	switch {
	case d.StartLine == "":
		return "start aval-desktop there: add it to the session's autostart"
	case d.StartFile == "":
		return "as " + d.User + ", once: " + d.StartLine
	case strings.HasSuffix(d.StartFile, ".xinitrc"):
		return fmt.Sprintf("in %s of %s, before the line that starts the window manager: %s", d.StartFile, d.User, d.StartLine)
	}
	return fmt.Sprintf("add to %s of %s: %s", d.StartFile, d.User, d.StartLine)
}

func checkTools(c *checkup) []command.Finding {
	var out []command.Finding
	var heard []string
	for _, h := range c.tools {
		switch {
		case h.Found == "":
		case len(h.Hears) > 0:
			if !slices.Contains(heard, h.Tool) {
				heard = append(heard, h.Tool)
			}
		default:
			f := command.Finding{State: command.StateWrong, Found: fmt.Sprintf("%s, %s: its sessions are not heard: %s", h.Tool, h.Found, h.Missing), Do: []string{h.Do}}
			if h.Chosen {
				f.State = command.StateNote
			}
			out = append(out, f)
		}
	}
	if len(heard) > 0 {
		out = append(command.Found(command.StateOK, "sessions are heard of "+strings.Join(heard, ", ")), out...)
	}
	if len(out) == 0 {
		return command.Found(command.StateNote, "no remote tool that Aval knows is on this computer, as far as this user can see", "docs/remote-tools.md has the lines for each tool")
	}
	return out
}

// printTools is the table of the remote tools: what is here, a line each, and
// then the names of those that are not.
func printTools(w io.Writer, all []watch.Hearing) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var missing []string
	for _, h := range all {
		if h.Found == "" {
			missing = append(missing, h.Tool)
			continue
		}
		fmt.Fprintf(t, "%s\tfound\t%s\n", h.Tool, command.Printable(h.Found))
		fmt.Fprintf(t, "\thears\t%s\n", cmp.Or(strings.Join(h.Hears, ", "), "nothing"))
		if h.Missing != "" {
			fmt.Fprintf(t, "\tmissing\t%s\n", command.Printable(h.Missing))
		}
		if h.Do != "" {
			fmt.Fprintf(t, "\tdo\t%s\n", command.Printable(h.Do))
		}
	}
	t.Flush()
	if len(missing) > 0 {
		fmt.Fprintf(w, "Not here, but would be heard: %s.\n", strings.Join(missing, ", "))
	}
}

// checkQuestion looks at each rung on which a question could be shown.
func checkQuestion(*checkup) []command.Finding {
	var out []command.Finding
	helper, err := launch.Find("aval-desktop")
	if err != nil {
		out = append(out, command.Finding{State: command.StateWrong, Found: "aval-desktop is not installed: nobody can be asked", Do: []string{"copy it beside aval, or to /usr/bin"}})
	}
	window, werr := launch.Find("aval-ui")
	dialog, derr := native.Find()
	switch {
	case werr != nil && derr != nil:
		return append(out, command.Finding{State: command.StateWrong, Found: "nothing can show a question: neither aval-ui nor a dialog program is installed", Do: []string{"copy aval-ui beside aval, or to /usr/bin", "install zenity or kdialog"}})
	case werr != nil:
		out = append(out, command.Finding{State: command.StateWrong, Found: "aval-ui is not installed: questions are asked by " + dialog.Path + " alone", Do: []string{"copy aval-ui beside aval, or to /usr/bin"}})
	case derr != nil:
		out = append(out, command.Finding{State: command.StateNote, Found: "no dialog program is installed: where windows cannot be drawn (no OpenGL) nobody can be asked", Do: []string{"install zenity or kdialog"}})
	}
	if display := os.Getenv("DISPLAY"); werr == nil && display != "" {
		if gl, err := hasGLX(display); err != nil {
			out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("display %s cannot be looked at: %v", display, err)})
		} else if !gl {
			out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("display %s has no OpenGL (GLX): questions come as a dialog there", display)})
		}
	}
	if len(out) == 0 {
		out = command.Found(command.StateOK, fmt.Sprintf("%s, window %s, dialog %s", helper, window, dialog.Path))
	}
	return out
}
