package capture

import "aval/agent/event"

// sources of Windows.
var sources = []source{
	{name: "files", kinds: []event.Kind{event.FileChanged}, there: always, run: runFiles},
	{name: "packages", kinds: []event.Kind{event.PackageChanged}, there: always, run: runPackages},
	{name: "services", kinds: []event.Kind{event.ServiceChanged}, there: always, run: runServices},
	{name: "settings", kinds: []event.Kind{event.SettingChanged}, there: always, run: runSettings},
	{name: "registry", kinds: []event.Kind{event.SettingChanged}, there: always, run: runRegistry},
	{name: "accounts", kinds: []event.Kind{event.SettingChanged}, there: func() bool { _, err := accounts(); return err == nil }, run: runAccounts},
	{name: "devices", kinds: []event.Kind{event.DeviceAttached}, there: always, run: runDevices},
	{name: "errors", kinds: []event.Kind{event.ErrorLogged, event.Restart}, there: always, run: runErrors},
}

// toolsOf are the tools of a sort (work.go). PowerShell and the consoles of the
// system's administration change services themselves.
var toolsOf = map[string]func(seen) bool{
	packagers: installer,
	servicers: named("sc net net1 mmc taskmgr powershell pwsh powershell_ise psservice nssm msconfig"),
}
