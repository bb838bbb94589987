package module

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aval/agent"
	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/prompt/launch"
	"aval/agent/service"
)

const (
	// startWithin is how long the private service and the program that asks may
	// take to be there.
	startWithin = 30 * time.Second
	// lookEvery is how often it is looked how the session is doing.
	lookEvery = 300 * time.Millisecond
	// codeTries is how often a code may be typed anew.
	codeTries = 5
)

// Options are how a module runs.
type Options struct {
	Path   string // of the module
	Build  string
	Socket string // of an installed service, which is to be used instead
	// PolicyDir holds the computer's policies: they count here too.
	PolicyDir string
	Tools     []string // remote tools that are followed
	// In gives the code, or an empty line where there is none: then a session is opened
	// without. After that it gives one line when the support is over. Where it ends
	// at once, a session is opened without a code, and a window shows its number.
	In  io.Reader
	Out io.Writer // what happens, in sentences
	// Opened is told whose module it is, before anything is started.
	Opened func(Module)
}

// Run runs a module for one session: a service of its own, in a private folder that
// is gone afterwards, with the program that asks. It returns when the session is
// over and nothing waits any more, or, with everything that was not sent destroyed,
// when ctx ends. Refusals are *ipc.Error with CodeRefused.
func Run(ctx context.Context, o Options) (err error) {
	clean()
	if err := alone(o.Socket); err != nil {
		return err
	}
	m, err := Open(ctx, o.Path)
	if err != nil {
		return err
	}
	o.Opened(m)
	desktop, err := launch.Find("aval-desktop")
	if err != nil {
		return fmt.Errorf("start: %w: it belongs into the folder of this program", err)
	}
	p, err := newPlace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.destroy()) }()

	ctx, cancel := context.WithCancel(ctx)
	r := &run{o: o, m: m, dir: p.dir, socket: filepath.Join(p.dir, "s"), ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		r.ended <- agent.Run(ctx, agent.Config{Build: o.Build, StateDir: filepath.Join(p.dir, "state"), Socket: r.socket, PolicyDir: o.PolicyDir,
			Tools: o.Tools, Module: m.Module, Log: slog.New(slog.DiscardHandler), Ready: func() { close(ready) }})
	}()
	defer func() { cancel(); <-r.ended }()
	select {
	case <-ready:
	case err := <-r.ended:
		r.ended <- nil
		return fmt.Errorf("start the service: %w", err)
	}
	if r.c, err = ipc.Dial(ctx, r.socket, ipc.Hello{Program: "aval", Build: o.Build}); err != nil {
		return err
	}
	defer r.c.Close()
	// The main window does not open by itself.
	if err := r.c.Call(ctx, ipc.MethodWelcome, ipc.Empty{}, nil); err != nil {
		return err
	}
	helper, err := r.program(ctx, desktop)
	if err != nil {
		return err
	}
	defer helper.Kill()
	return r.session(ctx, helper)
}

// alone refuses where Aval is installed: there the person's own setting counts, and
// the code is entered there.
func alone(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := ipc.Dial(ctx, socket, ipc.Hello{Program: "aval"})
	there := err == nil
	if there {
		_ = c.Close()
	} else if socket == ipc.DefaultSocket() {
		_, serr := os.Stat(service.DefaultStateDir)
		there = !errors.Is(serr, os.ErrNotExist)
	}
	if there {
		return refused(ipc.WhyInstalled, "Aval is installed on this computer, and a module does not go around it", "enter the code there: aval session join -, or Aval's window")
	}
	return nil
}

// run is a module that runs.
type run struct {
	o      Options
	m      Module
	dir    string
	socket string
	ended  chan error // of the service
	c      *ipc.Client
	lines  chan string // of In
}

// program starts one of Aval's own programs on the private service; what it keeps
// for itself is kept in the private folder.
func (r *run) program(ctx context.Context, path string) (*launch.Process, error) {
	return launch.Start(ctx, launch.Program{Path: path, Args: []string{"--socket", r.socket},
		Env: []string{"XDG_CACHE_HOME=" + filepath.Join(r.dir, "cache"), "XDG_CONFIG_HOME=" + filepath.Join(r.dir, "config"), "TMPDIR=" + r.dir, "TMP=" + r.dir}})
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.o.Out, format+"\n", args...) }

// session has the one session, from the code to what came of it.
func (r *run) session(ctx context.Context, helper *launch.Process) error {
	if err := r.waitDesktop(ctx, helper); err != nil {
		return err
	}
	r.lines = make(chan string)
	go r.read(ctx)
	name, over, err := r.enter(ctx)
	if err != nil {
		return err
	}
	r.say("When the support is over, press Enter (or close Aval's window). Ctrl-C ends all at once; what was not sent is destroyed.")
	return r.follow(ctx, name, over, helper)
}

// read passes the lines of In on, and closes lines where it ends.
func (r *run) read(ctx context.Context) {
	defer close(r.lines)
	in := bufio.NewScanner(r.o.In)
	in.Buffer(make([]byte, 0, 512), 4096)
	for in.Scan() {
		select {
		case r.lines <- strings.TrimSpace(in.Text()):
		case <-ctx.Done():
			return
		}
	}
}

// every calls done until it says so, ctx ends, or limit has passed.
func every(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	late := time.After(limit)
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-late:
			return context.DeadlineExceeded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitDesktop waits until somebody can be asked.
func (r *run) waitDesktop(ctx context.Context, helper *launch.Process) error {
	nobody := refused("", "there is no desktop here in which you could be asked", "start the module in your own desktop session, once")
	err := every(ctx, startWithin, func() (bool, error) {
		select {
		case <-helper.Done():
			return false, nobody
		default:
		}
		var s ipc.Status
		err := r.c.Call(ctx, ipc.MethodStatus, ipc.Empty{}, &s)
		return slices.ContainsFunc(s.Desktops, func(d ipc.DesktopStatus) bool { return d.Helper }), err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nobody
	}
	return err
}

func (r *run) sessions(ctx context.Context) (list []ipc.SessionInfo, err error) {
	return list, r.c.Call(ctx, ipc.MethodSessionList, ipc.Empty{}, &list)
}

// follow says how the session is doing until it is over and nothing waits.
func (r *run) follow(ctx context.Context, name string, over <-chan struct{}, helper *launch.Process) error {
	lines, said, ending := r.lines, "", false
	tell := func(s string) {
		if s != said {
			said = s
			r.say("%s", s)
		}
	}
	end := func() error {
		if ending {
			return nil
		}
		ending = true
		err := r.c.Call(ctx, ipc.MethodSessionEnd, ipc.SessionEnd{ID: name}, nil)
		var no *ipc.Error
		if errors.As(err, &no) && no.Code != ipc.CodeFailed {
			return nil // it has ended by itself
		}
		return err
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		list, err := r.sessions(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(s ipc.SessionInfo) bool { return s.Session == name })
		if i < 0 {
			ending = true
		}
		if i >= 0 {
			s := list[i]
			switch {
			case s.Outcome == consent.OutcomeAsking:
				tell("Please answer the question on your screen.")
			case s.Outcome == consent.OutcomeAllowed && s.Recording:
				tell("The session is recorded. The bar on your screen says so, and stops it.")
			case s.Outcome == consent.OutcomeAllowed:
				tell("Allowed; nothing is recorded now (" + s.Why + ").")
			case s.Outcome != "":
				if err := end(); err != nil {
					return err
				}
			}
		}
		if ending {
			done, err := r.settled(ctx, name, tell)
			if done || err != nil {
				return err
			}
		}
		select {
		case _, ok := <-lines:
			if !ok {
				lines = nil // the end of In is no word of anybody
				continue
			}
			err = end()
		case <-over:
			over = nil
			err = end()
		case <-helper.Done():
			return errors.New("the program that asks has ended; nothing is recorded without it, and what was not sent is destroyed")
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		if err != nil {
			return err
		}
	}
}

// settled tells whether all has come to its end, and says what came of it.
func (r *run) settled(ctx context.Context, name string, tell func(string)) (bool, error) {
	var s ipc.Status
	if err := r.c.Call(ctx, ipc.MethodStatus, ipc.Empty{}, &s); err != nil {
		return false, err
	}
	var list ipc.ConsentListResult
	if err := r.c.Call(ctx, ipc.MethodConsentList, ipc.ConsentListPage{}, &list); err != nil {
		return false, err
	}
	i := slices.IndexFunc(list.Entries, func(e ipc.ConsentEntry) bool { return e.Session == name })
	if len(s.Guests) > 0 {
		if i >= 0 && list.Entries[i].Held {
			tell("Nothing has been sent yet. Answer the question on your screen: send, or delete.")
		} else {
			tell("Waiting until everything has arrived at " + r.m.Host + " (" + s.Guests[0].Link + ").")
		}
		return false, nil
	}
	switch {
	case i < 0:
		tell("Nothing was recorded.")
	case list.Entries[i].Outcome == consent.OutcomeAllowed:
		tell("What was recorded has arrived at " + r.m.Host + ".")
	case list.Entries[i].Outcome == consent.OutcomeErased:
		tell("What was recorded is deleted.")
	case list.Entries[i].Outcome == consent.OutcomeWithdrawn:
		tell("You stopped the recording; what had been sent before stays with " + r.m.Host + ".")
	default:
		tell(fmt.Sprintf("Nothing was recorded (%s, %s).", list.Entries[i].Outcome, list.Entries[i].Reason))
	}
	return true, nil
}
