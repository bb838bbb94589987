package watch

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

// ProcStart is when process pid started, in units of 100 ns since 1601: together
// with the pid it names a process for ever. ok is false when there is none.
func ProcStart(pid int) (ticks uint64, ok bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return 0, false
	}
	defer windows.CloseHandle(h)
	return startOf(h)
}

// startOf is when a process started that has not ended yet.
func startOf(h windows.Handle) (ticks uint64, ok bool) {
	var made, ended, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &made, &ended, &kernel, &user) != nil {
		return 0, false
	}
	if n, err := windows.WaitForSingleObject(h, 0); err != nil || n == windows.WAIT_OBJECT_0 {
		return 0, false // somebody's handle keeps what has ended
	}
	return uint64(made.HighDateTime)<<32 | uint64(made.LowDateTime), true
}

// WaitExit returns a channel that is closed when the process that started at
// start has ended, or ctx has. It waits on the process and does not poll. A process
// that is not there, or is another one, has ended.
func WaitExit(ctx context.Context, pid int, start uint64) <-chan struct{} {
	done := make(chan struct{})
	h, err1 := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	stop, err2 := windows.CreateEvent(nil, 1, 0, nil)
	now, ok := uint64(0), false
	if err1 == nil {
		now, ok = startOf(h)
	}
	if errors.Join(err1, err2) != nil || !ok || now != start {
		if err1 == nil {
			windows.CloseHandle(h)
		}
		if err2 == nil {
			windows.CloseHandle(stop)
		}
		close(done)
		return done
	}
	told := make(chan struct{})
	release := context.AfterFunc(ctx, func() { defer close(told); _ = windows.SetEvent(stop) })
	go func() {
		defer close(done)
		_, _ = windows.WaitForMultipleObjects([]windows.Handle{stop, h}, false, windows.INFINITE)
		if !release() { // the event may be closed only once it is not set any more
			<-told
		}
		windows.CloseHandle(stop)
		windows.CloseHandle(h)
	}()
	return done
}

func started(ticks uint64) time.Time {
	const until1970 = 116444736000000000 // from 1601, in units of 100 ns
	if ticks < until1970 {
		return time.Now().UTC()
	}
	return time.Unix(0, int64(ticks-until1970)*100).UTC()
}

func terminal(int) (string, uint32, []uint32) { return "", 0, nil }
