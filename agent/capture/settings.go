package capture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"aval/agent/event"
)

// settingOf tells what setting a file holds; empty: none.
func settingOf(file string) string {
	if os.PathSeparator != '/' {
		file = strings.ToLower(filepath.ToSlash(file))
	}
	if s, ok := settingFiles[file]; ok {
		return s
	}
	return settingFiles[path.Dir(file)+"/"]
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
		case _, ok := <-w.Errors: // notices were lost (inotify(7), IN_Q_OVERFLOW)
			if !ok {
				return errors.New("watch settings: the system stopped telling")
			}
			g.missed(0)
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
