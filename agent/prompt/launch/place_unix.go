//go:build unix

package launch

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// suffix of programs.
const suffix = ""

// passed are the names that a program in a desktop session needs; LC_* too.
// Everything else stays out: LD_PRELOAD and the module paths of toolkits would
// put code of others into the program that asks.
var passed = map[string]bool{
	"HOME": true, "USER": true, "LOGNAME": true, "TZ": true,
	"LANG": true, "LANGUAGE": true,
	"DISPLAY": true, "XAUTHORITY": true, "WAYLAND_DISPLAY": true,
	"XDG_RUNTIME_DIR": true, "XDG_SESSION_ID": true, "XDG_SESSION_TYPE": true, "XDG_CURRENT_DESKTOP": true,
	"XDG_CACHE_HOME":  true, // of the graphics driver, for its compiled shaders
	"XDG_CONFIG_HOME": true, // of the toolkit; it says no more than HOME does

	"DBUS_SESSION_BUS_ADDRESS": true,
	"GDK_SCALE":                true, "GDK_DPI_SCALE": true, "QT_SCALE_FACTOR": true, "FYNE_SCALE": true,
	"LIBGL_ALWAYS_SOFTWARE": true,
}

func passes(name string) bool { return passed[name] || strings.HasPrefix(name, "LC_") }

// systemPath is where programs are looked for that a program of ours starts by name.
func systemPath() string { return "/usr/bin:/bin" }

// executable tells whether a file is a program that not everybody can change.
func executable(fi fs.FileInfo) bool { return fi.Mode()&0o111 != 0 && fi.Mode()&0o002 == 0 }

// Clean makes the environment of this process that of a program which was
// started here, when it runs with a group that its user does not have: that
// user chose the environment, and a graphics driver that is told where its
// modules are would run code of theirs with the group. It must come first.
func Clean() {
	if os.Getegid() == os.Getgid() {
		return
	}
	env := environment(os.Environ(), nil)
	os.Clearenv()
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		os.Setenv(name, value)
	}
	// Where no address is known, godbus (conn_other.go) has dbus-launch start a
	// bus, and what that bus starts for the user would have the group.
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", sessionBus(os.Getenv("DBUS_SESSION_BUS_ADDRESS")))
}

// sessionBus is the address of a bus that is there already, or of none.
func sessionBus(given string) string {
	for a := range strings.SplitSeq(given, ";") {
		if !strings.HasPrefix(a, "unix:") {
			return "unix:path=/run/user/" + strconv.Itoa(os.Getuid()) + "/bus"
		}
	}
	return given
}

// folders are where an installed Aval has its programs, after the folder of
// the program that asks.
var folders = []string{"/usr/lib/aval", "/usr/libexec/aval", "/opt/aval/bin", "/usr/bin"}
