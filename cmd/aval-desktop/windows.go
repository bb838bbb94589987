package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"aval/agent/ipc"
	"aval/agent/memory"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/assets"
	"aval/ui/settingslist"
	"aval/ui/viewmodel"
)

// The windows of aval-ui that are opened from here, by the argument that names them.
const (
	windowMain     = ""
	windowSettings = "settings"
	windowActivity = "activity"
	windowNotice   = "notice"
)

// opened is a window that was opened from here.
type opened struct {
	proc *launch.Process
	at   time.Time
}

// reopen is how long a window that was just opened is left alone: a click in the
// tray comes from any program of the user, and must not start one after another.
const reopen = 2 * time.Second

// open opens one of our windows. One that is already there is opened anew, which
// brings it to the front whatever the window manager thinks of that.
func (d *desktop) open(window string, args ...string) {
	session := ""
	if window == windowNotice {
		session = args[1]
	}
	if window != windowMain {
		args = append([]string{window}, args...)
	}
	key := strings.Join(args, " ")
	if before, ok := d.windows[key]; ok {
		if time.Since(before.at) < reopen {
			return
		}
		before.proc.Kill()
	}
	p, err := d.ui.find()
	if err != nil {
		d.notOpened(window, session, err)
		return
	}
	var out launch.Output
	p.Args, p.Output = slices.Concat(args, []string{"--socket", d.socket}), &out
	proc, err := launch.Start(d.ctx, p)
	if err != nil {
		d.notOpened(window, session, err)
		return
	}
	w := &opened{proc: proc, at: time.Now()}
	d.windows[key] = w
	forget := d.own.add(proc.PID())
	go func() {
		<-proc.Done()
		forget()
		d.post(func() {
			if d.windows[key] == w {
				delete(d.windows, key)
			}
			// Ended by a signal that is not ours, or by itself: nothing was seen only
			// where it says so, or where its libraries are not there (127, of ld.so).
			switch exit := proc.Exit(); {
			case d.ui.again(exit, d.log):
				if window != windowMain {
					args = args[1:] // which open puts before them
				}
				d.open(window, args...)
			case exit.Code == exitNoWindow, exit.Code == 127, noOpenGL(exit):
				d.notOpened(window, session, errors.New(out.LastLine()))
			}
		})
	}()
}

// notOpened is called when a window cannot be shown on this desktop: the settings
// and the notice of a session are shown by the desktop's own dialogs, for the
// others it says where to look. A notice waits for its turn, for the service sends
// it once.
func (d *desktop) notOpened(window, session string, err error) {
	d.log.Warn("a window could not be opened", "window", window, "err", err)
	if window == windowNotice && !slices.Contains(d.notices, session) {
		d.notices = append(d.notices, session)
	}
	d.standIn(window)
}

// standIn shows one dialog at a time in the place of a window, and after it the
// notices that wait.
func (d *desktop) standIn(window string) {
	tools, err := native.All()
	if err != nil || d.listed || window == windowNotice && len(d.notices) == 0 {
		return // nothing can be shown, or something is there already
	}
	d.listed = true
	session := ""
	if window == windowNotice {
		session = d.notices[0]
	}
	go func() {
		var err error
		cat := readable(d.cat)
		if window == windowNotice {
			err = d.tellNotice(dialogs(tools), session)
		} else if window == windowSettings {
			err = settingslist.Run(d.ctx, cat, time.Local, d.call, dialogs(tools))
		} else {
			err = dialogs(tools).Tell(d.ctx, cat.T("app.name", nil), cat.T("app.nowindow", nil), cat.T("settings.list.close", nil))
		}
		if err != nil {
			d.log.Warn("a native dialog could not be shown", "err", err)
		}
		d.post(func() {
			d.listed = false
			if window == windowNotice && err != nil && !errors.As(err, new(*ipc.Error)) {
				return // it still waits, for the next dialog that ends
			}
			d.notices = slices.DeleteFunc(d.notices, func(n string) bool { return n == session })
			d.standIn(windowNotice)
		})
	}()
}

// dialogs are the dialog programs that there are: where one cannot show its window
// the next one does.
type dialogs []native.Tool

// Tell shows a text and waits until the person has closed it.
func (ts dialogs) Tell(ctx context.Context, title, text, ok string) error {
	return ts.first(ctx, func(t native.Tool) error { return t.Tell(ctx, title, text, ok) })
}

// Choose shows a list and returns the row that was chosen, -1: none.
func (ts dialogs) Choose(ctx context.Context, title, text, ok, cancel string, rows []settingslist.Row) (n int, err error) {
	n = -1
	err = ts.first(ctx, func(t native.Tool) (err error) {
		n, err = t.Choose(ctx, title, text, ok, cancel, rows)
		return err
	})
	return n, err
}

func (ts dialogs) first(ctx context.Context, show func(native.Tool) error) (err error) {
	for _, t := range ts {
		if err = show(t); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

// call is one request to the service, on a connection of its own.
func (d *desktop) call(ctx context.Context, m ipc.Method, params, result any) error {
	c, err := ipc.Dial(ctx, d.socket, ipc.Hello{Program: "aval-desktop", Build: version})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Call(ctx, m, params, result)
}

// welcome opens the main window, once for each user, on a computer that no
// company knows: it says that nobody can ask yet. The service remembers.
func (d *desktop) welcome() {
	c := d.link.client
	go func() {
		ctx, cancel := context.WithTimeout(d.ctx, answerWithin)
		defer cancel()
		var w ipc.Welcome
		if err := c.Call(ctx, ipc.MethodWelcome, ipc.Empty{}, &w); err != nil {
			d.log.Warn("ask whether to open the main window", "err", err)
		} else if w.Open {
			d.post(func() { d.open(windowMain) })
		}
		memory.Trim()
	}()
}

// tellNotice shows a notice in the desktop's own dialog.
func (d *desktop) tellNotice(tool dialogs, session string) error {
	var n ipc.Notice
	if err := d.call(d.ctx, ipc.MethodNoticeGet, ipc.NoticeOf{Session: session}, &n); err != nil {
		return err
	}
	v := viewmodel.NewNotice(n, readable(assets.For(append(n.Languages, d.where.locale)...)))
	if err := tool.Tell(d.ctx, v.Title, v.Native, v.OK); err != nil {
		return err
	}
	return d.call(d.ctx, ipc.MethodNoticeShown, ipc.NoticeOf{Session: session}, nil)
}
