//go:build unix

package main

import (
	"os"

	"aval/cmd/internal/command"
)

// clicked tells whether nobody reads what this program writes: it was started from
// the desktop and not from a terminal.
func clicked() bool { return !command.Terminal(os.Stderr) && !command.Terminal(os.Stdout) }
