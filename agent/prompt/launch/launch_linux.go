package launch

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// start runs the program. Its parent-death signal belongs to the thread that
// forked it (prctl(2), PR_SET_PDEATHSIG), not to the process: the thread is
// kept, by a goroutine locked to it, for as long as the program lives.
func start(p Program, env []string) (*Process, error) {
	cmd, nonce, err := command(p, env)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if p.Foreign {
		DropGroup(cmd)
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
