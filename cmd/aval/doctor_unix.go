//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"aval/cmd/internal/command"
)

func checkSocket(c *checkup) []command.Finding {
	path := c.app.socket
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return command.Found(command.StateWrong, path+" is not there", "the service makes it when it starts; another place is named with --socket or AVAL_SOCKET")
	case err != nil:
		return command.Found(command.StateWrong, err.Error(), "every local user must be able to reach the folder of the socket")
	case fi.Mode()&fs.ModeSocket == 0:
		return command.Found(command.StateWrong, path+" is not a socket", "remove it, or name the right one with --socket")
	}
	dir, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		return command.Found(command.StateWrong, err.Error())
	case dir.Mode()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0:
		return command.Found(command.StateWrong, filepath.Dir(path)+" can be written by everybody: anyone could put another socket in its place",
			"chmod o-w "+filepath.Dir(path))
	case fi.Mode()&0o006 != 0o006:
		return command.Found(command.StateWrong, path+" is closed to ordinary users: their desktops cannot be asked", "restart the service, which opens it")
	}
	return command.Found(command.StateOK, path)
}

// ownership is whose a file is, and its mode with the bits of chmod(1).
func ownership(fi fs.FileInfo) (owner, group string, mode uint32) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", "", 0
	}
	if u, err := user.LookupId(strconv.Itoa(int(st.Uid))); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil {
		group = g.Name
	}
	return owner, group, uint32(st.Mode) & 0o7777
}
