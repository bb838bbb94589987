package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"aval/agent/winreg"
)

// uninstallKey lists what is installed, an entry for each (Microsoft Learn,
// "Uninstall Registry Key"): of the computer, for programs of 64 and of 32 bits,
// and of each user.
const uninstallKey = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`

const (
	// maxInstalled bounds what is read of one list.
	maxInstalled = 10_000
	// packageSettle is how long the list must be left alone: an upgrade by Windows
	// Installer takes the old entry away and brings the new one a moment later.
	packageSettle = 2 * time.Second
)

// uninstallList is one of the lists.
type uninstallList struct {
	root registry.Key
	path string
	view uint32
}

// uninstallLists are those of the computer and of the session's user.
func uninstallLists(scope Scope) []uninstallList {
	out := []uninstallList{
		{registry.LOCAL_MACHINE, uninstallKey, registry.WOW64_64KEY},
		{registry.LOCAL_MACHINE, uninstallKey, registry.WOW64_32KEY},
	}
	if sid := sessionUser(scope.Display); sid != "" {
		out = append(out, uninstallList{registry.USERS, sid + `\` + uninstallKey, registry.WOW64_64KEY})
	}
	return out
}

// sessionUser is who has signed in to a desktop session, as a SID: by its token,
// which only the system's own service may see; else, for this program's own
// session, its own user. Empty: not known.
func sessionUser(display string) string {
	n, err := sessionNumber(display)
	if err != nil {
		return ""
	}
	var t windows.Token
	if windows.WTSQueryUserToken(n, &t) != nil {
		var own uint32
		if windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &own) != nil || own != n {
			return ""
		}
		t = windows.GetCurrentProcessToken() // needs no closing, and bears it
	}
	defer t.Close()
	u, err := t.GetTokenUser()
	if err != nil {
		return ""
	}
	return u.User.Sid.String()
}

// read reads a list; what cannot be read of it is left out.
func (l uninstallList) read() (map[string]onList, error) {
	k, err := registry.OpenKey(l.root, l.path, registry.ENUMERATE_SUB_KEYS|l.view)
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(maxInstalled)
	if err != nil && len(names) == 0 {
		return map[string]onList{}, nil
	}
	out := make(map[string]onList, len(names))
	for _, name := range names {
		p, err := registry.OpenKey(k, name, registry.QUERY_VALUE|l.view)
		if err != nil {
			continue
		}
		hidden, _, _ := p.GetIntegerValue("SystemComponent")
		parent, _, _ := p.GetStringValue("ParentKeyName") // an update of another entry
		title, _, _ := p.GetStringValue("DisplayName")
		version, _, _ := p.GetStringValue("DisplayVersion")
		p.Close()
		if hidden == 0 && parent == "" && title != "" {
			out[name] = onList{title, version}
		}
	}
	return out, nil
}

// runPackages tells what is installed, upgraded and removed while an installer of
// the session runs.
func runPackages(ctx context.Context, g *gate, w *work) error {
	return followInstalled(ctx, uninstallLists(w.scope), g, w)
}

func followInstalled(ctx context.Context, lists []uninstallList, g *gate, w *work) error {
	var followers []func(context.Context) error
	for _, l := range lists {
		before, err := l.read()
		if errors.Is(err, registry.ErrNotExist) {
			slog.Debug("a list of installed programs does not exist", "path", l.path)
			continue // no program has ever been there
		}
		if err != nil {
			return err
		}
		followers = append(followers, func(ctx context.Context) error {
			return winreg.Watch(ctx, l.root, l.path, l.view, packageSettle, func() {
				now, err := l.read()
				if err != nil {
					return
				}
				changes := packageChanges(before, now)
				before = now
				g.packages(w, changes...)
			})
		})
	}
	return together(ctx, followers...)
}

// installer tells of a program that installs or removes others: one of those that
// Windows and its package managers bring, one that calls itself so, or one that
// runs from where no installed program is: a download, a stick, a share.
func installer(s seen) bool {
	if installers[s.name] {
		return true
	}
	for _, part := range []string{"setup", "install", "unins"} {
		if strings.Contains(s.name, part) {
			return true
		}
	}
	if len(s.file) < 3 || !os.IsPathSeparator(s.file[2]) && !strings.HasPrefix(s.file, `\\`) {
		return false
	}
	for _, v := range []string{"SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "ProgramData"} {
		if within(s.file, os.Getenv(v)) {
			return false
		}
	}
	lower := strings.ToLower(s.file)
	return !strings.Contains(lower, `\appdata\local\programs\`) && !strings.Contains(lower, `\appdata\local\microsoft\`)
}

var installers = words("msiexec winget choco scoop appinstaller appwiz pkgmgr dism wusa optionalfeatures windowspackagemanagerserver")
