package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"aval/agent/session/watch"
)

// clockSynchronised tells whether the kernel's clock is kept in step with a time
// server (adjtimex(2): STA_UNSYNC). known is false where it may not be asked.
func clockSynchronised() (yes, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}

// toolsHeard lists the x11vnc servers that run, and sshd where its PAM hook is
// set up; without the hook logind announces its logins, which status covers.
func toolsHeard() []heard {
	var out []heard
	for _, s := range watch.X11VNCServers() {
		out = append(out, heard{what: fmt.Sprintf("x11vnc on %s (process %d)", s.Display, s.PID), hook: s.Hooked})
	}
	if b, err := os.ReadFile("/etc/pam.d/sshd"); err == nil && strings.Contains(string(b), "session pam-hook") {
		out = append(out, heard{what: "OpenSSH, by its PAM hook", hook: true})
	}
	return out
}
