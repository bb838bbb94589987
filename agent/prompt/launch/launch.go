// Package launch starts the programs that show something to the person, in the
// session of the person, and makes sure that none of them outlives its purpose.
//
// The one rule that must not be broken: what is started is named by an absolute
// path from a fixed list, gets an environment made of a list of known names,
// and is ended with its whole process group.
package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNotInstalled: none of the places where the program may be has it.
var ErrNotInstalled = errors.New("program is not installed")

// Program is what to start.
type Program struct {
	// Path is absolute.
	Path string
	Args []string
	// Nonce is written to file descriptor 3 of the program (on Windows: to its
	// input), followed by a line feed and the end of file; empty: it is not. It is never
	// in the arguments or the environment, which others can read.
	Nonce string
	// Env is added to the environment that is passed on: "NAME=value".
	Env []string
	// Foreign marks a program that is not ours: it must not inherit the group
	// by which the service recognises ours.
	Foreign bool
	// Output collects what the program writes, at most 64 KiB; nil: discarded.
	Output *Output
}

// Exit is how a program ended.
type Exit struct {
	// Code is the exit status; -1 when it was ended by a signal.
	Code int
	// Killed is set when it was ended by Kill or by the end of its context.
	Killed bool
}

// Process is a program that was started.
type Process struct {
	pid  int
	kill func()
	done chan struct{}

	mu     sync.Mutex // guards killed
	killed bool
	exit   Exit // valid once done is closed
}

// PID is the process id, for finding its windows.
func (p *Process) PID() int { return p.pid }

// Done is closed when the program has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how it ended; it is valid once Done is closed.
func (p *Process) Exit() Exit { return p.exit }

// Kill ends the program with its whole group and waits until it is gone. It
// may be called more than once, and after the end.
func (p *Process) Kill() {
	p.mu.Lock()
	select {
	case <-p.done: // the id may belong to somebody else by now
	default:
		p.killed = true
		p.kill()
	}
	p.mu.Unlock()
	<-p.done
}

// Start starts p. When ctx ends the program is killed.
func Start(ctx context.Context, p Program) (*Process, error) {
	if !filepath.IsAbs(p.Path) {
		return nil, fmt.Errorf("start %q: the path is not absolute", p.Path)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	proc, err := start(p, environment(os.Environ(), p.Env))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(p.Path), err)
	}
	stop := context.AfterFunc(ctx, proc.Kill)
	go func() { <-proc.done; stop() }()
	return proc, nil
}

// environment makes the program's environment out of ours.
func environment(ours, added []string) []string {
	env := []string{"PATH=" + systemPath()}
	for _, kv := range ours {
		name, _, ok := strings.Cut(kv, "=")
		if ok && passes(name) {
			env = append(env, kv)
		}
	}
	return append(env, added...)
}

// Find returns the absolute path of one of Aval's own programs: beside the
// program that runs, else in the folders of an installation. PATH is not asked:
// whoever sets it must not choose what asks the person.
func Find(name string) (string, error) {
	var places []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		places = append(places, filepath.Dir(self))
	}
	return find(name, append(places, folders...))
}

// SoftFolder holds, beside the programs, a second copy of aval-ui with a library that
// draws OpenGL by software, where the package brings one (docs/windows.md). A library
// beside the first copy would be taken on every computer, also where there is better.
const SoftFolder = "softgl"

// Software is what has the program in SoftFolder draw by software alone (Mesa's
// GALLIUM_DRIVER): it would look for a graphics card's driver first.
const Software = "GALLIUM_DRIVER=llvmpipe"

// FindSoft returns the absolute path of a program in SoftFolder, beside the program
// that runs.
func FindSoft(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return find(name, []string{filepath.Join(filepath.Dir(self), SoftFolder)})
}

// FindAt returns the first of paths, all absolute, that is a program.
func FindAt(paths ...string) (string, error) {
	for _, p := range paths {
		if usable(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: looked for %s", ErrNotInstalled, strings.Join(paths, ", "))
}

func find(name string, places []string) (string, error) {
	if name != filepath.Base(name) {
		return "", fmt.Errorf("find %q: not the name of a program", name)
	}
	for _, dir := range places {
		if p := filepath.Join(dir, name+suffix); usable(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: looked for %s in %s", ErrNotInstalled, name, strings.Join(places, ", "))
}

// usable tells whether path is an executable file that not everybody can change.
func usable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && executable(fi)
}

// Output keeps the last part of what a program writes.
type Output struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// maxOutput is how much of a program's output is kept, in bytes.
const maxOutput = 64 << 10

// Write implements io.Writer; it never fails, so that the program never waits.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, b...)
	if extra := len(o.buf) - maxOutput; extra > 0 {
		o.buf = append(o.buf[:0], o.buf[extra:]...)
	}
	return len(b), nil
}

// String returns what was kept.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf)
}

// LastLine returns the last line that is not empty, cut for a log, in quotes.
func (o *Output) LastLine() string {
	lines := strings.Split(strings.TrimSpace(o.String()), "\n")
	last := lines[len(lines)-1]
	if len(last) > 200 {
		last = last[:200]
	}
	return strconv.Quote(last)
}

// reapWithin is how long the pipes of a program that has ended may stay open,
// held by something that it started.
const reapWithin = 500 * time.Millisecond
