package tray

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// native is the form in which the tray wants an icon.
func native(png []byte) []byte { return png }

// reachable tells whether there is a session bus: without one the library would
// start its own.
func reachable(o Options) bool { return o.Bus != "" }

// The watcher of trays (StatusNotifierItem, org.kde.StatusNotifierWatcher), and
// where the library has our item.
const (
	watcher     = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"
	itemPath    = "/StatusNotifierItem"
)

// appear makes sure that the icon is known to a tray that came just when the
// library looked: it asks once, and listens for trays only after that (systray
// 1.12, stayRegistered), so one between the two is never told.
func (t *sys) appear() {
	for _, wait := range []time.Duration{2 * time.Second, 10 * time.Second} {
		select {
		case <-time.After(wait):
		case <-t.done:
			return
		}
		bus, err := dbus.SessionBus() // the library's connection
		if err != nil {
			return
		}
		tray := bus.Object(watcher, watcherPath)
		var known []string
		if v, err := tray.GetProperty(watcher + ".RegisteredStatusNotifierItems"); err == nil {
			known, _ = v.Value().([]string)
		}
		own := fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", os.Getpid())
		if !slices.ContainsFunc(known, func(item string) bool {
			return strings.HasPrefix(item, own) || strings.HasPrefix(item, bus.Names()[0])
		}) {
			tray.Go(watcher+".RegisterStatusNotifierItem", dbus.FlagNoAutoStart|dbus.FlagNoReplyExpected, nil, itemPath)
		}
	}
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
