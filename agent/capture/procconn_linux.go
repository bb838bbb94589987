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

// procEvent is one announcement, for whole processes only.
type procEvent struct {
	what   uint32
	pid    int
	parent int    // of a fork
	code   uint32 // of the answer to connListen; of an exit, as wait(2) has it
	at     uint64 // nanoseconds of CLOCK_MONOTONIC
}

// processConn is an open connector. It belongs to one goroutine.
//
// It has two sockets. One hears all that is told of processes and is read in the
// kernel's order; it wakes nobody. The other hears only that a program begins,
// which is all that cannot wait, and is the bell: so that a process costs one
// waking and not three or four.
type processConn struct {
	fd, bell int
	in, rung *inbox
	// owed are the programs that the bell told of and that were not read yet.
	// Below zero: read before their bell was.
	owed int
}

// listenProcesses asks for announcements and waits for the kernel's yes.
func listenProcesses() (*processConn, error) {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialPIDNamespace {
		return nil, errors.New("listen for processes: not in the system's own process namespace")
	}
	c := &processConn{fd: -1, bell: -1, in: newInbox(512), rung: newInbox(0)}
	if err := c.listen(); err != nil {
		c.Close()
		return nil, fmt.Errorf("listen for processes: %w", err)
	}
	return c, nil
}

func (c *processConn) listen() (err error) {
	// The bell first: the kernel hands a message to the youngest socket first.
	if c.bell, err = connector(programsOnly()); err != nil {
		return err
	}
	if c.fd, err = connector(wholeProcesses()); err != nil {
		return err
	}
	if err := unix.Sendto(c.fd, listenMessage(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if _, err := poll(100*time.Millisecond, c.fd); err != nil {
			return err
		}
		answered, refused := false, uint32(0)
		if _, err := c.read(func(e procEvent, _ time.Time) {
			if e.what == procNone {
				answered, refused = true, e.code
			}
		}); err != nil {
			return err
		}
		if refused != 0 {
			return syscall.Errno(refused)
		} else if answered {
			return nil
		}
	}
	return os.ErrDeadlineExceeded
}

// connector is a socket that hears the announcements that the filter keeps.
func connector(filter []unix.SockFilter) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return -1, err
	}
	wide(fd)
	if err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connProc})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// The filters have the kernel keep back what is not read anyway: threads, and
// changes of names and rights. On a busy computer that is most of what it
// announces. parseProcEvent looks at it again.
const (
	filterWhat = unix.NLMSG_HDRLEN + connHeader
	filterData = filterWhat + eventHeader
)

var (
	filterToX   = unix.SockFilter{Code: unix.BPF_MISC | unix.BPF_TAX}
	filterSameX = unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_X, Jt: 0, Jf: 1}
	filterKeep  = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff}
	filterDrop  = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
)

func filterLoad(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

// filterIs compares with a number of the computer's own order: a filter reads them
// in network order.
func filterIs(n uint32, yes, no uint8) unix.SockFilter {
	swapped := binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, n))
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: swapped, Jt: yes, Jf: no}
}

// filterWhole keeps what concerns a whole process, whose number and whose group's
// stand at an offset and behind it.
func filterWhole(at uint32) []unix.SockFilter {
	return []unix.SockFilter{filterLoad(at), filterToX, filterLoad(at + 4), filterSameX, filterKeep, filterDrop}
}

// programsOnly keeps that a program begins.
func programsOnly() []unix.SockFilter {
	return append([]unix.SockFilter{filterLoad(filterWhat), filterIs(procExec, 1, 0), filterDrop}, filterWhole(filterData)...)
}

// wholeProcesses keeps forks, programs, ends, and the answer to connListen.
func wholeProcesses() []unix.SockFilter {
	prog := []unix.SockFilter{
		filterLoad(filterWhat),
		filterIs(procNone, 4, 0),
		filterIs(procFork, 10, 0), // behind the next six
		filterIs(procExec, 3, 0),
		filterIs(procExit, 2, 0),
		filterDrop,
		filterKeep,
	}
	prog = append(prog, filterWhole(filterData)...)
	return append(prog, filterWhole(filterData+8)...) // a fork names the parent first: the child is behind it
}

func (c *processConn) Close() error {
	var errs []error
	for _, fd := range []*int{&c.fd, &c.bell} {
		if *fd >= 0 {
			errs = append(errs, unix.Close(*fd))
			*fd = -1
		}
	}
	return errors.Join(errs...)
}

// heard takes what the bell has told. What it had to drop the other socket has.
func (c *processConn) heard() error {
	for n := atOnceMost; n == atOnceMost; c.owed += n {
		var err error
		if n, err = c.rung.take(c.bell, nil); err != nil && err != errLost {
			return err
		}
	}
	return nil
}

// read takes announcements, with the time at which each was made; fewer than
// atOnceMost: none is left. After errLost some are missing.
func (c *processConn) read(each func(procEvent, time.Time)) (n int, err error) {
	now, clock := time.Now(), unix.Timespec{}
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock); err != nil {
		return 0, err
	}
	mono := clock.Nano()
	return c.in.take(c.fd, func(b []byte) {
		for e := range procEvents(b) {
			if e.what == procExec {
				c.owed--
			}
			each(e, now.Add(min(0, time.Duration(int64(e.at)-mono))))
		}
	})
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

// procEvents reads netlink messages that hold connector messages; what is
// malformed or concerns a thread is left out.
func procEvents(b []byte) func(func(procEvent) bool) {
	return func(yield func(procEvent) bool) {
		ne := binary.NativeEndian
		for _, m := range messages(b) {
			if len(m) >= connHeader+eventHeader+4 && ne.Uint32(m) == connProc && ne.Uint32(m[4:]) == connProc {
				if e, ok := parseProcEvent(m[connHeader:]); ok && !yield(e) {
					return
				}
			}
		}
	}
}

func parseProcEvent(m []byte) (procEvent, bool) {
	ne := binary.NativeEndian
	e := procEvent{what: ne.Uint32(m), at: ne.Uint64(m[8:])}
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
