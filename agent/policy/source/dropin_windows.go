package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"aval/agent/policy"
)

// Read returns the files in order of their names. No folder means no file. On
// Windows the folder lies in the service's own, which is closed to others.
func (d DropIn) Read() ([]Dropped, error) {
	entries, err := os.ReadDir(d.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Dropped
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".json") || len(out) >= maxFiles {
			continue
		}
		f := Dropped{Path: filepath.Join(d.Dir, e.Name())}
		if f.Raw, err = readDropped(f.Path); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// maxFiles bounds the files in one folder.
const maxFiles = 100

func readDropped(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, policy.MaxFile+1))
	if err == nil && len(raw) > policy.MaxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, policy.MaxFile)
	}
	return raw, err
}

// Remove removes a file for good.
func (d DropIn) Remove(f Dropped) error { return os.Remove(f.Path) }

// Watch calls changed at once, and again when the folder, which it makes, has
// changed, until ctx ends. It returns early only when the system cannot watch.
func (d DropIn) Watch(ctx context.Context, changed func()) error {
	changed()
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch folder: %w", err)
	}
	defer w.Close()
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return fmt.Errorf("watch folder: %w", err)
	}
	if err := w.Add(d.Dir); err != nil {
		return fmt.Errorf("watch folder: %w", err)
	}
	changed() // what came in between
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-w.Events:
			if !ok {
				return nil
			}
			changed()
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			d.Log.Warn("watching a folder of device management", "folder", d.Dir, "error", err)
			changed()
		}
	}
}
