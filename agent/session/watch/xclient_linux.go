package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel's list of Unix sockets (sock_diag(7); linux/unix_diag.h).
const (
	sockDiagByFamily = 20
	udiagShowName    = 1 << 0
	udiagShowPeer    = 1 << 2
	unixDiagName     = 0
	unixDiagPeer     = 2
	unixDiagReqLen   = 24
	unixDiagMsgLen   = 16
)

// shownBy is the X display that a process is connected with, ":0", by the word
// of the kernel: its environment may say something else, or be another program's.
// Empty: with none.
func shownBy(pid int, all map[uint32]unixSocket) string {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	fds, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		link, err := os.Readlink(dir + "/" + fd.Name())
		inode, ok := strings.CutPrefix(link, "socket:[")
		if err != nil || !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 32)
		if err != nil {
			continue
		}
		if s, ok := all[uint32(n)]; ok && s.peer != 0 {
			if d := xSocketDisplay(all[s.peer].name); d != "" {
				return d
			}
		}
	}
	return ""
}

// xSocketDisplay reads the display out of the name of an X server's socket, in
// the file system or, with a zero or "@" before it, without a file (Xserver(1)).
func xSocketDisplay(name string) string {
	rest, ok := strings.CutPrefix(strings.TrimLeft(name, "\x00@"), "/tmp/.X11-unix/X")
	if d := ":" + strings.TrimRight(rest, "\x00"); ok && isDisplay(d) {
		return d
	}
	return ""
}

// unixSocket is one Unix socket of this computer.
type unixSocket struct {
	name string
	peer uint32 // inode of the other end; 0: none
}

// unixSockets lists the connected Unix sockets by their inodes.
func unixSockets() (map[uint32]unixSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("list unix sockets: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}); err != nil {
		return nil, fmt.Errorf("list unix sockets: %w", err)
	}
	req := make([]byte, unix.SizeofNlMsghdr+unixDiagReqLen)
	e := binary.NativeEndian
	e.PutUint32(req, uint32(len(req)))
	e.PutUint16(req[4:], sockDiagByFamily)
	e.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := req[unix.SizeofNlMsghdr:]
	body[0] = unix.AF_UNIX
	e.PutUint32(body[4:], 1<<unix.BPF_TCP_ESTABLISHED) // Unix sockets use the states of TCP
	e.PutUint32(body[12:], udiagShowName|udiagShowPeer)
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("list unix sockets: %w", err)
	}
	out := map[uint32]unixSocket{}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list unix sockets: %w", err)
		}
		done, err := parseUnixSockets(buf[:n], out)
		if done || err != nil {
			return out, err
		}
	}
}

// parseUnixSockets reads one answer of the kernel (netlink(7)).
func parseUnixSockets(b []byte, into map[uint32]unixSocket) (done bool, err error) {
	e := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		n, kind := int(e.Uint32(b)), e.Uint16(b[4:])
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return true, errStat
		}
		switch body := b[unix.SizeofNlMsghdr:n]; {
		case kind == unix.NLMSG_DONE:
			return true, nil
		case kind == unix.NLMSG_ERROR:
			return true, errors.New("list unix sockets: refused")
		case kind == sockDiagByFamily && len(body) >= unixDiagMsgLen:
			var s unixSocket
			for attrs := body[unixDiagMsgLen:]; len(attrs) >= unix.SizeofNlAttr; {
				l, t := int(e.Uint16(attrs)), e.Uint16(attrs[2:])
				if l < unix.SizeofNlAttr || l > len(attrs) {
					break
				}
				switch v := attrs[unix.SizeofNlAttr:l]; {
				case t == unixDiagName:
					s.name = strings.TrimRight(string(v), "\x00")
				case t == unixDiagPeer && len(v) >= 4:
					s.peer = e.Uint32(v)
				}
				attrs = attrs[min((l+3)&^3, len(attrs)):]
			}
			into[e.Uint32(body[4:])] = s
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return false, nil
}
