package ipc

import (
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
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return Peer{}, fmt.Errorf("peer: %T has no credentials", conn)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	var cred *unix.Ucred
	pidfd := -1
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, soPeerPidfd); err == nil {
			pidfd = n
		}
	}); err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	if credErr != nil {
		return Peer{}, fmt.Errorf("peer: %w", credErr)
	}
	p := Peer{valid: true, UID: cred.Uid, GID: cred.Gid, PID: int(cred.Pid)}
	if pidfd >= 0 {
		defer unix.Close(pidfd)
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
