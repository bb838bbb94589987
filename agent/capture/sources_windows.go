package capture

import "aval/agent/event"

// sources of Windows.
var sources = []source{
	{"files", []event.Kind{event.FileChanged}, always, runFiles},
	{"packages", []event.Kind{event.PackageChanged}, always, runPackages},
	{"services", []event.Kind{event.ServiceChanged}, always, runServices},
	{"settings", []event.Kind{event.SettingChanged}, always, runSettings},
	{"registry", []event.Kind{event.SettingChanged}, always, runRegistry},
	{"accounts", []event.Kind{event.SettingChanged}, func() bool { _, err := accounts(); return err == nil }, runAccounts},
	{"devices", []event.Kind{event.DeviceAttached}, always, runDevices},
	{"errors", []event.Kind{event.ErrorLogged, event.Restart}, always, runErrors},
}

// toolsOf are the tools of a sort (work.go). PowerShell and the consoles of the
// system's administration change services themselves.
var toolsOf = map[string]func(seen) bool{
	packagers: installer,
	servicers: named("sc net net1 mmc taskmgr powershell pwsh powershell_ise psservice nssm msconfig"),
}
