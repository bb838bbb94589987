package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/windows"

	"aval/cmd/internal/command"
)

// toDo puts what to do into the words of this system.
var toDo = strings.NewReplacer("sudo ", "(as an administrator) ", " && ", ", then ", ", or to /usr/bin", "", "without root", "without being an administrator", "--socket FILE", `--socket \\.\pipe\NAME`)

// clockSynchronised is not known here.
func clockSynchronised() (yes, known bool) { return false, false }

// checkSocket goes by what came of opening the pipe: looking at one opens it too.
func checkSocket(c *checkup) []command.Finding {
	switch path := c.app.socket; {
	case errors.Is(c.dial, fs.ErrPermission):
		return command.Found(command.StateWrong, path+" is closed to this user", "whoever has signed in may open it: is this a service's account?")
	case c.dial != nil:
		return command.Found(command.StateWrong, path+" is not there", "the service makes it when it starts; another one is named with --socket or AVAL_SOCKET")
	default:
		return command.Found(command.StateOK, path)
	}
}

// release is the version of Windows, for a helpdesk; it names no computer.
func release() string {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("Windows %d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
}

// ownership is not compared here: what is packed says nothing of it.
func ownership(fs.FileInfo) (owner, group string, mode uint32) { return "", "", 0 }

// reinstall is what helps against changed files.
const reinstall = "repair the installation: msiexec /fa aval-….msi"
