//go:build !windows

package main

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

// readerWithin is how long the desktop may take to say whether a screen reader runs.
const readerWithin = 500 * time.Millisecond

// screenReader tells whether a screen reader runs on the desktop, by the word of
// the accessibility bus (at-spi2-core, bus/at-spi-bus-launcher.c: org.a11y.Status).
// The window has no accessibility tree that one could read; the native dialog has.
func screenReader(ctx context.Context, bus string) bool {
	if bus == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, readerWithin)
	defer cancel()
	on := make(chan bool, 1)
	go func() { // to say hello has no time limit of its own
		c, err := dbus.Connect(bus, dbus.WithContext(ctx))
		if err != nil {
			on <- false
			return
		}
		defer c.Close()
		var v dbus.Variant
		err = c.Object("org.a11y.Bus", "/org/a11y/bus").CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get",
			dbus.FlagNoAutoStart, "org.a11y.Status", "ScreenReaderEnabled").Store(&v)
		enabled, _ := v.Value().(bool)
		on <- err == nil && enabled
	}()
	select {
	case yes := <-on:
		return yes
	case <-ctx.Done():
		return false
	}
}
