package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
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
	code   uint32 // of the answer to connListen
}

// processConn is an open connector.
type processConn struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte
	once sync.Once
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
	file := os.NewFile(uintptr(fd), "process connector")
	fail := func(err error) (*processConn, error) {
		file.Close()
		return nil, fmt.Errorf("listen for processes: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connProc}); err != nil {
		return fail(err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20) // a burst; best effort
	if err := unix.Sendto(fd, listenMessage(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fail(err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return fail(err)
	}
	c := &processConn{file: file, raw: raw, buf: make([]byte, 64<<10)}
	if err := file.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return fail(err)
	}
	for answered := false; !answered; {
		events, err := c.read()
		if err != nil {
			return fail(err)
		}
		for _, e := range events {
			if e.what == procNone {
				if e.code != 0 {
					return fail(syscall.Errno(e.code))
				}
				answered = true
			}
		}
	}
	return c, file.SetReadDeadline(time.Time{})
}

func (c *processConn) Close() error {
	var err error
	c.once.Do(func() { err = c.file.Close() })
	return err
}

// read waits for the next announcements.
func (c *processConn) read() ([]procEvent, error) {
	var n int
	var from unix.Sockaddr
	var err error
	waited := c.raw.Read(func(fd uintptr) bool {
		n, from, err = unix.Recvfrom(int(fd), c.buf, 0)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case waited != nil:
		return nil, waited
	case errors.Is(err, unix.ENOBUFS):
		return nil, errLost
	case errors.Is(err, unix.EINTR):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if nl, ok := from.(*unix.SockaddrNetlink); !ok || nl.Pid != 0 {
		return nil, nil // not from the kernel
	}
	return parseProcEvents(c.buf[:n]), nil
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
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(ne.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			break
		}
		if m := b[unix.NLMSG_HDRLEN:size]; len(m) >= connHeader+eventHeader+4 &&
			ne.Uint32(m) == connProc && ne.Uint32(m[4:]) == connProc {
			if e, ok := parseProcEvent(m[connHeader:]); ok {
				out = append(out, e)
			}
		}
		next := (size + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
		if next >= len(b) {
			break
		}
		b = b[next:]
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
	case (e.what == procExec || e.what == procExit) && len(d) >= 8: // pid, tgid
		e.pid = at(1)
		return e, at(0) == at(1) && e.pid > 0
	}
	return procEvent{}, false
}
