package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"aval/agent/ipc"
	rungs "aval/agent/prompt"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/assets"
	"aval/ui/font"
	"aval/ui/viewmodel"
)

// own are the processes that were started from here.
type own struct {
	mu   sync.Mutex // guards pids
	pids map[int]bool
}

func (o *own) add(pid int) (remove func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pids == nil {
		o.pids = map[int]bool{}
	}
	o.pids[pid] = true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.pids, pid)
	}
}

func (o *own) has(pid int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pids[pid]
}

// Why a rung could not show the question, in the words of the local API.
const (
	whyNotInstalled = "not-installed"
	whyNoOpenGL     = "no-opengl"
	whyNoWindow     = "no-window"
	whyExited       = "exited"
	whyReader       = "screen-reader"
)

// errReader: a screen reader runs, which cannot read the window.
var errReader = errors.New("a screen reader runs: the native dialog asks")

// errNoOpenGL: none of the programs that have windows can draw one here.
var errNoOpenGL = fmt.Errorf("%w: there is no OpenGL", native.ErrNoWindow)

// exitNoWindow is how aval-ui ends when it could not show its window: EX_TEMPFAIL
// of sysexits(3).
const exitNoWindow = 75

// prompt is one rung on which a question is shown, or about to be.
type prompt struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// openPrompt shows a question on a rung, after whatever showed it before is gone.
func (d *desktop) openPrompt(o ipc.PromptOpen) {
	before := d.prompts[o.Question]
	ctx, cancel := context.WithCancel(d.ctx)
	p := &prompt{cancel: cancel, done: make(chan struct{})}
	d.prompts[o.Question] = p
	l := d.link
	go func() {
		defer close(p.done)
		defer cancel()
		if before != nil {
			before.cancel()
			<-before.done
		}
		var err error
		switch rungs.Rung(o.Rung) {
		case rungs.Window:
			err = d.askInWindow(ctx, o)
		case rungs.Native:
			err = d.askNatively(ctx, o)
		default:
			err = fmt.Errorf("rung %q: %w", o.Rung, launch.ErrNotInstalled)
		}
		d.post(func() {
			if d.prompts[o.Question] == p {
				delete(d.prompts, o.Question)
			}
		})
		if err == nil || ctx.Err() != nil {
			return // answered, out of time, or ended by the service, which knows
		}
		why := whyExited
		switch {
		case errors.Is(err, launch.ErrNotInstalled):
			why = whyNotInstalled
		case errors.Is(err, errNoOpenGL):
			why = whyNoOpenGL
		case errors.Is(err, native.ErrNoWindow):
			why = whyNoWindow
		case errors.Is(err, errReader):
			why = whyReader
		}
		d.log.Warn("a question could not be shown, or ended", "question", o.Question, "rung", o.Rung, "why", why, "err", err)
		l.send(ipc.MethodDesktopPrompt, ipc.DesktopPrompt{Question: o.Question, Rung: o.Rung, Why: why})
	}()
}

// closePrompt ends whatever shows the question.
func (d *desktop) closePrompt(c ipc.PromptClose) {
	if p := d.prompts[c.Question]; p != nil {
		p.cancel()
	}
}

// askInWindow has aval-ui ask. It talks to the service itself, on a connection
// of its own; what is known here is only whether it runs.
func (d *desktop) askInWindow(ctx context.Context, o ipc.PromptOpen) error {
	p, err := d.ui.find()
	if err != nil {
		return err
	}
	args := []string{"consent", "--socket", d.socket, "--question", o.Question}
	if _, err := native.Find(); err != nil {
		args = append(args, "--last")
	} else if screenReader(ctx, d.where.bus) {
		return errReader
	}
	for {
		var out launch.Output
		p.Nonce, p.Output, p.Args = o.Nonce, &out, args
		proc, err := launch.Start(ctx, p)
		if err != nil {
			return fmt.Errorf("%w: %w", native.ErrNoWindow, err)
		}
		forget := d.own.add(proc.PID())
		<-proc.Done()
		forget()
		exit := proc.Exit()
		if d.ui.again(exit, d.log) {
			if p, err = d.ui.find(); err == nil {
				continue
			}
		}
		switch {
		case exit.Code == 0:
			return nil
		case noOpenGL(exit):
			return fmt.Errorf("aval-ui: %w: %s", errNoOpenGL, out.LastLine())
		case exit.Code == exitNoWindow:
			return fmt.Errorf("aval-ui: %w: %s", native.ErrNoWindow, out.LastLine())
		default:
			return fmt.Errorf("aval-ui ended with status %d: %s", exit.Code, out.LastLine())
		}
	}
}

// askNatively asks with the desktop's own dialog, on a connection of its own:
// when that ends without an answer, the service knows that the question is lost.
func (d *desktop) askNatively(ctx context.Context, o ipc.PromptOpen) error {
	tools, err := native.All()
	if err != nil {
		return err
	}
	c, err := ipc.Dial(ctx, d.socket, ipc.Hello{Program: "aval-desktop", Build: version})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the service ended the connection: the question is over
		for range c.Pushes() {
		}
		cancel()
	}()
	var q ipc.Question
	if err := c.Call(ctx, ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question, Nonce: o.Nonce}, &q); err != nil {
		return err
	}
	ask := viewmodel.New(q, readable(viewmodel.Catalog(q, d.where.locale)), time.Now())
	dialog := native.Dialog{Title: ask.Title, Text: ask.Text(), Yes: ask.Allow, No: ask.Deny}
	var answer native.Answer
	shown := false
	for _, tool := range tools {
		answer, err = tool.Ask(ctx, d.where.display, dialog, func() (time.Time, error) {
			shown = true
			var r ipc.QuestionShownResult
			err := c.Call(ctx, ipc.MethodQuestionShown, ipc.QuestionShown{
				Question: o.Question, Locale: ask.Locale, TextSHA256: ask.NativeSHA256(),
			}, &r)
			return r.Deadline, err
		})
		if shown || !errors.Is(err, native.ErrNoWindow) || ctx.Err() != nil {
			break
		}
	}
	if err != nil || answer == native.None {
		return err
	}
	a := ipc.QuestionAnswer{Question: o.Question, Allow: answer == native.Yes, Locale: ask.Locale, TextSHA256: ask.NativeSHA256()}
	if a.Allow {
		a.Groups = q.Offered // one answer for all: the dialog has nothing to untick
	}
	return c.Call(ctx, ipc.MethodQuestionAnswer, a, nil)
}

// readable is the catalogue in which a native dialog speaks: the one given, or
// English where no font of this computer has the characters of its language. Names
// count for nothing in this: whoever connects chooses them.
func readable(cat *assets.Catalog) *assets.Catalog {
	text := strings.Map(func(r rune) rune {
		if r < 0x250 || !unicode.IsLetter(r) { // what every font has
			return -1
		}
		return r
	}, cat.Runes(""))
	if text == "" {
		return cat
	}
	if _, err := font.Find(text, cat.Lang, false); errors.Is(err, font.ErrNone) {
		return assets.For("en")
	}
	return cat
}
