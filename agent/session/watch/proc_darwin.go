package watch

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// ProcStart is when process pid started, in microseconds since 1970: together with
// the pid it names a process for ever. ok is false when there is none.
func ProcStart(pid int) (ticks uint64, ok bool) {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	const zombie = 5 // SZOMB (sys/proc.h)
	if err != nil || int(p.Proc.P_pid) != pid || p.Proc.P_stat == zombie {
		return 0, false
	}
	return uint64(p.Proc.P_starttime.Sec)*1_000_000 + uint64(p.Proc.P_starttime.Usec), true
}

// WaitExit returns a channel that is closed when the process that started at start
// has ended, or ctx has. It waits for the kernel's word (kqueue(2), EVFILT_PROC). A
// process that is not there, or is another one, has ended.
func WaitExit(ctx context.Context, pid int, start uint64) <-chan struct{} {
	done := make(chan struct{})
	kq, err := unix.Kqueue()
	if err != nil {
		close(done)
		return done
	}
	var wake [2]int
	if err := unix.Pipe(wake[:]); err != nil {
		unix.Close(kq)
		close(done)
		return done
	}
	end := func() {
		unix.Close(kq)
		unix.Close(wake[0])
		unix.Close(wake[1])
		close(done)
	}
	var ask [2]unix.Kevent_t
	unix.SetKevent(&ask[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	ask[0].Fflags = unix.NOTE_EXIT
	unix.SetKevent(&ask[1], wake[0], unix.EVFILT_READ, unix.EV_ADD)
	_, err = unix.Kevent(kq, ask[:], nil, nil)
	// The check comes after it was asked for: from here on an end is told.
	if now, ok := ProcStart(pid); err != nil || !ok || now != start {
		end()
		return done
	}
	told := make(chan struct{})
	release := context.AfterFunc(ctx, func() { defer close(told); _, _ = unix.Write(wake[1], []byte{0}) })
	go func() {
		defer end()
		var got [1]unix.Kevent_t
		for {
			if _, err := unix.Kevent(kq, nil, got[:], nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if !release() {
			<-told
		}
	}()
	return done
}

func started(ticks uint64) time.Time { return time.UnixMicro(int64(ticks)).UTC() }

func terminal(int) (string, uint32, []uint32) { return "", 0, nil }
