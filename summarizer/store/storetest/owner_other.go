//go:build !linux

package storetest

import (
	"os"
	"os/exec"
)

var (
	fast      = os.Interrupt
	immediate = os.Kill
)

func own(string) error { return nil }

func (p *Postgres) asOwner(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = p.Dir
	return cmd
}
