//go:build linux || darwin

package source

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Read returns the files in order of their names. No folder means no file.
func (d DropIn) Read() ([]Dropped, error) {
	o := Options{Dir: d.Dir, Own: d.Own}
	if err := o.trusted(d.Dir); err != nil {
		if notExist(err) {
			return nil, nil
		}
		return nil, err
	}
	dir, err := o.openAt(unix.AT_FDCWD, d.Dir, d.Dir, true)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files, err := o.readAll(dir, func(n string, raw []byte) file { return file{Name: n, Raw: raw} })
	if err != nil {
		return nil, err
	}
	var out []Dropped
	for _, f := range files {
		out = append(out, Dropped{filepath.Join(d.Dir, f.Name), f.Raw})
	}
	return out, nil
}

// Remove removes a file for good.
func (d DropIn) Remove(f Dropped) error { return os.Remove(f.Path) }

// Watch calls changed at once, and again when the folder has changed, until ctx
// ends. It returns early only when the system cannot watch.
func (d DropIn) Watch(ctx context.Context, changed func()) error {
	return watcher{[]string{d.Dir}, []string{d.Dir}, d.Log}.watch(ctx, changed)
}
