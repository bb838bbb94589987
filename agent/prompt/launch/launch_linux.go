package launch

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// DropGroup has a program that is not ours start without the group by which the
// service recognises ours.
func DropGroup(cmd *exec.Cmd) {
	if os.Getegid() == os.Getgid() {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// After exec the saved group is the effective one, so ours is gone.
	cmd.SysProcAttr.Credential = &syscall.Credential{
		Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()), NoSetGroups: true,
	}
}

// start runs the program. Its parent-death signal belongs to the thread that
// forked it (prctl(2), PR_SET_PDEATHSIG), not to the process: the thread is
// kept, by a goroutine locked to it, for as long as the program lives.
func start(p Program, env []string) (*Process, error) {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.WaitDelay = reapWithin
	if p.Output != nil {
		cmd.Stdout, cmd.Stderr = p.Output, p.Output
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.Foreign {
		DropGroup(cmd)
	}
	var nonce *os.File
	if p.Nonce != "" {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		// A nonce is far shorter than a pipe: this does not wait.
		_, err = io.WriteString(w, p.Nonce+"\n")
		w.Close()
		if err != nil {
			r.Close()
			return nil, err
		}
		nonce = r
		cmd.ExtraFiles = []*os.File{r}
	}

	proc := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if nonce != nil {
			nonce.Close()
		}
		if err == nil {
			proc.pid = cmd.Process.Pid
			proc.kill = func() { syscall.Kill(-proc.pid, syscall.SIGKILL) }
		}
		started <- err
		if err != nil {
			return
		}
		// Seen, not yet reaped: until then the id cannot belong to anybody else.
		for {
			err := unix.Waitid(unix.P_PID, proc.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if err != unix.EINTR {
				break
			}
		}
		proc.mu.Lock()
		syscall.Kill(-proc.pid, syscall.SIGKILL) // what it left behind in its group
		err = cmd.Wait()
		proc.exit = Exit{Code: cmd.ProcessState.ExitCode(), Killed: proc.killed}
		if err != nil && cmd.ProcessState.ExitCode() == 0 && !errors.Is(err, exec.ErrWaitDelay) {
			proc.exit.Code = -1
		}
		close(proc.done)
		proc.mu.Unlock()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return proc, nil
}
