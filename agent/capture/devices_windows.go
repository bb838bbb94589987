package capture

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/windows"

	"aval/agent/event"
)

// devicesEvery is how often the devices that are there are listed: a program
// without a window and a service's control handler of its own is told of none.
const devicesEvery = 3 * time.Second

// diskClass is the setup class of disks (devguid.h, GUID_DEVCLASS_DISKDRIVE).
var diskClass = windows.GUID{Data1: 0x4d36e967, Data2: 0xe325, Data3: 0x11ce, Data4: [8]byte{0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18}}

// runDevices tells which devices are attached: what is plugged in (usb) and disks,
// with the name that the system shows.
func runDevices(ctx context.Context, g *gate, _ *work) error {
	var before map[string]attached
	return every(ctx, devicesEvery, func() error {
		now, err := devices()
		if err != nil {
			return err
		}
		for id, d := range now {
			if _, there := before[id]; before != nil && !there {
				g.pass(event.DeviceAttached, time.Now(), map[string]string{"class": d.class, "name": d.name})
			}
		}
		before = now
		return nil
	})
}

// attached is a device that is there.
type attached struct{ class, name string }

// devices lists those that are there, by their instance (SetupDiGetClassDevsExW).
func devices() (map[string]attached, error) {
	out := map[string]attached{}
	for _, of := range []struct {
		class      string
		guid       *windows.GUID
		enumerator string
		flags      windows.DIGCF
	}{
		{"usb", nil, "USB", windows.DIGCF_PRESENT | windows.DIGCF_ALLCLASSES},
		{"disk", &diskClass, "", windows.DIGCF_PRESENT},
	} {
		set, err := windows.SetupDiGetClassDevsEx(of.guid, of.enumerator, 0, of.flags, 0, "")
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		for i := range 1000 {
			d, err := set.EnumDeviceInfo(i)
			if err != nil {
				break
			}
			id, err := set.DeviceInstanceID(d)
			if err != nil || strings.HasPrefix(id, `USB\ROOT_HUB`) || of.class == "usb" && strings.Contains(id, "&MI_") {
				continue // the computer's own; a part of a device that is told whole
			}
			name := ""
			for _, p := range []windows.SPDRP{windows.SPDRP_FRIENDLYNAME, windows.SPDRP_DEVICEDESC} {
				if v, err := set.DeviceRegistryProperty(d, p); err == nil && name == "" {
					name, _ = v.(string)
				}
			}
			out[id] = attached{of.class, name}
		}
		set.Close()
	}
	return out, nil
}
