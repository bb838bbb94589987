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

// toolsOf are the tools of a sort (work.go).
var toolsOf = map[string]func(seen) bool{
	packagers: named("apt apt-get apt-cache aptitude dpkg synaptic gdebi rpm dnf dnf5 dnf-3 yum microdnf zypper pacman apk snap flatpak " +
		"gnome-software plasma-discover pkcon packagekit unattended-upgrade tasksel"),
	servicers: named("systemctl service invoke-rc.d rc-service update-rc.d deb-systemd-invoke deb-systemd-helper systemd-run pkcon"),
}
