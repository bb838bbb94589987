package capture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"aval/agent/event"
)

// ueventGroup is the group of the kernel's own announcements (linux/netlink.h,
// NETLINK_KOBJECT_UEVENT); the other one is udevd's.
const ueventGroup = 1

// runDevices tells which devices are attached: what is plugged in (usb) and
// disks, with the name that the device gives itself.
func runDevices(ctx context.Context, g *gate, _ *work) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("watch devices: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: ueventGroup}); err != nil {
		return fmt.Errorf("watch devices: %w", err)
	}
	wake, err := newWaker()
	if err != nil {
		return fmt.Errorf("watch devices: %w", err)
	}
	defer wake.Close()
	defer context.AfterFunc(ctx, wake.wake)()
	in := newInbox(8 << 10)
	for ctx.Err() == nil {
		if _, err := poll(time.Hour, fd, wake.fd); err != nil {
			return fmt.Errorf("watch devices: %w", err)
		}
		for n := atOnceMost; n == atOnceMost && ctx.Err() == nil; {
			n, err = in.take(fd, func(b []byte) {
				if d, ok := parseUevent(b); ok {
					g.pass(event.DeviceAttached, time.Now(), map[string]string{"class": d.class, "name": deviceName(filepath.Join("/sys", d.path))})
				}
			})
			if err == errLost {
				n = atOnceMost
			} else if err != nil {
				return fmt.Errorf("watch devices: %w", err)
			}
		}
	}
	return nil
}

// device is one that was attached.
type device struct{ class, path string }

// parseUevent reads ACTION@PATH and NAME=VALUE, each ended by a zero byte
// (lib/kobject_uevent.c). ok: a whole device that somebody attached.
func parseUevent(b []byte) (d device, ok bool) {
	parts := strings.Split(string(b), "\x00")
	if !strings.HasPrefix(parts[0], "add@/") {
		return device{}, false
	}
	env := parts[1:]
	d.path = lookup(env, "DEVPATH")
	switch subsystem, sort := lookup(env, "SUBSYSTEM"), lookup(env, "DEVTYPE"); {
	case subsystem == "usb" && sort == "usb_device":
		d.class = "usb"
	case subsystem == "block" && sort == "disk" && !strings.HasPrefix(d.path, "/devices/virtual/"):
		d.class = "disk"
	default:
		return device{}, false
	}
	return d, strings.HasPrefix(d.path, "/devices/") && !strings.Contains(d.path, "..")
}

// deviceName is what a device calls itself: its product, with its maker.
func deviceName(sys string) string {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(sys, name))
		if err != nil || len(b) > 256 {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	if p := read("product"); p != "" {
		return strings.TrimSpace(read("manufacturer") + " " + p)
	}
	return strings.TrimSpace(read("device/vendor") + " " + read("device/model"))
}
