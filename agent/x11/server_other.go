//go:build !linux

package x11

import "net"

// ServerPID is 0: who listens at a socket is asked on Linux only.
func ServerPID(net.Conn) int { return 0 }
