package capture

// settingFiles are files that hold settings of the system, and what they are
// about: scutil(8) and networksetup(8) write the first, dscl(1) and opendirectoryd
// what is below dslocal, systemsetup(8) the zone, CUPS its printers. A name that
// ends in a slash means all that is in the folder.
var settingFiles = map[string]string{
	"/Library/Preferences/SystemConfiguration/preferences.plist":                   "network",
	"/Library/Preferences/SystemConfiguration/com.apple.wifi.known-networks.plist": "network",
	"/Library/Preferences/com.apple.wifi.known-networks.plist":                     "network",
	"/private/etc/hosts": "network", "/private/etc/resolver/": "network",
	"/private/var/db/dslocal/nodes/Default/users/":  "user",
	"/private/var/db/dslocal/nodes/Default/groups/": "user",
	"/private/etc/sudoers":                          "user", "/private/etc/sudoers.d/": "user",
	"/private/etc/localtime": "time", "/private/var/db/timezone/": "time", "/private/etc/ntp.conf": "time",
	"/private/etc/cups/printers.conf": "printers", "/private/etc/cups/ppd/": "printers",
}
