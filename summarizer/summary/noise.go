package summary

import (
	"slices"
	"strings"

	"aval/agent/event"
)

// desktopApps are the desktop's own surfaces and Aval's: to come past them is
// nothing that was done. Names are folded, of the application or the program.
var desktopApps = []string{
	"xfce4-panel", "xfdesktop", "xfwm4", "plasmashell", "kwin", "kwin_x11", "krunner", "gnome-shell", "mutter",
	"desktop_window", "nautilus-desktop", "nemo-desktop", "caja-desktop", "lxpanel", "lxqt-panel", "mate-panel",
	"marco", "tint2", "polybar", "openbox", "cinnamon", "budgie-panel", "i3bar", "dunst", "notify-osd",
	"aval", "aval-desktop", "aval-ui", "x11vnc", "xephyr", "dock", "loginwindow", "windowserver",
	"shellexperiencehost", "startmenuexperiencehost", "searchhost", "searchapp", "lockapp",
}

// desktopTitles are windows of a file manager or shell that are the desktop.
var desktopTitles = []string{"program manager", "desktop", "area de trabalho"}

// helpers are started by the desktop itself beside what a person starts. An
// entry that ends in * is a beginning.
var helpers = []string{
	"dbus-*", "at-spi*", "gvfs*", "xdg-*", "dconf-*", "gconf*", "ibus*", "fcitx*", "systemd*", "(sd-pam)", "gsd-*",
	"gnome-keyring*", "pipewire*", "wireplumber*", "pulseaudio*", "tracker-*", "evolution-*", "goa-*", "kded*",
	"gio-launch-desktop", "exo-open", "exo-helper*", "sensible-browser", "run-parts", "dircolors", "tput", "lesspipe", "locale-check", "groups", "utempter",
	"aval", "aval-*", "x11vnc", "xephyr", "xvfb", "xrdb", "xauth", "setxkbmap",
	"conhost", "svchost", "runtimebroker", "backgroundtaskhost", "dllhost", "smartscreen",
}

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "csh", "tcsh", "cmd", "powershell", "pwsh"}

// program is the comparable name of an executable: its base name without ".exe".
func program(s string) string {
	s = fold(s)
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	return strings.TrimSuffix(s, ".exe")
}

func isHelper(name string) bool {
	return slices.ContainsFunc(helpers, func(h string) bool {
		if head, ok := strings.CutSuffix(h, "*"); ok {
			return strings.HasPrefix(name, head)
		}
		return name == h
	})
}

// noise tells whether an event is nothing that somebody did.
func noise(e event.Event) bool {
	switch e.Kind {
	case event.WindowFocused:
		app, prog, title := fold(e.Fields["app"]), program(e.Fields["program"]), fold(e.Fields["title"])
		if e.Fields["title"] == event.TitleBefore {
			title = ""
		}
		return app+prog+title == "" || slices.Contains(desktopApps, app) || slices.Contains(desktopApps, prog) ||
			((prog == "explorer" || prog == "pcmanfm" || prog == "pcmanfm-qt") && (title == "" || slices.Contains(desktopTitles, title)))
	case event.ProgramEnded, event.CommandEnded:
		return isHelper(program(e.Fields["program"]))
	case event.ProgramStarted, event.CommandRun:
		name := program(e.Fields["program"])
		return name == "" || isHelper(name) || (slices.Contains(shells, strings.TrimPrefix(name, "-")) && bareShell(e.Fields["command"]))
	}
	return false
}

// bareShell tells whether a shell's command line runs nothing: an interactive
// shell is a place, and what is run in it comes as events of its own.
func bareShell(command string) bool {
	args := strings.Fields(command)
	return !slices.ContainsFunc(args[min(1, len(args)):], func(a string) bool {
		return !slices.Contains([]string{"-l", "-i", "-il", "-li", "--login", "--posix", "-s", "-NoLogo"}, a)
	})
}
