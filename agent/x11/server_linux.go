package x11

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// ServerPID is the process at the other end of a connection that Socket made,
// by the kernel: the one that listens there. 0: it cannot be told.
func ServerPID(conn net.Conn) int {
	if g, ok := conn.(*greeter); ok {
		conn = g.Conn
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	if err := raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	}); err != nil {
		return 0
	}
	return pid
}
