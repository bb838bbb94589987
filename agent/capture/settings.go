package capture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"aval/agent/event"
)

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

// settingOf tells what setting a file holds; empty: none.
func settingOf(file string) string {
	if s, ok := settingFiles[file]; ok {
		return s
	}
	return settingFiles[filepath.Dir(file)+"/"]
}

// runSettings tells which of the settings of the system are changed, by the
// files that hold them; never what is in them.
func runSettings(ctx context.Context, g *gate, _ *work) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch settings: %w", err)
	}
	defer w.Close()
	for file := range settingFiles {
		dir := filepath.Dir(file)
		if strings.HasSuffix(file, "/") {
			dir = strings.TrimSuffix(file, "/")
		}
		w.Add(dir) // a folder that is not there is of something that is not installed
	}
	waits := map[string]time.Time{}
	var due <-chan time.Time
	for {
		if due == nil && len(waits) > 0 {
			due = time.After(fileSettle / 2)
		}
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("watch settings: the system stopped telling")
			}
			if e.Op != fsnotify.Chmod && settingOf(e.Name) != "" && !ignoredFile(e.Name) && len(waits) < maxWaits {
				waits[e.Name] = time.Now()
			}
		case _, ok := <-w.Errors:
			if !ok {
				return errors.New("watch settings: the system stopped telling")
			}
		case now := <-due:
			due = nil
			// One event of a setting, however many of its files were written.
			told := map[string]bool{}
			for _, name := range slices.Sorted(maps.Keys(waits)) {
				if now.Sub(waits[name]) < fileSettle {
					continue
				}
				delete(waits, name)
				if s := settingOf(name); !told[s] {
					told[s] = true
					g.pass(event.SettingChanged, now, map[string]string{"setting": s, "name": name})
				}
			}
		}
	}
}
