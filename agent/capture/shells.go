package capture

import (
	"slices"
	"strings"
)

// failed tells whether an exit status, as a shell has it, says that a program has
// failed. -1: not known.
func failed(name string, code int) bool {
	switch {
	case code <= 0, code == 128+sigPipe, code == interrupted, code == 1 && asks[name]:
		return false
	}
	return name != "robocopy" || code >= 8 // below that it says what was copied
}

const (
	// sigPipe ends a program whose reader has seen enough: no failure.
	sigPipe = 13
	// interrupted is the status of a program that Ctrl+C has ended on Windows
	// (STATUS_CONTROL_C_EXIT in ntstatus.h).
	interrupted = 0xC000013A
)

// asks are programs whose status 1 is an answer and no failure.
var asks = words("grep egrep fgrep zgrep rg diff cmp test [ expr pgrep pidof which false dpkg-query lsof fuser mountpoint " +
	"find findstr fc comp where reg choice")

// shells read commands; wrappers run the command that stands on their own line;
// launchers are asked by a person to start something else.
var (
	shells   = words("sh bash dash ash zsh ksh mksh fish csh tcsh cmd powershell pwsh")
	wrappers = words("sudo su doas pkexec runuser env nice ionice nohup setsid time timeout stdbuf chroot strace ltrace script chrt taskset flock " +
		"runcon setpriv unshare nsenter systemd-inhibit dbus-run-session dbus-launch xargs watch runas caffeinate")
	launchers = words("thunar nautilus nemo caja pcmanfm pcmanfm-qt dolphin xdg-open exo-open gio gio-launch-desktop kioclient kioclient5 " +
		"rofi dmenu_run xfce4-appfinder xfce4-panel xfdesktop lxpanel lxqt-panel mate-panel plasmashell krunner gnome-shell cinnamon budgie-panel " +
		"openbox xfwm4 kwin_x11 marco i3 startkde xfce4-session mate-session lxsession gnome-session-binary x-session-manager " +
		"sshd sshd-session systemd dbus-daemon dbus-broker-launch systemd-executor tmux screen login " +
		"explorer userinit sihost svchost startmenuexperiencehost searchhost taskmgr windowsterminal mmc control " +
		"launchd loginwindow Finder Dock Spotlight SystemUIServer Terminal iTerm2 open")
	// speakers run a script that stands on their line.
	speakers = words("python python3 perl ruby node")
)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// children says what the children of what runs are, and whether it is a shell
// that prompts somebody for commands.
func (s seen) children() (gives rank, prompts bool) {
	switch {
	case len(s.args) == 0: // gone meanwhile: what it was for cannot be told
		return inner, false
	case shells[s.name]:
		switch use, what := s.use(); {
		case use == useBare:
			return step, s.tty
		case use == useLine && len(what) <= longLine:
			return same, false
		case use == useScript && installed(what):
			return inner, false
		}
		return step, false
	case wrappers[s.name]:
		return same, false
	case launchers[s.name]:
		return step, false
	}
	return inner, false
}

// title is how a program is called: by its script where it is an installed one.
func (s seen) title() string {
	script := ""
	if shells[s.name] {
		use, what := s.use()
		if use == useScript {
			script = what
		}
	} else if speakers[strings.TrimRight(s.name, ".0123456789")] || speakers[s.name] {
		if len(s.args) > 1 && !strings.HasPrefix(s.args[1], "-") {
			script = s.args[1]
		}
	}
	if script != "" && installed(script) {
		return base(script)
	}
	return s.name
}

// installed tells whether a script is a program of the system, not somebody's own.
func installed(script string) bool {
	if len(script) > 2 && script[1] == ':' { // on Windows, which does not tell upper from lower case
		script = strings.ToLower(script[2:])
	}
	return slices.ContainsFunc([]string{"/usr/", "/bin/", "/sbin/", "/lib/", "/etc/", "/opt/", "/snap/", "/nix/", "/System/", "/Library/", "/Applications/",
		`\windows\`, `\program files\`, `\program files (x86)\`}, func(dir string) bool {
		return strings.HasPrefix(script, dir)
	})
}

// How a shell is used.
const (
	useBare   = iota // it reads commands
	useLine          // -c: they stand on its line
	useScript        // it reads a file
)

// use is how a process that runs a shell uses it.
func (s seen) use() (use int, what string) {
	switch s.name {
	case "cmd":
		return cmdUse(s.args)
	case "powershell", "pwsh":
		return powershellUse(s.name, s.args)
	}
	return shellUse(s.args)
}

// cmdUse reads the arguments of cmd.exe (its own help, cmd /?): /c runs what
// follows, /k does and then reads commands.
func cmdUse(args []string) (use int, what string) {
	for i, a := range args[min(1, len(args)):] {
		switch a := strings.ToLower(a); {
		case strings.HasPrefix(a, "/c"):
			return useLine, strings.TrimSpace(args[i+1][2:] + " " + strings.Join(args[i+2:], " "))
		case strings.HasPrefix(a, "/k"):
			return useBare, ""
		}
	}
	return useBare, ""
}

// powershellUse reads the arguments of PowerShell (about_PowerShell_exe,
// about_Pwsh): names may be cut short; what has no name is a command to Windows
// PowerShell and a file to the newer one.
func powershellUse(name string, args []string) (use int, what string) {
	for i := 1; i < len(args); i++ {
		a := strings.ToLower(args[i])
		rest := strings.Join(args[i+1:], " ")
		if !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "/") {
			if name == "pwsh" {
				return useScript, args[i]
			}
			return useLine, strings.Join(args[i:], " ")
		}
		option := a[1:]
		is := func(full string, least int) bool { return len(option) >= least && strings.HasPrefix(full, option) }
		switch {
		case is("noexit", 3):
			return useBare, ""
		case is("command", 1), is("encodedcommand", 1), option == "ec", is("commandwithargs", 8), option == "cwa":
			return useLine, rest
		case is("file", 1):
			if i+1 < len(args) {
				return useScript, args[i+1]
			}
			return useBare, ""
		case is("executionpolicy", 2), option == "ep", is("windowstyle", 1), is("inputformat", 2), is("outputformat", 1), is("configurationname", 3),
			is("workingdirectory", 2), option == "wd", is("psconsolefile", 2), is("version", 1), is("settingsfile", 3), is("custompipename", 2):
			i++
		}
	}
	return useBare, ""
}

// shellUse reads the arguments of a shell (POSIX sh, bash(1) OPTIONS).
func shellUse(args []string) (use int, what string) {
	line, read := false, false
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--" || a == "-":
			if i+1 < len(args) {
				return operand(line, read, args[i+1])
			}
		case a == "--rcfile" || a == "--init-file" || a == "-o" || a == "-O" || a == "+o" || a == "+O":
			i++
		case strings.HasPrefix(a, "--"):
		case strings.HasPrefix(a, "-") || strings.HasPrefix(a, "+"):
			line = line || strings.Contains(a, "c")
			read = read || strings.Contains(a, "s")
		default:
			return operand(line, read, a)
		}
	}
	return useBare, ""
}

func operand(line, read bool, a string) (int, string) {
	switch {
	case line:
		return useLine, a
	case read:
		return useBare, ""
	}
	return useScript, a
}
