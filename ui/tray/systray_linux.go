package tray

import (
	"time"

	"github.com/godbus/dbus/v5"
)

// native is the form in which the tray wants an icon.
func native(png []byte) []byte { return png }

// reachable tells whether there is a session bus: without one the library would
// start its own.
func reachable(o Options) bool { return o.Bus != "" }

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
