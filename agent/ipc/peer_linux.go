package ipc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// soPeerPidfd is SO_PEERPIDFD of Linux 6.5 (include/uapi/asm-generic/socket.h).
const soPeerPidfd = 0x4d

// peerOf asks the kernel who is at the other end. With a kernel that has
// SO_PEERPIDFD the process id is checked against the pidfd, so that a recycled
// id is never taken for the peer.
func peerOf(conn net.Conn) (Peer, error) {
	var cred *unix.Ucred
	pidfd := -1
	err := ofSocket(conn, func(fd int) (err error) {
		n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidfd)
		switch {
		case err == nil:
			pidfd = n
		case !errors.Is(err, unix.ENOPROTOOPT): // before Linux 6.16: the process has ended
			return err
		}
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if pidfd >= 0 {
		defer unix.Close(pidfd)
	}
	if err != nil {
		return Peer{}, err
	}
	p := Peer{valid: true, UID: cred.Uid, GID: cred.Gid, PID: int(cred.Pid)}
	if pidfd >= 0 {
		if n := pidOf(pidfd); n != p.PID {
			return Peer{}, fmt.Errorf("peer: process %d has ended", p.PID)
		}
	}
	return p, nil
}

// pidOf reads the process id that a pidfd stands for, -1 once it has ended.
func pidOf(pidfd int) int {
	raw, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
				return n
			}
		}
	}
	return -1
}
