package watch

import (
	"time"

	"github.com/godbus/dbus/v5"
)

// TypeWindows is the Type of a desktop session of Windows.
const TypeWindows = "windows"

// LogindSession is one session as systemd-logind lists it
// (org.freedesktop.login1(5), interface Session); those of Windows are put into the
// same words.
type LogindSession struct {
	ID   string
	UID  uint32
	User string
	// Class is user, greeter, lock-screen or background; Type x11, wayland, mir,
	// tty or unspecified.
	Class, Type string
	Display     string // ":0"; X11 only
	Desktop     string // what the session runs, as XDG_SESSION_DESKTOP has it: "i3", "GNOME"
	Remote      bool
	RemoteHost  string
	// Service is the PAM service that made the session: sshd, gdm-password, …
	Service string
	State   string // online, active or closing
	Active  bool   // in front on its seat; always true without a seat
	Locked  bool   // LockedHint; screen lockers that do not set it are not known
	Leader  int
	TTY     string
	Seat    string // empty: none, as with remote sessions
	Started time.Time
}

// session reads the properties of a session object. A property of another type
// than it should have counts as absent.
func session(id string, props map[string]dbus.Variant) LogindSession {
	str := func(name string) string {
		s, _ := props[name].Value().(string)
		return s
	}
	yes := func(name string) bool {
		b, _ := props[name].Value().(bool)
		return b
	}
	s := LogindSession{
		ID: id, User: str("Name"), Class: str("Class"), Type: str("Type"), Display: str("Display"), Desktop: str("Desktop"),
		Remote: yes("Remote"), RemoteHost: str("RemoteHost"), Service: str("Service"),
		State: str("State"), Active: yes("Active"), Locked: yes("LockedHint"), TTY: str("TTY"),
	}
	if n, ok := props["Leader"].Value().(uint32); ok {
		s.Leader = int(n)
	}
	if at, ok := props["Timestamp"].Value().(uint64); ok && at > 0 { // µs of the real-time clock
		s.Started = time.UnixMicro(int64(at)).UTC()
	}
	// User is (uo), Seat (so): structures arrive as slices.
	if v, ok := props["User"].Value().([]any); ok && len(v) == 2 {
		s.UID, _ = v[0].(uint32)
	}
	if v, ok := props["Seat"].Value().([]any); ok && len(v) == 2 {
		s.Seat, _ = v[0].(string)
	}
	return s
}
