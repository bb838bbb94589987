package ipc

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who is at the other end: the user and the group with which
// it connected (LOCAL_PEERCRED), and its process (LOCAL_PEERPID; unix(4),
// sys/un.h). The first group of an xucred is the effective one.
func peerOf(conn net.Conn) (Peer, error) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return Peer{}, fmt.Errorf("peer: %T has no credentials", conn)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	var cred *unix.Xucred
	var pid int
	var credErr, pidErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		pid, pidErr = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	}); err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	if err := errors.Join(credErr, pidErr); err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	const version = 0 // XUCRED_VERSION of sys/ucred.h
	if cred.Version != version || cred.Ngroups < 1 || pid <= 0 {
		return Peer{}, errors.New("peer: the kernel does not name its user, group and process")
	}
	return Peer{valid: true, UID: cred.Uid, GID: cred.Groups[0], PID: pid}, nil
}
