package main

import (
	"os"
	"path/filepath"
	"strings"

	"aval/assets"
)

// surroundings reads the session from the environment. The service believes
// none of it but for showing things: whose desktop it is it has from the kernel.
func surroundings(env func(string) string) session {
	s := session{
		display: env("DISPLAY"), kind: env("XDG_SESSION_TYPE"), logind: env("XDG_SESSION_ID"),
		locale: assets.Locale(),
	}
	if s.bus = env("DBUS_SESSION_BUS_ADDRESS"); s.bus == "" && env("XDG_RUNTIME_DIR") != "" {
		// Where systemd's user manager has it (sd_bus_open_user(3)).
		path := filepath.Join(env("XDG_RUNTIME_DIR"), "bus")
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			s.bus = "unix:path=" + path
		}
	}
	for a := range strings.SplitSeq(s.bus, ";") {
		if !strings.HasPrefix(a, "unix:") { // not a socket of this computer: somebody set it so
			s.bus = ""
		}
	}
	if s.kind != "x11" && s.kind != "wayland" {
		s.kind = "x11"
		if s.display == "" && env("WAYLAND_DISPLAY") != "" {
			s.kind = "wayland"
		}
	}
	return s
}
