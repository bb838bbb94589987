//go:build unix

package main

import (
	"os"
	"syscall"
)

// nonceFile is file descriptor 3 where that is a pipe or a socket, as it is when
// the desktop helper starts the window; otherwise standard input. (The runtime's
// own descriptors may have the number 3, but they are neither.)
func nonceFile() *os.File {
	var st syscall.Stat_t
	if err := syscall.Fstat(3, &st); err == nil {
		if kind := st.Mode & syscall.S_IFMT; kind == syscall.S_IFIFO || kind == syscall.S_IFSOCK {
			return os.NewFile(3, "nonce")
		}
	}
	return os.Stdin
}
