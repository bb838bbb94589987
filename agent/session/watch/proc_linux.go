package watch

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ProcStart is when process pid started, in clock ticks since boot: together
// with the pid it names a process for ever. ok is false when there is none.
func ProcStart(pid int) (ticks uint64, ok bool) {
	st, err := readStat(pid)
	return st.start, err == nil
}

// WaitExit returns a channel that is closed when the process that started at
// start ticks has ended, or ctx has. It waits on a pidfd and does not poll. A
// process that is not there, or is another one, has ended.
func WaitExit(ctx context.Context, pid int, start uint64) <-chan struct{} {
	done := make(chan struct{})
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.EINVAL) { // the flag came with Linux 5.10
		fd, err = unix.PidfdOpen(pid, 0)
	}
	// The check comes after the descriptor: from here on the number cannot be reused.
	if now, ok := ProcStart(pid); err != nil || !ok || now != start {
		if err == nil {
			unix.Close(fd)
		}
		close(done)
		return done
	}
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC); err != nil {
		unix.Close(fd)
		close(done)
		return done
	}
	stop := context.AfterFunc(ctx, func() { unix.Write(wake[1], []byte{0}) })
	go func() {
		defer close(done)
		defer unix.Close(fd)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake[0]), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if stop() { // it will not write any more
			unix.Close(wake[1])
		} else {
			var b [1]byte
			unix.Read(wake[0], b[:]) // until it has written
			unix.Close(wake[1])
		}
		unix.Close(wake[0])
	}()
	return done
}

func readStat(pid int) (stat, error) {
	b, err := readProc(pid, "stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(b)
}

func readProc(pid int, name string) ([]byte, error) {
	return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
}

// children lists the direct children of a process.
func children(pid int) []int {
	if b, err := readProc(pid, "task/"+strconv.Itoa(pid)+"/children"); err == nil {
		var out []int
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
		return out
	}
	// Kernels without that file: look at everybody's parent.
	var out []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, err := readStat(n); err == nil && st.ppid == pid {
			out = append(out, n)
		}
	}
	return out
}

// terminal finds the terminal of a login: that of the nearest descendant of its
// leader that has one, with the account it belongs to. sshd itself has none.
func terminal(leader int) (tty string, uid uint32, gids []uint32) {
	level := []int{leader}
	for range 4 { // monitor, session process, shell
		var next []int
		for _, pid := range level {
			for _, c := range children(pid) {
				st, err := readStat(c)
				if err != nil {
					continue
				}
				if st.tty == "" {
					next = append(next, c)
					continue
				}
				b, err := readProc(c, "status")
				if err != nil {
					continue
				}
				if uid, gids, ok := parseOwner(b); ok {
					return st.tty, uid, gids
				}
			}
		}
		level = next
	}
	return "", 0, nil
}

// started turns start ticks into a time. The clock tick is 100 Hz on every
// Linux that Go runs on (USER_HZ).
func started(ticks uint64) time.Time {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return time.Now().UTC()
	}
	up := time.Duration(boot.Nano())
	return time.Now().Add(time.Duration(ticks)*10*time.Millisecond - up).UTC().Truncate(10 * time.Millisecond)
}
