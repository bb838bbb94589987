// Package capture takes events out of the operating system: which window is in
// front, which programs and commands run, and what they change of the computer:
// files, packages, services, settings, devices; errors that appear meanwhile.
//
// The one rule that must not be broken: capture starts only with a verified
// grant in hand, and each event is checked against the grants once more at its
// own time; after Stop has returned nothing is emitted and nothing is remembered.
package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"aval/agent/event"
	"aval/agent/record"
)

// Errors of the Start functions.
var (
	// ErrNoGrant: no grant that is valid now covers what would be captured.
	ErrNoGrant = errors.New("no valid grant covers this capture")
	// ErrUnavailable: this desktop or system cannot deliver it; do not offer it.
	ErrUnavailable = errors.New("not available on this desktop")
)

// Emit takes one captured event. It is called by one goroutine at a time, must
// not block for long, and must not call Stop. The times are UTC.
type Emit func(kind event.Kind, at time.Time, fields map[string]string)

// Running is a capture in progress.
type Running struct {
	stop context.CancelFunc
	gate *gate
	done chan struct{}
	err  error // set before done is closed
}

// Stop ends the capture and returns once nothing more can be emitted and all
// that was remembered is gone. It may be called more than once.
func (r *Running) Stop() {
	r.gate.close()
	r.stop()
	<-r.done
}

// Narrow leaves only those of the capture's grants that are in keep, for the
// time from now on. It never adds one: a further grant needs a capture of its
// own, because what was there before its yes is not its to see. No grant left
// is a Stop.
func (r *Running) Narrow(keep ...record.Verified) {
	if !r.gate.narrow(keep) {
		r.Stop()
	}
}

// Done is closed when the capture has ended: stopped, out of grants or failed.
func (r *Running) Done() <-chan struct{} { return r.done }

// Err says why the capture ended by itself; nil when it was stopped or its
// grants ran out. It is valid once Done is closed.
func (r *Running) Err() error { return r.err }

// start checks the grants and runs body as the one goroutine of a capture. body
// gets a context that ends with Stop and with the last grant.
func start(ctx context.Context, emit Emit, grants []record.Verified, kinds []event.Kind, body func(context.Context, *gate) error) (*Running, error) {
	g, err := newGate(emit, grants, kinds, time.Now())
	if err != nil {
		return nil, err
	}
	return g.start(ctx, body), nil
}

// start runs body behind the gate.
func (g *gate) start(ctx context.Context, body func(context.Context, *gate) error) *Running {
	ctx, cancel := context.WithDeadline(ctx, g.until)
	r := &Running{stop: cancel, gate: g, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer cancel()
		defer g.close()
		if err := body(ctx, g); err != nil && ctx.Err() == nil {
			r.err = err
		}
	}()
	return r
}

// gate is the only way from a capture to its Emit.
type gate struct {
	until time.Time // when the last of the grants ends

	mu     sync.Mutex // guards what follows, and serialises emit
	grants []record.Verified
	closed bool
	emit   Emit
}

// newGate keeps the grants that are valid at now and cover one of kinds.
func newGate(emit Emit, grants []record.Verified, kinds []event.Kind, now time.Time) (*gate, error) {
	g := &gate{emit: emit}
	for _, v := range grants {
		if !slices.ContainsFunc(kinds, func(k event.Kind) bool { return v.Covers(k, now) }) {
			continue
		}
		g.grants = append(g.grants, v)
		if end := v.Grant().Expires; end.After(g.until) {
			g.until = end
		}
	}
	if len(g.grants) == 0 {
		return nil, fmt.Errorf("start capture of %v: %w", kinds, ErrNoGrant)
	}
	return g, nil
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
}

// narrow tells whether a grant is left.
func (g *gate) narrow(keep []record.Verified) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grants = slices.DeleteFunc(g.grants, func(v record.Verified) bool {
		return !slices.ContainsFunc(keep, func(k record.Verified) bool { return k.Grant().ID == v.Grant().ID })
	})
	return len(g.grants) > 0
}

// covers tells whether a grant covers kind at the time at. g.mu is held.
func (g *gate) covers(kind event.Kind, at time.Time) bool {
	return slices.ContainsFunc(g.grants, func(v record.Verified) bool { return v.Covers(kind, at) })
}

// group tells whether a grant that covers kind at the time at has group too.
// g.mu is held.
func (g *gate) group(kind event.Kind, group event.Group, at time.Time) bool {
	return slices.ContainsFunc(g.grants, func(v record.Verified) bool {
		return v.Covers(kind, at) && slices.Contains(v.Grant().Groups, group)
	})
}

// pass emits one event if a grant covers it at its time and the capture has not
// been stopped. Only defined fields that are granted pass, cleaned and cut.
func (g *gate) pass(kind event.Kind, at time.Time, fields map[string]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	def, ok := event.Define(kind)
	if !ok || g.closed || !g.covers(kind, at) {
		return
	}
	out := make(map[string]string, len(def.Fields))
	for _, f := range def.Fields {
		v := clean(fields[f.Name], 4*f.Max) // bounded only: a cut before redaction would split a secret
		switch {
		case v == "" && f.Required:
			return
		case v == "", f.Needs != "" && !g.group(kind, f.Needs, at):
			continue
		}
		out[f.Name] = v
	}
	g.emit(kind, at.UTC(), out)
}

// clean makes captured text valid UTF-8 on one line without invisible controls
// and cuts it to at most limit bytes at a character.
func clean(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit] // before the work below: a title may be a megabyte
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimRight(s[:limit], " ")
}
