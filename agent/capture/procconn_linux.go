package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's process connector: netlink messages about forks, execs and exits
// (linux/cn_proc.h, linux/connector.h). It works for root in the initial
// network and process namespaces.
const (
	connProc   = 1 // CN_IDX_PROC and CN_VAL_PROC
	connListen = 1 // PROC_CN_MCAST_LISTEN

	procNone = 0
	procFork = 0x00000001
	procExec = 0x00000002
	procExit = 0x80000000

	connHeader  = 20 // struct cn_msg
	eventHeader = 16 // what, cpu, timestamp of struct proc_event

	initialPIDNamespace = "pid:[4026531836]" // PROC_PID_INIT_INO of linux/proc_ns.h
)

// errLost: the kernel had to drop announcements.
var errLost = errors.New("announcements were lost")

// procEvent is one announcement, for whole processes only.
type procEvent struct {
	what   uint32
	pid    int
	parent int    // of a fork
	code   uint32 // of the answer to connListen; of an exit, as wait(2) has it
}

// processConn is an open connector. It belongs to one goroutine.
type processConn struct {
	fd  int
	buf []byte
}

// listenProcesses asks for announcements and waits for the kernel's yes.
func listenProcesses() (*processConn, error) {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialPIDNamespace {
		return nil, errors.New("listen for processes: not in the system's own process namespace")
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("listen for processes: %w", err)
	}
	c := &processConn{fd: fd, buf: make([]byte, 8<<10)}
	fail := func(err error) (*processConn, error) {
		c.Close()
		return nil, fmt.Errorf("listen for processes: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connProc}); err != nil {
		return fail(err)
	}
	wide(fd)
	wholeProcesses(fd)
	if err := unix.Sendto(fd, listenMessage(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fail(err)
	}
	for end := time.Now().Add(time.Second); ; {
		if time.Now().After(end) {
			return fail(os.ErrDeadlineExceeded)
		}
		if _, err := poll(100*time.Millisecond, fd); err != nil {
			return fail(err)
		}
		events, err := c.read()
		if err != nil {
			return fail(err)
		}
		for _, e := range events {
			if e.what == procNone && e.code != 0 {
				return fail(syscall.Errno(e.code))
			} else if e.what == procNone {
				return c, nil
			}
		}
	}
}

// wholeProcesses has the kernel keep back what is not read anyway: threads, and
// changes of names and rights. On a busy computer that is most of what it
// announces. Best effort: parseProcEvent looks at it again.
func wholeProcesses(fd int) {
	const what = unix.NLMSG_HDRLEN + connHeader
	const data = what + eventHeader
	// A filter reads numbers in network order; those here are in the computer's own.
	swapped := func(n uint32) uint32 {
		return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, n))
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	is := func(n uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: swapped(n), Jt: yes, Jf: no}
	}
	toX := unix.SockFilter{Code: unix.BPF_MISC | unix.BPF_TAX}
	sameX := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_X, Jt: 0, Jf: 1}
	keep, drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	prog := []unix.SockFilter{
		load(what),
		is(procNone, 4, 0),
		is(procFork, 6, 0),
		is(procExec, 3, 0),
		is(procExit, 2, 0),
		drop,
		keep,
		load(data), toX, load(data + 4), sameX, keep, drop, // pid and tgid
	}
	// A fork names the parent first: the child is behind it.
	fork := []unix.SockFilter{load(data + 8), toX, load(data + 12), sameX, keep, drop}
	prog[2].Jt = uint8(len(prog) - 3)
	prog = append(prog, fork...)
	unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
}

// wide gives a socket room for a burst; best effort.
func wide(fd int) {
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
}

// poll waits until one of the descriptors can be read, and tells which.
func poll(wait time.Duration, fds ...int) ([]bool, error) {
	list := make([]unix.PollFd, len(fds))
	for i, fd := range fds {
		list[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	ready := make([]bool, len(fds))
	if _, err := unix.Poll(list, int(wait.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return ready, err
	}
	for i := range list {
		ready[i] = list[i].Revents != 0
	}
	return ready, nil
}

// waker ends a poll from another goroutine.
type waker struct {
	f  *os.File
	fd int
}

func newWaker() (*waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	return &waker{os.NewFile(uintptr(fd), "eventfd"), fd}, nil
}

// wake may come after Close: the file knows that it is closed.
func (w *waker) wake() { w.f.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// slept takes the wake-ups so far.
func (w *waker) slept() { unix.Read(w.fd, make([]byte, 8)) }

func (w *waker) Close() error { return w.f.Close() }

func (c *processConn) Close() error {
	if c.fd < 0 {
		return nil
	}
	fd := c.fd
	c.fd = -1
	return unix.Close(fd)
}

// read takes the announcements of one message; none: nothing waits.
func (c *processConn) read() ([]procEvent, error) {
	b, err := receive(c.fd, c.buf)
	if b == nil || err != nil {
		return nil, err
	}
	return parseProcEvents(b), nil
}

// receive takes one message that the kernel itself sent; nil: none waits.
// errLost says that some had to be dropped.
func receive(fd int, buf []byte) ([]byte, error) {
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			return nil, errLost
		case err != nil:
			return nil, err
		}
		if nl, ok := from.(*unix.SockaddrNetlink); ok && nl.Pid == 0 {
			return buf[:n], nil
		}
	}
}

func listenMessage() []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+connHeader+4)
	ne := binary.NativeEndian
	ne.PutUint32(b[0:], uint32(len(b)))
	ne.PutUint16(b[4:], unix.NLMSG_DONE)
	ne.PutUint32(b[12:], uint32(os.Getpid()))
	ne.PutUint32(b[16:], connProc)
	ne.PutUint32(b[20:], connProc)
	ne.PutUint16(b[32:], 4)
	ne.PutUint32(b[36:], connListen)
	return b
}

// parseProcEvents reads netlink messages that hold connector messages; what is
// malformed or concerns a thread is left out.
func parseProcEvents(b []byte) []procEvent {
	var out []procEvent
	ne := binary.NativeEndian
	for _, m := range messages(b) {
		if len(m) >= connHeader+eventHeader+4 && ne.Uint32(m) == connProc && ne.Uint32(m[4:]) == connProc {
			if e, ok := parseProcEvent(m[connHeader:]); ok {
				out = append(out, e)
			}
		}
	}
	return out
}

func parseProcEvent(m []byte) (procEvent, bool) {
	ne := binary.NativeEndian
	e := procEvent{what: ne.Uint32(m)}
	d := m[eventHeader:]
	at := func(i int) int { return int(int32(ne.Uint32(d[4*i:]))) }
	switch {
	case e.what == procNone:
		e.code = ne.Uint32(d)
		return e, true
	case e.what == procFork && len(d) >= 16: // parent pid, tgid, child pid, tgid
		e.parent, e.pid = at(1), at(3)
		return e, at(2) == at(3) && e.pid > 0
	case e.what == procExec && len(d) >= 8: // pid, tgid
		e.pid = at(1)
		return e, at(0) == at(1) && e.pid > 0
	case e.what == procExit && len(d) >= 12: // pid, tgid, status
		e.pid, e.code = at(1), ne.Uint32(d[8:])
		return e, at(0) == at(1) && e.pid > 0
	}
	return procEvent{}, false
}
