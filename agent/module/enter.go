package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/ipc"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/assets"
)

// codeErrors are the reasons for which a code may be typed anew.
var codeErrors = []string{ipc.WhyBad, ipc.WhyUnknown, ipc.WhyUsed, ipc.WhyExpired}

// enter takes the code, or opens a session without one. over is closed when the
// window is that was opened for it; nil: there is none.
func (r *run) enter(ctx context.Context) (name string, over <-chan struct{}, err error) {
	for range codeTries {
		fmt.Fprint(r.o.Out, "Code (or only Enter, if you have none): ")
		select {
		case line, ok := <-r.lines:
			switch {
			case !ok:
				r.say("")
				return r.window(ctx)
			case line == "":
				name, err = r.open(ctx)
			default:
				name, err = r.join(ctx, line)
			}
			if err == nil || !again(err) {
				return name, nil, err
			}
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
	return "", nil, err
}

// join redeems a code.
func (r *run) join(ctx context.Context, code string) (string, error) {
	var res ipc.SessionBeginResult
	err := r.c.Call(ctx, ipc.MethodSessionJoin, ipc.SessionJoin{Code: code}, &res)
	if again(err) {
		r.say("%s", err.(*ipc.Error).Message)
	}
	return res.Session, err
}

// again tells whether another code may be typed.
func again(err error) bool {
	no, ok := err.(*ipc.Error)
	return ok && slices.Contains(codeErrors, no.Why)
}

// opened is what became of a session that was opened without a code.
type opened struct {
	session string
	err     error
}

// opens opens one, says its number, and then what became of it. The end of ctx gives
// it up.
func (r *run) opens(ctx context.Context) (<-chan opened, error) {
	c, err := ipc.Dial(ctx, r.socket, ipc.Hello{Program: "aval", Build: r.o.Build})
	if err != nil {
		return nil, err
	}
	ended := make(chan opened, 1)
	go func() {
		for p := range c.Pushes() {
			var o ipc.Opening
			if p.Name == ipc.PushOpening && json.Unmarshal(p.Data, &o) == nil {
				r.say("Tell the support this number: %s %s\nIt waits for somebody there until %s. Before that nothing is asked and nothing is recorded.",
					o.Number[:min(3, len(o.Number))], o.Number[min(3, len(o.Number)):], o.Until.Local().Format("15:04"))
			}
		}
	}()
	go func() {
		defer c.Close()
		var res ipc.SessionBeginResult
		err := c.Call(ctx, ipc.MethodSessionOpen, ipc.SessionOpen{}, &res)
		ended <- opened{res.Session, err}
	}()
	return ended, nil
}

// open opens a session without a code, and waits for a supporter. A code that is
// typed meanwhile counts instead.
func (r *run) open(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, err := r.opens(ctx)
	if err != nil {
		return "", err
	}
	r.say("If you get a code after all, type it here.")
	lines := r.lines
	for {
		select {
		case o := <-ended:
			var no *ipc.Error
			if errors.As(o.err, &no) && no.Why != "" {
				return "", refused(no.Why, no.Message, no.Hint)
			}
			return o.session, o.err
		case line, ok := <-lines:
			switch {
			case !ok:
				lines = nil // the end of In is no word of anybody
			case line != "":
				if name, err := r.join(ctx, line); !again(err) {
					return name, err
				}
			}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// window opens a session without a code, and Aval's main window, which shows its
// number and has a field for a code. Where no window can be shown, the number is
// told by the desktop's own dialog, and in Out.
func (r *run) window(ctx context.Context) (string, <-chan struct{}, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel() // a session that has come by a code has ended the wait already
	ended, err := r.opens(waiting)
	if err != nil {
		return "", nil, err
	}
	var over <-chan struct{}
	var w *launch.Process
	path, err := launch.Find("aval-ui")
	if err == nil {
		w, err = r.program(ctx, path)
	}
	if err == nil {
		over = w.Done()
	} else {
		r.say("There is no window here (%v).", err)
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		list, err := r.sessions(ctx)
		if err != nil {
			return "", nil, err
		}
		for _, s := range list {
			if s.Verdict != "" && s.Verified && s.Company != "" {
				return s.Session, over, nil
			}
		}
		select {
		case o := <-ended:
			var no *ipc.Error
			switch {
			case o.err == nil:
				return o.session, over, nil
			case over == nil && errors.As(o.err, &no):
				return "", nil, refused(no.Why, no.Message, no.Hint)
			case over == nil:
				return "", nil, o.err
			case errors.As(o.err, &no) && no.Why != "":
				r.say("%s. In Aval's window you can get another number, or enter a code.", no.Message)
			}
			ended = nil // the window goes on
		case <-over:
			if over = nil; w.Exit().Code != exitCannotShow {
				return "", nil, refused(ipc.WhyClosed, "the window was closed before anybody at the support had taken the session", "")
			}
			r.say("Aval's window cannot be shown here.")
			if ended == nil {
				return "", nil, refused(ipc.WhyExpired, "nobody at the support has taken the session", "")
			}
			go r.tell(waiting)
		case <-ctx.Done():
			return "", nil, ctx.Err()
		case <-t.C:
		}
	}
}

// exitCannotShow is aval-ui's word that no window can be shown.
const exitCannotShow = 75

// tell tells the number by the desktop's own dialog, once it is there. Where there is
// none either, it stands in Out.
func (r *run) tell(ctx context.Context) {
	tool, err := native.Find()
	if err != nil {
		return
	}
	c, err := ipc.Dial(ctx, r.socket, ipc.Hello{Program: "aval", Build: r.o.Build})
	if err != nil {
		return
	}
	defer c.Close()
	_ = every(ctx, startWithin, func() (bool, error) {
		var s ipc.Status
		if err := c.Call(ctx, ipc.MethodStatus, ipc.Empty{}, &s); err != nil || s.Opening == nil {
			return false, err
		}
		cat := assets.For(assets.Locale())
		text := cat.T("app.opening.head", nil) + "\n\n" + s.Opening.Number + "\n\n" + cat.T("app.opening.wait", assets.Args{"time": s.Opening.Until.Local().Format("15:04")})
		return true, tool.Tell(ctx, cat.T("app.name", nil), text, cat.T("app.refusal.close", nil))
	})
}
