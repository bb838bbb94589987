package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"aval/agent/ipc"
	"aval/agent/memory"
	"aval/assets"
	"aval/ui/indicator"
	"aval/ui/tray"
)

// desktop is the state of this process. serve's goroutine owns it; everything
// else reaches it through post.
type desktop struct {
	ctx    context.Context
	socket string
	where  session
	cat    *assets.Catalog
	log    *slog.Logger

	posts  chan func()
	dialed chan *ipc.Client
	// outdated says that the service is of another version.
	outdated chan error

	link *link // nil: the service is not there

	bar   indicator.Indicator // nil: cannot be shown here
	noBar string              // why not
	state ipc.Indicator       // what the bar shows
	said  ipc.DesktopIndicator

	watch   watch
	ears    *ears  // nil: presses are not heard now
	barIs   uint32 // the bar's window that is followed; 0: none
	prompts map[string]*prompt
	own     own
	ui      windowProgram
	tray    tray.Tray
	told    time.Time          // when a message said that the bar cannot be seen
	hidden  bool               // the bar said that it cannot be seen
	windows map[string]*opened // those that were opened from here and still are
	listed  bool               // a native dialog stands in for one of them
	notices []string           // sessions whose notice waits for such a dialog
}

// quietAfter is how long capturing goes on without a sign of life of the bar.
// The service waits as long.
const quietAfter = 2 * time.Second

// serve runs until ctx ends or the display is gone.
func serve(ctx context.Context, socket string, where session, log *slog.Logger) error {
	if where.name() == "" {
		return errors.New("there is no desktop here: DISPLAY is not set; start it in a desktop session")
	}
	release, err := where.lock()
	if err != nil {
		return err
	}
	defer release()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &desktop{
		ctx: ctx, socket: socket, where: where, cat: assets.For(where.locale), log: log,
		posts: make(chan func(), 64), dialed: make(chan *ipc.Client), outdated: make(chan error), prompts: map[string]*prompt{}, windows: map[string]*opened{},
	}
	if err := d.openBar(); err != nil {
		return err
	}
	d.tray = tray.Open(tray.Options{Catalog: d.cat, Bus: where.bus})
	defer d.end()
	d.reconnect()
	return d.loop()
}

// openBar opens the bar. A desktop that cannot show one is served all the same:
// the service is told, and records nothing there.
func (d *desktop) openBar() error {
	bar, err := indicator.Open(indicator.Options{Display: d.where.display, Type: d.where.kind, Catalog: d.cat})
	switch {
	case err == nil:
		d.bar, d.noBar = bar, ""
		return nil
	case errors.Is(err, indicator.ErrUnavailable):
		d.bar, d.noBar = nil, err.Error()
		d.log.Warn("nothing can be recorded on this desktop", "err", err)
		return nil
	}
	return fmt.Errorf("open the recording bar: %w", err)
}

// reconnect looks for the service in the background.
func (d *desktop) reconnect() {
	reg := d.where.register(d.bar != nil)
	go func() {
		c, err := connect(d.ctx, d.socket, reg, d.log)
		if err != nil {
			select {
			case d.outdated <- err:
			case <-d.ctx.Done():
			}
			return
		}
		memory.Trim() // what the start took is not needed at rest
		select {
		case d.dialed <- c:
		case <-d.ctx.Done():
			c.Close()
		}
	}()
}

// post has f done by the owner. It may be called from any goroutine.
func (d *desktop) post(f func()) {
	select {
	case d.posts <- f:
	case <-d.ctx.Done():
	}
}

func (d *desktop) loop() error {
	d.watch.quiet = time.NewTimer(time.Hour)
	d.watch.quiet.Stop()
	for {
		var pushes <-chan ipc.Push
		var visible <-chan indicator.State
		var actions <-chan ipc.RecordingControl
		var views <-chan string
		if d.link != nil {
			pushes = d.link.client.Pushes()
		}
		if d.bar != nil {
			visible, actions, views = d.bar.Visible(), d.bar.Actions(), d.bar.Views()
		}
		select {
		case <-d.ctx.Done():
			return nil
		case err := <-d.outdated:
			return err
		case c := <-d.dialed:
			d.link = newLink(d.ctx, c, d.log)
			d.log.Info("connected", "service", c.HelloResult().Build)
			d.welcome()
			d.showTray()
		case p, ok := <-pushes:
			if !ok {
				d.lost()
				break
			}
			if err := d.push(p); err != nil {
				d.log.Error("message from the service", "push", p.Name, "err", err)
			}
		case s, ok := <-visible:
			if !ok {
				if err := d.barLost(); err != nil {
					return err
				}
				break
			}
			d.seen(s)
		case a := <-actions:
			d.chosen(a)
		case name := <-views:
			d.open(windowActivity, "--session", name)
		case c := <-d.tray.Choices():
			d.chosenInTray(c)
		case f := <-d.posts:
			f()
		case <-d.watch.quiet.C:
			d.watch.stop()
			d.log.Warn("capture stopped: the bar gives no sign of life")
		}
	}
}

// lost puts everything back to how it is without a service.
func (d *desktop) lost() {
	d.log.Warn("the service is gone")
	d.link.close()
	d.link = nil
	d.notices = nil // the service sends again what was not shown
	d.watch.stop()
	d.listen(ipc.Listening{})
	for _, p := range d.prompts {
		p.cancel()
	}
	d.show(ipc.Indicator{})
	memory.Trim()
	d.reconnect()
}

// end stops everything before the process does.
func (d *desktop) end() {
	d.watch.stop()
	d.listen(ipc.Listening{})
	for _, p := range d.prompts {
		p.cancel()
		<-p.done
	}
	if d.link != nil {
		d.link.close()
	}
	if d.bar != nil {
		d.bar.Close()
	}
	d.tray.Close()
}

// push takes one message of the service.
func (d *desktop) push(p ipc.Push) error {
	switch p.Name {
	case ipc.PushPromptOpen:
		return decoded(p.Data, d.openPrompt)
	case ipc.PushPromptClose:
		return decoded(p.Data, d.closePrompt)
	case ipc.PushNotice:
		return decoded(p.Data, func(n ipc.NoticeOf) { d.open(windowNotice, "--session", n.Session) })
	case ipc.PushIndicator:
		return decoded(p.Data, d.show)
	case ipc.PushCapture:
		return decoded(p.Data, d.capture)
	case ipc.PushListen:
		return decoded(p.Data, d.listen)
	case ipc.PushWatch:
		return decoded(p.Data, d.watchWindow)
	case ipc.PushHear:
		return decoded(p.Data, d.hear)
	}
	return fmt.Errorf("unknown message %q: the service is newer than this program", p.Name)
}

func decoded[T any](raw json.RawMessage, f func(T)) error {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	f(v)
	return nil
}

// show passes a state on to the bar.
func (d *desktop) show(state ipc.Indicator) {
	had := len(d.state.Sessions) > 0
	d.state = state
	defer d.showTray()
	if d.bar != nil {
		d.bar.Show(state)
	} else if len(state.Sessions) > 0 {
		d.tell(ipc.DesktopIndicator{Revision: state.Revision, Why: d.noBar})
	}
	if len(state.Sessions) == 0 {
		d.hidden = false
	}
	if had && len(state.Sessions) == 0 {
		d.said = ipc.DesktopIndicator{}
		memory.Trim()
	}
}

// live tells whether something that is shown has not ended.
func (d *desktop) live() bool {
	return slices.ContainsFunc(d.state.Sessions, func(s ipc.IndicatorSession) bool { return !s.Ended })
}

// seen takes the bar's word on its visibility. What is new is reported; what is
// not is the sign of life without which the service stops recording.
func (d *desktop) seen(s indicator.State) {
	if d.link == nil || len(d.state.Sessions) == 0 || s.Revision != d.state.Revision {
		return
	}
	now := ipc.DesktopIndicator{Revision: s.Revision, Visible: s.Visible, Why: s.Why}
	if d.hidden == s.Visible {
		d.hidden = !s.Visible
		d.showTray()
	}
	if s.Visible && d.ears != nil && d.barIs != s.Window {
		d.barIs = s.Window
		d.watchWindow(ipc.Watch{PID: os.Getpid(), Window: s.Window})
	}
	switch {
	case now != d.said:
		d.tell(now)
	case s.Visible && d.live():
		d.link.send(ipc.MethodDesktopAlive, ipc.Empty{})
	}
	if !s.Visible {
		d.watch.stop() // the service says when it may go on
	} else if d.watch.running != nil {
		d.watch.quiet.Reset(quietAfter)
	}
}

func (d *desktop) tell(r ipc.DesktopIndicator) {
	d.said = r
	if d.link != nil {
		d.link.send(ipc.MethodDesktopIndicator, r)
	}
}

// barLost is called when the bar's connection to the display has ended: it is
// opened once more, for somebody may have cut that connection alone.
func (d *desktop) barLost() error {
	d.watch.stop()
	d.tell(ipc.DesktopIndicator{Revision: d.state.Revision, Why: "the display closed the bar"})
	d.hidden = true
	d.bar.Close()
	d.bar = nil
	if err := d.openBar(); err != nil {
		return errors.New("the display is gone")
	}
	d.show(d.state)
	return nil
}

// chosen passes what the person pressed on to the service, and the service's
// word back to the bar. Stop and Pause stop the own capture at once.
func (d *desktop) chosen(a ipc.RecordingControl) {
	if a.Action != "resume" && a.Action != "object" {
		alone := true
		for _, s := range d.state.Sessions {
			alone = alone && (s.Ended || s.Session == a.Session)
		}
		if alone {
			d.watch.stop()
		}
	}
	bar, l := d.bar, d.link
	if bar == nil && l == nil {
		return
	}
	if l == nil {
		bar.Report(a, errors.New("the service is not there"))
		return
	}
	go func() { // not in the queue of events: the person waits
		ctx, cancel := context.WithTimeout(d.ctx, answerWithin)
		defer cancel()
		call := l.client.Call
		if a.Press != nil { // the service asks back over the other one where the press came from
			call = d.call
		}
		err := call(ctx, ipc.MethodRecordingControl, a, nil)
		var refused *ipc.Error
		if err != nil && !errors.As(err, &refused) {
			err = fmt.Errorf("the service does not answer: %w", err)
		}
		if err != nil {
			d.log.Warn("recording control", "session", a.Session, "action", a.Action, "err", err)
		}
		if bar != nil {
			bar.Report(a, err)
		}
	}()
}
