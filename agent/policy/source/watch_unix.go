//go:build linux || darwin

package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch reads the policy, gives it to changed, and does so again each time
// that it has changed, until ctx ends. It waits for the system's word and polls
// nothing; a folder that does not exist yet is waited for. It returns early
// only when the system cannot watch.
func (d *Dir) Watch(ctx context.Context, changed func(Snapshot)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch policy: %w", err)
	}
	defer w.Close()
	read := d.reporter(changed)
	report := func() error {
		if err := d.watchAll(w); err != nil {
			return err
		}
		read()
		return nil
	}
	if err := report(); err != nil {
		return err
	}
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if d.concerns(e.Name) {
				quiet.Reset(settle)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			// An overflow means that events were lost: reading settles it.
			d.o.Log.Warn("watching the policy folder", "error", err)
			quiet.Reset(settle)
		case <-quiet.C:
			if err := report(); err != nil {
				return err
			}
		}
	}
}

// watchAll watches the nearest existing parent of the policy folder, where it
// would appear or be replaced, the folder, and the two in it. Parents come
// first: what appears below after the look at it is then an event.
func (d *Dir) watchAll(w *fsnotify.Watcher) error {
	var want []string
	add := func(p string) error {
		want = append(want, p)
		// Adding again is needed where a folder was replaced by another of
		// the same name. One that vanished meanwhile is seen by its parent.
		if err := w.Add(p); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("watch policy: %s: %w", p, err)
		}
		return nil
	}
	for _, place := range d.places() {
		for last := ""; ; {
			p := nearest(filepath.Dir(place))
			if p == last {
				break
			}
			if err := add(p); err != nil {
				return err
			}
			last = p
		}
	}
	for _, p := range []string{d.o.Dir, filepath.Join(d.o.Dir, managed), filepath.Join(d.o.Dir, recommended)} {
		if isFolder(p) {
			if err := add(p); err != nil {
				return err
			}
		}
	}
	for _, p := range w.WatchList() {
		if !slices.Contains(want, p) {
			_ = w.Remove(p) // it may be gone already
		}
	}
	return nil
}

// places are the policy folder and the list of preferences.
func (d *Dir) places() []string {
	if d.o.Preferences == "" {
		return []string{d.o.Dir}
	}
	return []string{d.o.Dir, d.o.Preferences}
}

// nearest is p or its nearest parent that is a folder.
func nearest(p string) string {
	for !isFolder(p) && p != filepath.Dir(p) {
		p = filepath.Dir(p)
	}
	return p
}

func isFolder(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

// concerns tells whether a change of name is one of the policy folder, of what
// is in it, or of a folder above it; or the same of the list of preferences.
func (d *Dir) concerns(name string) bool {
	within := func(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+string(filepath.Separator)) }
	return slices.ContainsFunc(d.places(), func(place string) bool { return within(name, place) || within(place, name) })
}
