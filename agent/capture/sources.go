package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"aval/agent/event"
	"aval/agent/record"
)

// Scope says whose doing is captured: a desktop (Display set) or a terminal
// login (Leader set). One of the two must be set.
type Scope struct {
	// UID is the desktop's or login's user.
	UID uint32
	// Display is the X display, ":10": programs of the user whose environment
	// names it, and everything that they start. On Windows it stands for the desktop
	// session, "session-2": every program in it; on macOS, "console", for the one
	// on the computer's screen: every program of the user outside a login.
	Display string
	// Leader is the process that holds a terminal login open: its descendants,
	// and what bears the same audit session (proc_pid_sessionid, pam_loginuid).
	Leader int
	// Own is Aval's own folder, if it has one: what it writes there while it
	// records is nobody's doing.
	Own string
}

func (s Scope) check() error {
	if (s.Display == "") == (s.Leader <= 0) {
		return fmt.Errorf("start capture: a scope is a display or a login's leader, not %q and %d", s.Display, s.Leader)
	}
	return nil
}

// source is one place that events are taken from beside the programs.
type source struct {
	name  string
	kinds []event.Kind
	// there tells whether this computer has it.
	there func() bool
	// run takes events until ctx ends. An error is a source that was lost.
	run sourceRun
	// open, if not nil, takes the place of run: it begins to listen before it returns,
	// and must not take long. What is told in pieces would else lack its first ones.
	open func() (sourceRun, error)
}

type sourceRun func(ctx context.Context, g *gate, w *work) error

func always() bool { return true }

// Delivers lists the groups of which events can be captured on this computer,
// or reported by a remote tool. Others are not offered to anybody.
func Delivers() []event.Group {
	var out []event.Group
	for _, g := range event.Groups {
		if slices.ContainsFunc(event.Defs, func(d event.Def) bool {
			return d.Group == g && (d.Source == event.FromTool || slices.Contains(programsThere, d.Kind) ||
				slices.ContainsFunc(sources, func(s source) bool { return slices.Contains(s.kinds, d.Kind) && s.there() }))
		}) {
			out = append(out, g)
		}
	}
	return out
}

// Start captures what is done within scope from now on: programs and commands
// (see program.started), and what they change of the computer, from every
// source of this computer whose kinds the grants cover.
//
// Packages, services and files are taken while, and where, programs of the
// session work on them. Failed services, errors, devices and settings have no
// doer that the system would name: they are those of the whole computer while
// the session is recorded. Nothing is redacted yet: whoever takes the events
// does that before anything is stored.
//
// It needs no rights for the user's own processes; all else needs root. A source
// that ends early is a gap, and the others go on. Stop returns within 100 ms.
func Start(ctx context.Context, scope Scope, emit Emit, grants ...record.Verified) (*Running, error) {
	if err := scope.check(); err != nil {
		return nil, err
	}
	kinds := slices.Clone(programKinds)
	for _, s := range sources {
		kinds = append(kinds, s.kinds...)
	}
	now := time.Now()
	g, err := newGate(emit, grants, kinds, now)
	if err != nil {
		return nil, err // before anything is opened
	}
	shared := newWork()
	shared.scope = scope
	programs, err := newProgramWatch(scope,
		func(p program) { g.started(scope, p) }, func(e ending) { g.ended(scope, e) }, g.missed)
	if err != nil {
		return nil, fmt.Errorf("start capture: %w", err)
	}
	programs.tell(shared)
	var used []source
	for _, s := range sources {
		if !slices.ContainsFunc(s.kinds, func(k event.Kind) bool { return g.may(k, now) }) || !s.there() {
			continue
		}
		if s.open != nil {
			run, err := s.open()
			if s.run = run; err != nil {
				s.run = func(context.Context, *gate, *work) error { return err }
			}
		}
		used = append(used, s)
	}
	return g.start(ctx, func(ctx context.Context, g *gate) error {
		defer shared.forget()
		var all sync.WaitGroup
		defer all.Wait()
		for _, s := range used {
			all.Go(func() { g.follow(ctx, s, shared) })
		}
		return programs.run(ctx)
	}), nil
}

// follow runs one source to its end.
func (g *gate) follow(ctx context.Context, s source, w *work) {
	err := s.run(ctx, g, w)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = errors.New("it ended")
	}
	slog.Warn("a source of events was lost", "source", s.name, "err", err)
	g.pass(event.Gap, time.Now(), map[string]string{"reason": "source-lost"})
}

// together runs the followers of one source, each of one log or list, until ctx
// ends. The first that ends by itself ends the others, and with them the source:
// that one of its lists is no longer followed is a gap as well.
func together(ctx context.Context, followers ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	ended := make(chan error, len(followers))
	for _, f := range followers {
		all.Go(func() { ended <- f(ctx) })
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// may tells whether a grant covers kind at the time at.
func (g *gate) may(kind event.Kind, at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.covers(kind, at)
}
