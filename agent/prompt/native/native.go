// Package native asks the question with the desktop's own dialog program, where
// our window cannot be shown: zenity, or kdialog. It shows lists and texts, too,
// for what else a person must reach there.
//
// The one rule that must not be broken: only the program's positive word after
// its window was really visible for a while is a yes; every other end, an error
// or a kill included, is none.
package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"aval/agent/prompt/launch"
	"aval/agent/x11"
	"aval/assets"
)

// Answer is what the person said.
type Answer int

// The answers. The zero value is no answer at all.
const (
	None Answer = iota
	No
	Yes
)

// Errors of Ask.
var (
	// ErrNoWindow: the dialog was never visible, so nobody was asked.
	ErrNoWindow = errors.New("the dialog did not become visible")
	// ErrLost: the dialog was visible and then went away without an answer.
	ErrLost = errors.New("the dialog went away without an answer")
)

// Times of a dialog.
const (
	// early is how long an answer is not believed: nobody reads faster, so it
	// was meant for something else.
	early = 1500 * time.Millisecond
	// visibleWithin is how long a dialog may take to appear. The service gives
	// up on a rung after 5 s.
	visibleWithin = 4500 * time.Millisecond
	// look is how often the window is looked for until it is there.
	look = 50 * time.Millisecond
)

// Dialog is the texts of one question, as plain text.
type Dialog struct {
	Title, Text, Yes, No string
}

// Tool is an installed dialog program.
type Tool struct {
	// Name is zenity or kdialog.
	Name string
	// Path is absolute.
	Path string

	doubt time.Duration // how long an answer is not believed; zero: early
}

func (t Tool) tooEarly(lived time.Duration) bool {
	if t.doubt > 0 {
		return lived < t.doubt
	}
	return lived < early
}

// Find returns the dialog program to use. The error wraps launch.ErrNotInstalled.
func Find() (Tool, error) {
	all, err := All()
	if err != nil {
		return Tool{}, err
	}
	return all[0], nil
}

// All returns the dialog programs that there are, the best first: zenity, because
// its default can be set to the refusal. One that cannot show its window (both
// are linked with libraries that may be broken) is no reason not to try the other.
func All() ([]Tool, error) {
	var all []Tool
	for _, name := range []string{"zenity", "kdialog"} {
		if path, err := launch.FindAt("/usr/bin/" + name); err == nil {
			all = append(all, Tool{Name: name, Path: path})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: neither zenity nor kdialog is in /usr/bin", launch.ErrNotInstalled)
	}
	return all, nil
}

// Ask shows d on the X display and waits for the answer. shown is called once,
// when the dialog's window is really visible; it returns until when an answer
// is awaited. An answer that comes within 1.5 s of a dialog's appearance is not
// believed: the question is shown once more, and a second one is a No.
//
// The dialog is gone when Ask returns. No answer in time is None without an
// error; ErrNoWindow and ErrLost are None too, and so is the end of ctx.
func (t Tool) Ask(ctx context.Context, display string, d Dialog, shown func() (time.Time, error)) (Answer, error) {
	conn, err := x11.Dial(display)
	if err != nil {
		return None, fmt.Errorf("ask by %s: %w: %w", t.Name, ErrNoWindow, err)
	}
	defer conn.Close()
	// Whatever is being waited for of the X server ends with ctx.
	defer context.AfterFunc(ctx, conn.Close)()

	var until time.Time
	for round := range 2 {
		a, lived, err := t.once(ctx, conn, d, func() (time.Time, error) {
			if round > 0 {
				return until, nil
			}
			var err error
			until, err = shown()
			return until, err
		})
		switch {
		case err != nil:
			return None, fmt.Errorf("ask by %s: %w", t.Name, err)
		case a == None || !t.tooEarly(lived):
			return a, nil
		}
	}
	return No, nil
}

// once shows the dialog one time. lived is for how long it had been visible
// when the answer came.
func (t Tool) once(ctx context.Context, conn *x11.Conn, d Dialog, visible func() (time.Time, error)) (a Answer, lived time.Duration, err error) {
	var out launch.Output
	proc, err := launch.Start(ctx, launch.Program{
		Path: t.Path, Args: t.args(d), Foreign: true, Output: &out,
		Env: environment(os.Getenv),
	})
	if err != nil {
		return None, 0, fmt.Errorf("%w: %w", ErrNoWindow, err)
	}
	defer proc.Kill()

	tick := time.NewTicker(look)
	defer tick.Stop()
	giveUp := time.After(visibleWithin)
	for !visibleWindow(conn, proc.PID()) {
		select {
		case <-ctx.Done():
			return None, 0, ctx.Err()
		case <-proc.Done():
			return None, 0, fmt.Errorf("%w: it ended with status %d: %s", ErrNoWindow, proc.Exit().Code, out.LastLine())
		case <-giveUp:
			return None, 0, ErrNoWindow
		case <-tick.C:
		}
	}
	appeared := time.Now()
	until, err := visible()
	if err != nil {
		return None, 0, err
	}
	late := time.NewTimer(time.Until(until))
	defer late.Stop()
	select {
	case <-ctx.Done():
		return None, 0, ctx.Err()
	case <-late.C:
		return None, 0, nil
	case <-proc.Done():
	}
	lived = time.Since(appeared)
	if proc.Exit().Killed {
		return None, lived, ErrLost
	}
	a, err = t.answer(proc.Exit().Code, out.String())
	return a, lived, err
}

// environment is what both programs need. The window must be one that X can
// tell of, also under Wayland. Their texts are UTF-8 in the arguments, which
// both misread or refuse where the person's locale is C or is not installed
// ("This option is not available"); the language of their own words is apart.
func environment(env func(string) string) []string {
	language := cmp.Or(env("LANGUAGE"), env("LC_ALL"), env("LC_MESSAGES"), env("LANG"))
	language, _, _ = strings.Cut(language, ".")
	return []string{"GDK_BACKEND=x11", "QT_QPA_PLATFORM=xcb", "LC_ALL=C.UTF-8", "CHARSET=UTF-8", "LANGUAGE=" + language}
}

// args are the arguments that show d: text only, with the refusal as what Enter
// and Esc do.
func (t Tool) args(d Dialog) []string {
	if t.Name == "kdialog" {
		// Its yes/no dialogs have Yes as the default, and end with the same
		// status for No, for wrong arguments and for a lost display. So the
		// answer is chosen from a list that stands on the refusal, and the
		// choice is printed.
		return []string{
			"--title", oneLine(d.Title), "--geometry", "520x420",
			"--radiolist", richText(d.Text),
			"no", oneLine(d.No), "on", "yes", oneLine(d.Yes), "off",
		}
	}
	return []string{
		"--question", "--no-markup", "--no-wrap", "--default-cancel", "--modal",
		"--title=" + oneLine(d.Title), "--text=" + wrapped(d.Text),
		"--ok-label=" + oneLine(d.Yes), "--cancel-label=" + oneLine(d.No),
	}
}

// wrapped is a text in lines of at most 72 columns. zenity's own lines are as
// long as the screen is wide (3.44, src/msg.c), too long to be read at a glance.
func wrapped(text string) string {
	parts := strings.Split(text, "\n")
	for i, part := range parts {
		parts[i] = strings.Join(assets.Lines(part, 72, func(s string) float64 { return float64(assets.Columns(s)) }), "\n")
	}
	return strings.Join(parts, "\n")
}

// answer reads how the program ended. zenity(1): 0 is OK, 1 is Cancel, Esc or
// closing, 5 is its own timeout, anything else an error. kdialog prints the tag
// of the chosen entry and ends with 0; 1 is Cancel.
func (t Tool) answer(code int, out string) (Answer, error) {
	if t.Name == "kdialog" {
		lines := strings.Fields(out)
		last := ""
		if len(lines) > 0 {
			last = lines[len(lines)-1]
		}
		switch {
		case code == 0 && last == "yes":
			return Yes, nil
		case code == 0 && last == "no", code == 1, code == 2:
			return No, nil
		}
		return None, fmt.Errorf("%w: status %d", ErrLost, code)
	}
	switch code {
	case 0:
		return Yes, nil
	case 1:
		return No, nil
	case 5:
		return None, nil
	}
	return None, fmt.Errorf("%w: status %d", ErrLost, code)
}

// visibleWindow tells whether the process pid has a window on the screen.
func visibleWindow(conn *x11.Conn, pid int) bool {
	windows, _ := conn.Tree(5000)
	titles, err := conn.TitlesOf(windows)
	if err != nil {
		return false
	}
	for i, w := range windows {
		if len(titles[i]) > 0 && conn.Viewable(w) && conn.PID(w) == pid {
			return true
		}
	}
	return false
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
