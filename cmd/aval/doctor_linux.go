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
		out = append(out, heard{what: fmt.Sprintf("x11vnc on %s (process %d)", s.Display, s.PID), hook: s.Hooked,
			do: "start it with the -accept and -gone lines of docs/remote-tools.md"})
	}
	for _, s := range watch.Servers() {
		h := heard{what: fmt.Sprintf("%s (process %d)", s.Tool, s.PID), hook: s.Log != "", do: "let it write its log to a file, as docs/remote-tools.md says"}
		if s.Display != "" {
			h.what = fmt.Sprintf("%s on %s (process %d)", s.Tool, s.Display, s.PID)
		}
		if s.Log != "" {
			if _, err := os.Stat(s.Log); err != nil {
				h.hook, h.do = false, fmt.Sprintf("its log %s cannot be found: see section Logging of xrdp.ini", s.Log)
			} else {
				h.what += ", by " + s.Log
			}
		}
		out = append(out, h)
	}
	if b, err := os.ReadFile("/etc/pam.d/sshd"); err == nil && strings.Contains(string(b), "session pam-hook") {
		out = append(out, heard{what: "OpenSSH, by its PAM hook", hook: true})
	}
	return out
}
