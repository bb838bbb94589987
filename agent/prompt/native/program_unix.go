//go:build !windows

package native

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"aval/agent/prompt/launch"
	"aval/agent/x11"
)

// screen is where the dialog's window is looked for.
type screen = *x11.Conn

func openScreen(display string) (screen, error) { return x11.Dial(display) }

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

// once shows the dialog one time. lived is for how long it had been visible
// when the answer came.
func (t Tool) once(ctx context.Context, conn screen, d Dialog, visible func() (time.Time, error)) (a Answer, lived time.Duration, err error) {
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
