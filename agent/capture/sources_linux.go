package capture

import (
	"os"
	"slices"

	"aval/agent/event"
	"aval/agent/journal"
)

// programsThere are the kinds that the programs give on this system.
var programsThere = programKinds

// sources of Linux. Each is used where the computer has it.
var sources = []source{
	{"files", []event.Kind{event.FileChanged}, always, runFiles},
	{"packages", []event.Kind{event.PackageChanged}, func() bool {
		return slices.ContainsFunc(packageLogs, func(l packageLog) bool { _, err := os.Stat(l.path); return err == nil })
	}, runPackages},
	{"services", []event.Kind{event.ServiceChanged, event.Restart}, func() bool {
		_, err := os.Stat("/run/systemd/system") // sd_booted(3)
		return err == nil
	}, runServices},
	{"settings", []event.Kind{event.SettingChanged}, always, runSettings},
	{"devices", []event.Kind{event.DeviceAttached}, always, runDevices},
	{"errors", []event.Kind{event.ErrorLogged}, journal.Available, runErrors},
}

func always() bool { return true }
