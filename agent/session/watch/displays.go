package watch

import "strings"

// DisplayServer is an X server or Wayland compositor that runs on this computer.
type DisplayServer struct {
	// Name is the display, ":0", or the Wayland socket, "wayland-0".
	Name string
	Type string // x11 or wayland
	// PID and UID are those of the process that listens, as the kernel has them.
	PID int
	UID uint32
	// LogindID is the session in whose scope that process runs; empty: in none.
	LogindID string
}

// scopeSession reads the session out of the cgroups of a process, as in
// "0::/user.slice/user-1000.slice/session-3.scope" (systemd.scope(5), pam_systemd(8)).
func scopeSession(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		_, path, _ := strings.Cut(strings.TrimSpace(line), "/")
		for part := range strings.SplitSeq(path, "/") {
			rest, ok := strings.CutPrefix(part, "session-")
			if id, scope := strings.CutSuffix(rest, ".scope"); ok && scope && id != "" {
				return id
			}
		}
	}
	return ""
}

// Display brings a display's name into one form: ":10.0" and "unix:10" are ":10".
func Display(s string) string {
	s = strings.TrimPrefix(s, "unix")
	if host, num, ok := strings.Cut(s, ":"); ok {
		num, _, _ = strings.Cut(num, ".")
		return host + ":" + num
	}
	return s
}
