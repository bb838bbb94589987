//go:build linux || darwin

package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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
	in := []string{d.o.Dir, filepath.Join(d.o.Dir, managed), filepath.Join(d.o.Dir, recommended)}
	return watcher{d.places(), in, d.o.Log}.watch(ctx, d.reporter(changed))
}

// watcher watches places, which need not exist yet, and the folders in.
type watcher struct {
	places, in []string
	log        *slog.Logger
}

// watch calls read at once, and again when what is watched has changed and has
// been quiet for a moment, until ctx ends.
func (p watcher) watch(ctx context.Context, read func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch folder: %w", err)
	}
	defer w.Close()
	report := func() error {
		if err := p.watchAll(w); err != nil {
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
			if p.concerns(e.Name) {
				quiet.Reset(settle)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			// An overflow means that events were lost: reading settles it.
			p.log.Warn("watching a folder of device management", "folders", p.places, "error", err)
			quiet.Reset(settle)
		case <-quiet.C:
			if err := report(); err != nil {
				return err
			}
		}
	}
}

// watchAll watches the nearest existing parent of each place, where it would
// appear or be replaced, and the folders. Parents come first: what appears below
// after the look at it is then an event.
func (p watcher) watchAll(w *fsnotify.Watcher) error {
	var want []string
	add := func(path string) error {
		want = append(want, path)
		// Adding again is needed where a folder was replaced by another of
		// the same name. One that vanished meanwhile is seen by its parent.
		if err := w.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("watch folder: %s: %w", path, err)
		}
		return nil
	}
	for _, place := range p.places {
		for last := ""; ; {
			near := nearest(filepath.Dir(place))
			if near == last {
				break
			}
			if err := add(near); err != nil {
				return err
			}
			last = near
		}
	}
	for _, dir := range p.in {
		if isFolder(dir) {
			if err := add(dir); err != nil {
				return err
			}
		}
	}
	for _, path := range w.WatchList() {
		if !slices.Contains(want, path) {
			_ = w.Remove(path) // it may be gone already
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

// concerns tells whether a change of name is one of a place, of what is in it, or
// of a folder above it.
func (p watcher) concerns(name string) bool {
	within := func(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+string(filepath.Separator)) }
	return slices.ContainsFunc(p.places, func(place string) bool { return within(name, place) || within(place, name) })
}
