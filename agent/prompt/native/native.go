// Package native asks the question with the desktop's own dialog program, where
// our window cannot be shown: zenity, or kdialog. It shows lists and texts, too,
// for what else a person must reach there.
//
// The one rule that must not be broken: only the program's positive word after
// its window was really visible for a while is a yes; every other end, an error
// or a kill included, is none.
package native

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// Ask shows d on the desktop, on X11 by its display, and waits for the answer. shown is called once,
// when the dialog's window is really visible; it returns until when an answer
// is awaited. An answer that comes within 1.5 s of a dialog's appearance is not
// believed: the question is shown once more, and a second one is a No.
//
// The dialog is gone when Ask returns. No answer in time is None without an
// error; ErrNoWindow and ErrLost are None too, and so is the end of ctx.
func (t Tool) Ask(ctx context.Context, display string, d Dialog, shown func() (time.Time, error)) (Answer, error) {
	s, err := openScreen(display)
	if err != nil {
		return None, fmt.Errorf("ask by %s: %w: %w", t.Name, ErrNoWindow, err)
	}
	defer s.Close()
	// Whatever is being waited for of the X server ends with ctx.
	defer context.AfterFunc(ctx, s.Close)()

	var until time.Time
	for round := range 2 {
		a, lived, err := t.once(ctx, s, d, func() (time.Time, error) {
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

// wrapped is a text in lines of at most 72 columns. zenity's own lines are as
// long as the screen is wide (3.44, src/msg.c), too long to be read at a glance.
func wrapped(text string) string {
	parts := strings.Split(text, "\n")
	for i, part := range parts {
		parts[i] = strings.Join(assets.Lines(part, 72, func(s string) float64 { return float64(assets.Columns(s)) }), "\n")
	}
	return strings.Join(parts, "\n")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
