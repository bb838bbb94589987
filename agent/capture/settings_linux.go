package capture

// settingFiles are files that hold settings of the system, and what they are
// about: hosts(5), hostname(5), interfaces(5), passwd(5), shadow(5), group(5), subuid(5), localtime(5),
// timesyncd.conf(5), chrony.conf(5), printers.conf(5) of CUPS. A name that ends
// in a slash means all that is in the folder.
var settingFiles = map[string]string{
	"/etc/hosts": "network", "/etc/hostname": "network", "/etc/network/interfaces": "network", "/etc/network/interfaces.d/": "network",
	"/etc/NetworkManager/system-connections/": "network", "/etc/netplan/": "network", "/etc/systemd/network/": "network",
	"/etc/wpa_supplicant/wpa_supplicant.conf": "network",
	"/etc/passwd": "user", "/etc/group": "user", "/etc/shadow": "user", "/etc/gshadow": "user", "/etc/subuid": "user", "/etc/subgid": "user", "/etc/sudoers": "user", "/etc/sudoers.d/": "user",
	"/etc/localtime": "time", "/etc/timezone": "time", "/etc/adjtime": "time", "/etc/systemd/timesyncd.conf": "time", "/etc/chrony/chrony.conf": "time",
	"/etc/cups/printers.conf": "printers", "/etc/cups/ppd/": "printers", "/etc/cups/lpoptions": "printers",
}
