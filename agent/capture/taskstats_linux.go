package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's task statistics (Documentation/accounting/taskstats.rst,
// linux/taskstats.h): one message at the end of each task, with the name that
// it had. It is all that can still be said of a program that was gone before
// its arguments could be read. It needs CAP_NET_ADMIN, like the connector.
const (
	statsFamily   = "TASKSTATS"
	statsGet      = 1 // TASKSTATS_CMD_GET
	statsNew      = 2 // TASKSTATS_CMD_NEW
	statsRegister = 3 // TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
	statsTypePID  = 1 // TASKSTATS_TYPE_PID
	statsTypeOf   = 3 // TASKSTATS_TYPE_STATS
	statsAggrPID  = 4 // TASKSTATS_TYPE_AGGR_PID

	statsComm    = 80 // offset of ac_comm in struct taskstats
	statsCommLen = 32 // TS_COMM_LEN

	ctrlGetFamily  = 3 // CTRL_CMD_GETFAMILY of linux/genetlink.h
	ctrlFamilyID   = 1 // CTRL_ATTR_FAMILY_ID
	ctrlFamilyName = 2 // CTRL_ATTR_FAMILY_NAME
	ctrlID         = 0x10

	genlHeader = 4
)

// statsConn is an open connection to the statistics. It belongs to one goroutine.
type statsConn struct {
	fd     int
	family uint16
	in     *inbox
}

// listenEnds asks for the statistics of every task that ends from now on.
func listenEnds() (*statsConn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("listen for ends of tasks: %w", err)
	}
	c := &statsConn{fd: fd, in: newInbox(2 << 10)}
	if err := c.begin(); err != nil {
		c.Close()
		return nil, fmt.Errorf("listen for ends of tasks: %w", err)
	}
	return c, nil
}

func (c *statsConn) begin() error {
	if err := unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	b, err := c.ask(ctrlID, ctrlGetFamily, ctrlFamilyName, append([]byte(statsFamily), 0))
	if err != nil {
		return err
	}
	for t, v := range attributes(b) {
		if t == ctrlFamilyID && len(v) >= 2 {
			c.family = binary.NativeEndian.Uint16(v)
		}
	}
	if c.family == 0 {
		return errors.New("the kernel keeps none")
	}
	cpus, err := os.ReadFile("/sys/devices/system/cpu/possible") // a mask as taskstats reads it: 0-3
	if err != nil {
		return err
	}
	wide(c.fd)
	_, err = c.ask(c.family, statsGet, statsRegister, append([]byte(strings.TrimSpace(string(cpus))), 0))
	return err
}

// ask sends one request with one attribute and waits for its answer.
func (c *statsConn) ask(family uint16, command byte, attr uint16, value []byte) ([]byte, error) {
	ne := binary.NativeEndian
	size := unix.NLMSG_HDRLEN + genlHeader + unix.SizeofRtAttr + len(value)
	m := make([]byte, align4(size))
	ne.PutUint32(m, uint32(len(m)))
	ne.PutUint16(m[4:], family)
	ne.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	ne.PutUint32(m[8:], 1)
	m[unix.NLMSG_HDRLEN], m[unix.NLMSG_HDRLEN+1] = command, 1
	a := m[unix.NLMSG_HDRLEN+genlHeader:]
	ne.PutUint16(a, uint16(unix.SizeofRtAttr+len(value)))
	ne.PutUint16(a[2:], attr)
	copy(a[unix.SizeofRtAttr:], value)
	if err := unix.Sendto(c.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var answer []byte
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if _, err := poll(100*time.Millisecond, c.fd); err != nil {
			return nil, err
		}
		done, refused := false, error(nil)
		if _, err := c.in.take(c.fd, func(b []byte) {
			for h, body := range messages(b) {
				switch {
				case h == unix.NLMSG_ERROR && len(body) >= 4:
					done = true
					if code := int32(ne.Uint32(body)); code != 0 {
						refused = unix.Errno(-code)
					}
				case h == family && len(body) > genlHeader && answer == nil:
					answer = append([]byte(nil), body[genlHeader:]...)
				}
			}
		}); err != nil {
			return nil, err
		}
		if done {
			return answer, refused
		}
	}
	return nil, os.ErrDeadlineExceeded
}

func (c *statsConn) Close() error {
	if c.fd < 0 {
		return nil
	}
	fd := c.fd
	c.fd = -1
	return unix.Close(fd)
}

// taskEnd is a task that has ended.
type taskEnd struct {
	pid  int
	name string // at most 15 bytes
}

// read takes the ends of tasks; fewer than atOnceMost messages: none is left.
func (c *statsConn) read(each func(taskEnd)) (n int, err error) {
	return c.in.take(c.fd, func(b []byte) {
		for _, e := range parseTaskEnds(b, c.family) {
			each(e)
		}
	})
}

func parseTaskEnds(b []byte, family uint16) []taskEnd {
	var out []taskEnd
	for h, body := range messages(b) {
		if h != family || len(body) < genlHeader || body[0] != statsNew {
			continue
		}
		for t, v := range attributes(body[genlHeader:]) {
			if t != statsAggrPID {
				continue
			}
			var e taskEnd
			for t, v := range attributes(v) {
				switch {
				case t == statsTypePID && len(v) >= 4:
					e.pid = int(int32(binary.NativeEndian.Uint32(v)))
				case t == statsTypeOf && len(v) >= statsComm+statsCommLen:
					e.name, _, _ = strings.Cut(string(v[statsComm:statsComm+statsCommLen]), "\x00")
				}
			}
			if e.pid > 0 && e.name != "" {
				out = append(out, e)
			}
		}
	}
	return out
}
