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

// settle is how long the folder must be quiet before it is read again, since a
// file is often written in several steps.
const settle = 150 * time.Millisecond

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
	var last string
	report := func() error {
		if err := d.watchAll(w); err != nil {
			return err
		}
		s := d.Load(time.Now())
		if m := s.mark(); m != last {
			last = m
			changed(s)
		}
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
	for last := ""; ; {
		p := nearest(filepath.Dir(d.o.Dir))
		if p == last {
			break
		}
		if err := add(p); err != nil {
			return err
		}
		last = p
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
// is in it, or of a folder above it.
func (d *Dir) concerns(name string) bool {
	within := func(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+string(filepath.Separator)) }
	return within(name, d.o.Dir) || within(d.o.Dir, name)
}

// mark tells snapshots apart by what follows from them.
func (s Snapshot) mark() string {
	e := ""
	if s.Err != nil {
		e = s.Err.Error()
	}
	return string(s.Effective.State) + "\n" + s.SHA256 + "\n" + e
}
