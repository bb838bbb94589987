//go:build !windows

package native

import (
	"context"
	"fmt"
	"html"
	"os"
	"strconv"
	"strings"
	"time"

	"aval/agent/prompt/launch"
)

// Choose shows a list, on which kdialog marks the row that is chosen now, and returns the row that was
// chosen, -1: none. Nothing about it is a proof of who chose. The dialog is gone
// when Choose returns.
func (t Tool) Choose(ctx context.Context, title, text, ok, cancel string, rows []Row) (int, error) {
	exit, out, err := t.show(ctx, t.listArgs(title, text, ok, cancel, rows))
	switch {
	case err != nil:
		return -1, err
	case exit.Code == 1 || exit.Killed: // Cancel, Esc, closing; or the end of ctx
		return -1, nil
	case exit.Code != 0:
		return -1, fmt.Errorf("show a list by %s: status %d: %s", t.Name, exit.Code, out.LastLine())
	}
	words := strings.Fields(out.String())
	if len(words) == 0 {
		return -1, nil
	}
	n, err := strconv.Atoi(words[len(words)-1])
	if err != nil || n < 0 || n >= len(rows) {
		return -1, fmt.Errorf("show a list by %s: it gave %s", t.Name, out.LastLine())
	}
	return n, nil
}

// Tell shows a text and waits until the person has closed it.
func (t Tool) Tell(ctx context.Context, title, text, ok string) error {
	args := []string{"--info", "--no-markup", "--no-wrap", "--title=" + oneLine(title), "--text=" + wrapped(text), "--ok-label=" + oneLine(ok)}
	if t.Name == "kdialog" {
		args = []string{"--title", oneLine(title), "--ok-label", oneLine(ok), "--msgbox", richText(text)}
	}
	began := time.Now()
	exit, out, err := t.show(ctx, args)
	// 1 is Esc or closing, and in zenity a display that cannot be opened too.
	if err == nil && exit.Code != 0 && (exit.Code != 1 || time.Since(began) < early) {
		err = fmt.Errorf("show a text by %s: status %d: %s", t.Name, exit.Code, out.LastLine())
	}
	return err
}

func (t Tool) show(ctx context.Context, args []string) (launch.Exit, *launch.Output, error) {
	// Without a display zenity ends as if it had been closed.
	s, err := openScreen(os.Getenv("DISPLAY"))
	if err != nil {
		return launch.Exit{}, nil, fmt.Errorf("show by %s: %w: %w", t.Name, ErrNoWindow, err)
	}
	s.Close()
	var out launch.Output
	proc, err := launch.Start(ctx, launch.Program{Path: t.Path, Args: args, Foreign: true, Output: &out, Env: environment(os.Getenv)})
	if err != nil {
		return launch.Exit{}, nil, err
	}
	<-proc.Done()
	return proc.Exit(), &out, nil
}

// listArgs are the arguments that show a list; what is printed is the number of
// the row. The rows of both programs are plain text; what stands above them is
// markup in zenity (3.44, src/list.c) and looks for it in kdialog.
func (t Tool) listArgs(title, text, ok, cancel string, rows []Row) []string {
	if t.Name == "kdialog" {
		args := []string{"--title", oneLine(title), "--geometry", strconv.Itoa(listWidth) + "x" + strconv.Itoa(listHeight(text, rows)), "--ok-label", oneLine(ok), "--cancel-label", oneLine(cancel),
			"--radiolist", richText(text)}
		for i, r := range rows {
			state := "off"
			if r.Chosen {
				state = "on"
			}
			args = append(args, strconv.Itoa(i), oneLine(r.Name), state)
		}
		return args
	}
	text = wrapped(text)
	markup := strings.ReplaceAll(html.EscapeString(text), `\`, "&#92;") // it reads \n as a line break
	// A plain list: the radio buttons of the other kind cannot be reached by keys.
	args := []string{"--list", "--title=" + oneLine(title), "--text=" + markup,
		"--column", "", "--column", "", "--hide-column=1", "--print-column=1", "--hide-header",
		"--width=" + strconv.Itoa(listWidth), "--height=" + strconv.Itoa(listHeight(text, rows)), "--ok-label=" + oneLine(ok), "--cancel-label=" + oneLine(cancel)}
	for i, r := range rows {
		args = append(args, strconv.Itoa(i), oneLine(r.Name))
	}
	return args
}

// listWidth is that of a list, in the toolkit's units, as its height.
const listWidth = 560

// listHeight is enough for all rows beneath the text, up to what fits on a screen
// of 600: neither program makes its list as high as its rows.
func listHeight(text string, rows []Row) int {
	return min(540, 150+20*(1+strings.Count(wrapped(text), "\n"))+28*len(rows))
}

// richText is a text for kdialog, which takes a text for rich text when it looks
// like it: here it always is, with everything escaped.
func richText(text string) string {
	text = strings.ReplaceAll(html.EscapeString(text), `\`, "&#92;") // it reads \n as a line break
	return "<qt>" + strings.ReplaceAll(text, "\n", "<br/>") + "</qt>"
}
