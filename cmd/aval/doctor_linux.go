package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

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

// reinstall is what helps against changed files.
const reinstall = "install the package again: dpkg -i aval_….deb, or rpm -U --replacepkgs aval-….rpm"
