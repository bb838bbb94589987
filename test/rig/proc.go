package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Proc is one process that the rig started, leader of its own process group.
type Proc struct {
	Name string
	PID  int
	// Log is the file with everything that it wrote.
	Log string

	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; valid once done is closed
	once sync.Once
}

// Cmd says what to start.
type Cmd struct {
	Name string // for messages and the log's file name
	Path string
	Args []string
	Env  []string   // whole environment; nil: Rig.Env()
	FDs  []*os.File // further descriptors, from 3 on
	In   string     // standard input, of Run
}

type launch struct {
	cmd *exec.Cmd
	err chan error
}

// launcher starts every process from one thread that lives as long as the rig:
// PR_SET_PDEATHSIG is sent when the parent *thread* ends (prctl(2)), so a child
// started from a short-lived thread would die early.
func (r *Rig) launcher() {
	runtime.LockOSThread()
	for l := range r.launch {
		l.err <- l.cmd.Start()
	}
}

// Start starts c. It ends with the rig at the latest, or when this program dies.
func (r *Rig) Start(c Cmd) (*Proc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("start " + c.Name + ": the rig is closed")
	}
	log := r.Path("log", fmt.Sprintf("%02d-%s.log", len(r.procs), c.Name))
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = c.Env
	if cmd.Env == nil {
		cmd.Env = r.Env()
	}
	cmd.Dir = r.Path("home")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = c.FDs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	l := launch{cmd: cmd, err: make(chan error, 1)}
	r.launch <- l
	if err := <-l.err; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &Proc{Name: c.Name, PID: cmd.Process.Pid, Log: log, cmd: cmd, done: make(chan struct{})}
	r.procs = append(r.procs, p)
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// Ended tells whether the process has ended.
func (p *Proc) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ExitCode is the exit status of an ended process; -1 when a signal ended it.
func (p *Proc) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends sig to the process alone.
func (p *Proc) Signal(sig syscall.Signal) error {
	if p.Ended() {
		return os.ErrProcessDone
	}
	return p.cmd.Process.Signal(sig)
}

// Stop ends the process and what it left in its group: SIGTERM, and SIGKILL
// after grace. It reports a process that had to be killed.
func (p *Proc) Stop(grace time.Duration) error {
	var err error
	p.once.Do(func() {
		if !p.Ended() {
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-p.done:
			case <-time.After(grace):
				err = fmt.Errorf("stop %s: it did not end within %s of SIGTERM", p.Name, grace)
			}
		}
		p.killGroup()
		<-p.done
	})
	return err
}

// Kill ends the process at once with SIGKILL, as a crash would.
func (p *Proc) Kill() {
	p.once.Do(func() {
		p.killGroup()
		<-p.done
	})
}

// KillAlone ends only the process itself and leaves its children, as the kernel
// does when it kills one process.
func (p *Proc) KillAlone() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// killGroup ends what is left in the process's own group, which Setpgid made.
func (p *Proc) killGroup() { _ = syscall.Kill(-p.PID, syscall.SIGKILL) }

// Tail is the end of what the process wrote, for messages.
func (p *Proc) Tail() string {
	raw, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	if len(raw) > 3000 {
		raw = raw[len(raw)-3000:]
	}
	return string(raw)
}

// Result is what a command that ran to its end left.
type Result struct {
	Code   int
	Stdout string
	Stderr string
	Took   time.Duration
}

// Run runs a command to its end, at most for limit. A command that could not
// be started or took too long is an error; an exit status is not.
func (r *Rig) Run(limit time.Duration, c Cmd) (Result, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(r.ctx, c.Path, c.Args...)
	cmd.Env = c.Env
	if cmd.Env == nil {
		cmd.Env = r.Env()
	}
	cmd.Dir = r.Path("home")
	cmd.Stdin = strings.NewReader(c.In)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("start %s: %w", c.Name, err)
	}
	stop := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	inTime := stop.Stop()
	res := Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(start)}
	var exit *exec.ExitError
	switch {
	case !inTime:
		return res, fmt.Errorf("%s %s: not done within %s", c.Name, strings.Join(c.Args, " "), limit)
	case err != nil && !errors.As(err, &exit):
		return res, fmt.Errorf("%s: %w", c.Name, err)
	}
	return res, nil
}

// Usage is what a process has used so far.
type Usage struct {
	RSS      int64         // bytes resident
	CPU      time.Duration // of the processor, by the program and the kernel for it
	Switches int64         // context switches of all its threads that it asked for itself
	Forced   int64         // those that the scheduler forced on it: other programs' load
}

// Usage reads /proc (proc(5)): VmRSS of the process, the switches of each thread.
func (p *Proc) Usage() (Usage, error) {
	var u Usage
	base := "/proc/" + strconv.Itoa(p.PID)
	raw, err := os.ReadFile(base + "/status")
	if err != nil {
		return u, err
	}
	u.RSS = statusField(raw, "VmRSS:") << 10
	stat, err := os.ReadFile(base + "/stat")
	if err != nil {
		return u, err
	}
	// Behind the name in brackets: utime and stime are fields 14 and 15, in ticks of 10 ms.
	if f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])); len(f) > 13 {
		user, err1 := strconv.ParseInt(f[11], 10, 64)
		system, err2 := strconv.ParseInt(f[12], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return u, err
		}
		u.CPU = time.Duration(user+system) * 10 * time.Millisecond
	}
	tasks, err := os.ReadDir(base + "/task")
	if err != nil {
		return u, err
	}
	for _, t := range tasks {
		raw, err := os.ReadFile(base + "/task/" + t.Name() + "/status")
		if err != nil {
			continue // a thread that ended meanwhile
		}
		u.Switches += statusField(raw, "voluntary_ctxt_switches:")
		u.Forced += statusField(raw, "nonvoluntary_ctxt_switches:")
	}
	return u, nil
}

func statusField(raw []byte, name string) int64 {
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// parents are the running processes, each with its parent.
func parents() map[int]int {
	out := map[int]int{}
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range all {
		raw, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		_, rest, _ := strings.Cut(string(raw), ") ") // the name may hold spaces (proc(5))
		f := strings.Fields(rest)
		if err != nil || len(f) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(f[1]); err == nil {
			out[pid] = parent
		}
	}
	return out
}

// Children are the process ids of a process's children that run a program.
func (r *Rig) Children(parent int, program string) []int {
	var out []int
	for pid, of := range parents() {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && of == parent && filepath.Base(exe) == program {
			out = append(out, pid)
		}
	}
	return out
}
