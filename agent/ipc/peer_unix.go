//go:build linux || darwin

package ipc

import (
	"errors"
	"fmt"
	"net"
)

// ofSocket lets ask read what the kernel knows of the other end of a Unix socket,
// by its descriptor, which is open while ask runs.
func ofSocket(conn net.Conn, ask func(fd int) error) error {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("peer: %T has no credentials", conn)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	var askErr error
	err = raw.Control(func(fd uintptr) { askErr = ask(int(fd)) })
	if err := errors.Join(err, askErr); err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	return nil
}
