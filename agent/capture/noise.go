package capture

import "strings"

// noise are programs that a desktop starts by itself and that nobody means by
// "a program was started": buses, their helpers, accessibility, file systems,
// thumbnails, the session's own housekeeping.
var noise = map[string]bool{
	"dbus-daemon": true, "dbus-launch": true, "dbus-broker": true, "dbus-broker-launch": true,
	"dbus-update-activation-environment": true, "dbus-send": true, "gdbus": true, "busctl": true,
	"at-spi-bus-launcher": true, "at-spi2-registryd": true, "dconf-service": true, "gconfd-2": true,
	"gvfsd": true, "gvfsd-fuse": true, "gvfsd-metadata": true, "gvfsd-trash": true, "gvfsd-network": true,
	"gvfs-udisks2-volume-monitor": true, "gvfs-mtp-volume-monitor": true, "gvfs-gphoto2-volume-monitor": true,
	"gvfs-goa-volume-monitor": true, "gvfs-afc-volume-monitor": true, "fusermount": true, "fusermount3": true,
	"xdg-desktop-portal": true, "xdg-desktop-portal-gtk": true, "xdg-desktop-portal-gnome": true,
	"xdg-document-portal": true, "xdg-permission-store": true, "tumblerd": true,
	"pipewire": true, "pipewire-pulse": true, "wireplumber": true, "pulseaudio": true, "gsettings": true,
	"xkbcomp": true, "xrdb": true, "xprop": true, "glxtest": true, "vaapitest": true,
	"ssh-agent": true, "gpg-agent": true, "gnome-keyring-daemon": true, "systemd": true, "(systemd)": true,
	// Windows: consoles, hosts of parts of programs, what looks after the desktop.
	"conhost": true, "openconsole": true, "dllhost": true, "runtimebroker": true, "backgroundtaskhost": true, "taskhostw": true, "smartscreen": true,
	"searchprotocolhost": true, "searchfilterhost": true, "applicationframehost": true, "ctfmon": true, "wmiprvse": true, "sihost": true, "csrss": true,
	"dwm": true, "winlogon": true, "fontdrvhost": true, "logonui": true, "consent": true, "securityhealthsystray": true, "textinputhost": true,
	"shellexperiencehost": true, "startmenuexperiencehost": true, "searchhost": true, "lockapp": true, "systemsettingsbroker": true, "useroobebroker": true,
	"compattelrunner": true, "werfault": true, "wermgr": true, "crashpad_handler": true, "svchost": true,
	// macOS: the same.
	"mdworker": true, "mdworker_shared": true, "mds_stores": true, "cfprefsd": true, "xpcproxy": true, "distnoted": true, "lsd": true, "trustd": true,
	"quicklookd": true, "QuickLookUIService": true, "com.apple.WebKit.WebContent": true, "com.apple.WebKit.Networking": true, "path_helper": true,
	"systemd-executor": true, "run-parts": true, "lesspipe": true, "dircolors": true, "locale-check": true, "utempter": true,
}

// skipped tells whether a program is not reported: noise, Aval's own, or helpers
// that browsers and the like start by the dozen, which call themselves so.
func skipped(name string, args []string) bool {
	if noise[name] || own(name) {
		return true
	}
	for _, a := range args {
		if strings.HasPrefix(a, "--type=") || a == "-contentproc" {
			return true // Chromium's and Firefox's content processes
		}
	}
	return false
}

// own tells whether a program is one of Aval's.
func own(name string) bool { return name == "aval" || strings.HasPrefix(name, "aval-") }
