// Package rig starts real programs around Aval's own and works them from
// outside: X servers, a window manager, x11vnc and a VNC viewer, the four
// programs, clicks, keys and pictures. Demo, end-to-end and torture runs share it.
//
// The one rule that must not be broken: what the rig starts, the rig ends, by
// process id; it waits for conditions with a bound, never for a time; and it
// looks at Aval only as anybody could: command line, windows, files, network.
package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rig is one world of its own: a folder and the processes started in it.
// Its methods may be called from several goroutines.
type Rig struct {
	// Dir is a fresh folder of mode 0700 that Close removes.
	Dir string
	// Bin is the folder with the four programs, absolute.
	Bin string
	// Group is the group of the installed programs; empty: they run as they are.
	Group string
	// Locale is what the person's programs get, such as pt_BR.UTF-8.
	Locale string

	ctx    context.Context
	launch chan launch

	mu     sync.Mutex
	procs  []*Proc // guarded by mu, in the order of their start
	closed bool    // guarded by mu
	undo   []func()
	bus    string // guarded by mu: address of the person's session bus; empty: none
}

// New makes a rig. Bin may be relative. Everything ends with ctx, and with Close.
func New(ctx context.Context, bin, locale string) (*Rig, error) {
	abs, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "aval-rig-")
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"home", "run", "log"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	r := &Rig{Dir: dir, Bin: abs, Locale: locale, ctx: ctx, launch: make(chan launch)}
	go r.launcher()
	return r, nil
}

// Programs are Aval's programs, by name.
var Programs = []string{"aval", "aval-desktop", "aval-ui", "aval-summarizer"}

// CheckBin reports a program of Aval's that is not there.
func (r *Rig) CheckBin() error {
	for _, name := range Programs {
		if _, err := os.Stat(r.Program(name)); err != nil {
			return fmt.Errorf("find %s: %w: run make build first", name, err)
		}
	}
	return nil
}

// Path joins elements to the rig's folder.
func (r *Rig) Path(elem ...string) string {
	return filepath.Join(append([]string{r.Dir}, elem...)...)
}

// Program is the absolute path of one of Aval's programs.
func (r *Rig) Program(name string) string { return filepath.Join(r.Bin, name) }

// Defer runs f when the rig is closed, before its folder is removed, last first.
func (r *Rig) Defer(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undo = append(r.undo, f)
}

// Close ends every process in reverse order and removes the folder. It may be
// called more than once.
func (r *Rig) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	procs, undo := slices.Clone(r.procs), r.undo
	r.mu.Unlock()

	var errs []error
	for _, p := range slices.Backward(procs) {
		// Only Aval's own programs owe an end at SIGTERM: x11vnc cleans up inside
		// its signal handler and now and then hangs there.
		if err := p.Stop(15 * time.Second); strings.HasPrefix(p.Name, "aval") {
			errs = append(errs, err)
		}
	}
	for _, f := range slices.Backward(undo) {
		f()
	}
	close(r.launch)
	errs = append(errs, os.RemoveAll(r.Dir))
	return errors.Join(errs...)
}

// ErrHopeless in the error of a condition ends the wait at once: the process that
// would have to fulfil it is gone.
var ErrHopeless = errors.New("it cannot come true any more")

// Wait asks cond until it is true, at most for limit. An error of cond is kept
// for the message only: a thing that is not there yet is no reason to stop.
func (r *Rig) Wait(what string, limit time.Duration, cond func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	var last error
	for pause := 10 * time.Millisecond; ; pause = min(pause*2, 100*time.Millisecond) {
		ok, err := cond()
		if ok {
			return nil
		}
		last = err
		if errors.Is(err, ErrHopeless) {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if time.Now().After(deadline) {
			if last != nil {
				return fmt.Errorf("wait for %s: not within %s: %w", what, limit, last)
			}
			return fmt.Errorf("wait for %s: not within %s", what, limit)
		}
		select {
		case <-r.ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, r.ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Env is a clean environment: nothing of the caller's desktop gets in, and no
// program writes into the caller's home.
func (r *Rig) Env(extra ...string) []string {
	env := []string{
		"HOME=" + r.Path("home"),
		"XDG_RUNTIME_DIR=" + r.Path("run"),
		"TMPDIR=" + r.Dir,
		"LANG=C.UTF-8",
		"XDG_CACHE_HOME=" + r.Path("home", ".cache"), // Mesa looks here before it asks for the user's home
		"LIBGL_ALWAYS_SOFTWARE=1",
		"NO_AT_BRIDGE=1",
		"SHELL=/bin/sh",
		"TERM=xterm",
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	return append(append(env, "PATH="+r.Bin+":"+path), extra...)
}

// quote makes s one word of sh(1).
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
