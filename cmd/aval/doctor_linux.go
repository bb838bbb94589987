package main

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

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
	return owner, group, st.Mode & 0o7777
}

// release names the system (os-release(5)) and its kernel.
func release() string {
	name := ""
	raw, _ := os.ReadFile("/etc/os-release") // not every system has one
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			name = strings.Trim(v, `"`)
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(name + ", Linux " + string(kernel))
}

// clockSynchronised tells whether the kernel's clock is kept in step with a time
// server (adjtimex(2): STA_UNSYNC). known is false where it may not be asked.
func clockSynchronised() (yes, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}
