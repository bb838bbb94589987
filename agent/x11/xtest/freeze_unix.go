//go:build unix

package xtest

import (
	"os"
	"syscall"
)

func freeze(p *os.Process) { p.Signal(syscall.SIGSTOP) }

func thaw(p *os.Process) { p.Signal(syscall.SIGCONT) }
