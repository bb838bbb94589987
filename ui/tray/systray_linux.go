package tray

import (
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// native is the form in which the tray wants an icon.
func native(png []byte) []byte { return png }

// reachable tells whether there is a session bus of this computer. Another kind
// of address comes from whoever set the environment, and would be a connection
// to somewhere else; without any the library would start a bus of its own.
func reachable(o Options) bool {
	if o.Bus == "" {
		return false
	}
	for _, a := range strings.Split(o.Bus, ";") {
		if !strings.HasPrefix(a, "unix:") {
			return false
		}
	}
	return true
}

// Tell implements Tray by the desktop's notifications (Desktop Notifications
// Specification 1.2, Notify). It has no action: there is nothing to press.
func (t *sys) Tell(title, text string) {
	go func() {
		bus, err := dbus.SessionBus() // the library's connection
		if err != nil {
			return
		}
		call := bus.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications").Go(
			"org.freedesktop.Notifications.Notify", dbus.FlagNoAutoStart, nil,
			"Aval", uint32(0), "", title, text, []string{}, map[string]dbus.Variant{"urgency": dbus.MakeVariant(byte(2))}, int32(10000))
		select {
		case <-call.Done:
		case <-time.After(5 * time.Second):
		}
	}()
}
