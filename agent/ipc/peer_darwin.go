package ipc

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who is at the other end: the user and the group with which
// it connected (LOCAL_PEERCRED), and its process (LOCAL_PEERPID; unix(4),
// sys/un.h). The first group of an xucred is the effective one.
func peerOf(conn net.Conn) (Peer, error) {
	var cred *unix.Xucred
	var pid int
	err := ofSocket(conn, func(fd int) (err error) {
		if cred, err = unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err != nil {
			return err
		}
		pid, err = unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		return err
	})
	if err != nil {
		return Peer{}, err
	}
	const version = 0 // XUCRED_VERSION of sys/ucred.h
	if cred.Version != version || cred.Ngroups < 1 || pid <= 0 {
		return Peer{}, errors.New("peer: the kernel does not name its user, group and process")
	}
	return Peer{valid: true, UID: cred.Uid, GID: cred.Groups[0], PID: pid}, nil
}
