//go:build linux || darwin

package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// Take returns the file at path, which an installer has been told of, under the
// rules of Read; it may lie in a folder with the sticky bit, as /tmp has. Besides,
// nobody but its owner may be able to read it, since it is a secret. What is
// checked is what was opened: not what its name means later.
func (d DropIn) Take(path string) ([]byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	o := Options{Own: d.Own}
	at := filepath.Dir(path)
	if err := o.trusted(at); err != nil {
		return nil, err
	}
	fd, err := unix.Open(at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: at, Err: err}
	}
	dir := os.NewFile(uintptr(fd), at)
	defer dir.Close()
	st, err := dir.Stat()
	if err != nil {
		return nil, err
	}
	if err := o.safe(at, st, true); err != nil {
		return nil, err
	}
	f, err := o.openAt(fd, filepath.Base(path), path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err = f.Stat(); err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o044 != 0 && reachable(at) {
		return nil, fmt.Errorf("%s can be read by other users of this computer, and whoever reads it first can use it: chmod 600 %s, or make a new one", path, path)
	}
	return readOpen(f)
}

// reachable tells whether others than the owner may look into dir.
func reachable(dir string) bool {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && st.Mode().Perm()&0o011 == 0 {
			return false
		}
	}
	return true
}

// Put lays a file into the folder, complete or not at all, for its owner alone.
func (d DropIn) Put(name string, raw []byte) error {
	o := Options{Own: d.Own}
	if err := o.trusted(d.Dir); err != nil {
		return err
	}
	dir, err := o.openAt(unix.AT_FDCWD, d.Dir, d.Dir, true)
	if err != nil {
		return err
	}
	defer dir.Close()
	begun := "." + name + ".new" // Read passes over it
	if err := unix.Unlinkat(int(dir.Fd()), begun, 0); err != nil && !notExist(err) {
		return &fs.PathError{Op: "remove", Path: filepath.Join(d.Dir, begun), Err: err}
	}
	fd, err := unix.Openat(int(dir.Fd()), begun, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &fs.PathError{Op: "create", Path: filepath.Join(d.Dir, begun), Err: err}
	}
	f := os.NewFile(uintptr(fd), filepath.Join(d.Dir, begun))
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return unix.Renameat(int(dir.Fd()), begun, int(dir.Fd()), name)
}

// Remove removes a file for good.
func (d DropIn) Remove(f Dropped) error { return os.Remove(f.Path) }

// Watch calls changed at once, and again when the folder has changed, until ctx
// ends. It returns early only when the system cannot watch.
func (d DropIn) Watch(ctx context.Context, changed func()) error {
	return watcher{[]string{d.Dir}, []string{d.Dir}, d.Log}.watch(ctx, changed)
}
