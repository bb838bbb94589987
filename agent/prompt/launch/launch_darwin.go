package launch

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// start runs the program in a group of processes of its own. Nothing ends it when
// this process is killed: what it shows is on a connection to the service, which
// then takes it for lost.
func start(p Program, env []string) (*Process, error) {
	cmd, nonce, err := command(p, env)
	if err != nil {
		return nil, err
	}
	if nonce != nil {
		defer nonce.Close()
	}
	// Our windows need Apple's libraries, which refuse a group that is not the user's.
	DropGroup(cmd)
	ends, err := unix.Kqueue()
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(ends)
	if err := cmd.Start(); err != nil {
		unix.Close(ends)
		return nil, err
	}
	proc := &Process{pid: cmd.Process.Pid, done: make(chan struct{})}
	proc.kill = func() { syscall.Kill(-proc.pid, syscall.SIGKILL) }
	go func() {
		defer unix.Close(ends)
		// Seen, not yet reaped: until then the id cannot belong to anybody else. One
		// that has ended already is not watched (ESRCH), and one that cannot be is
		// waited for with the chance that its id is.
		if err := ended(ends, proc.pid); err != nil && !errors.Is(err, unix.ESRCH) {
			_, _ = cmd.Process.Wait()
		}
		proc.mu.Lock()
		defer proc.mu.Unlock()
		proc.kill() // what it left behind in its group
		err := cmd.Wait()
		proc.exit = Exit{Code: -1, Killed: proc.killed}
		if cmd.ProcessState != nil {
			proc.exit.Code = cmd.ProcessState.ExitCode()
		}
		if err != nil && proc.exit.Code == 0 && !errors.Is(err, exec.ErrWaitDelay) {
			proc.exit.Code = -1
		}
		close(proc.done)
	}()
	return proc, nil
}

// ended waits until a process has ended, without reaping it (kqueue(2),
// EVFILT_PROC and NOTE_EXIT).
func ended(queue, pid int) error {
	watch := unix.Kevent_t{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD | unix.EV_ONESHOT, Fflags: unix.NOTE_EXIT}
	if _, err := unix.Kevent(queue, []unix.Kevent_t{watch}, nil, nil); err != nil {
		return err
	}
	for {
		n, err := unix.Kevent(queue, nil, make([]unix.Kevent_t, 1), nil)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
