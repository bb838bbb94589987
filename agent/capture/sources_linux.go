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
	{name: "files", kinds: []event.Kind{event.FileChanged}, there: always, run: runFiles},
	{name: "packages", kinds: []event.Kind{event.PackageChanged}, there: func() bool {
		return slices.ContainsFunc(packageLogs, func(l packageLog) bool { _, err := os.Stat(l.path); return err == nil })
	}, open: openPackages},
	{name: "services", kinds: []event.Kind{event.ServiceChanged, event.Restart}, there: func() bool {
		_, err := os.Stat("/run/systemd/system") // sd_booted(3)
		return err == nil
	}, run: runServices},
	{name: "settings", kinds: []event.Kind{event.SettingChanged}, there: always, run: runSettings},
	{name: "devices", kinds: []event.Kind{event.DeviceAttached}, there: always, run: runDevices},
	{name: "errors", kinds: []event.Kind{event.ErrorLogged}, there: journal.Available, run: runErrors},
}

// toolsOf are the tools of a sort (work.go).
var toolsOf = map[string]func(seen) bool{
	packagers: named("apt apt-get apt-cache aptitude dpkg synaptic gdebi rpm dnf dnf5 dnf-3 yum microdnf zypper pacman apk snap flatpak " +
		"gnome-software plasma-discover pkcon packagekit unattended-upgrade tasksel"),
	servicers: named("systemctl service invoke-rc.d rc-service update-rc.d deb-systemd-invoke deb-systemd-helper systemd-run pkcon"),
}
