package module

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// placePrefix begins the names of the private folders.
const placePrefix = "aval-module-"

// place is the private folder of a module that runs. It is held with a lock, which
// the kernel lets go of however the process ends: a folder that nobody holds is
// one that was left behind.
type place struct {
	dir  string
	lock *os.File
}

// base is where the folders are: in memory and of the user alone, where there is
// such a place.
func base() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
			return dir
		}
	}
	return os.TempDir()
}

func newPlace() (*place, error) {
	dir, err := os.MkdirTemp(base(), placePrefix) // 0700
	if err != nil {
		return nil, fmt.Errorf("make private folder: %w", err)
	}
	f, err := hold(dir)
	if err == nil && f == nil {
		err = errors.New("somebody else holds it")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hold private folder: %w", err), os.RemoveAll(dir))
	}
	return &place{dir, f}, nil
}

func (p *place) destroy() error {
	err := wipe(p.dir, p.lock)
	dropLocks()
	if err != nil {
		return fmt.Errorf("destroy private folder: %w", err)
	}
	return nil
}

// dropLocks removes the files by which aval-desktop was the only one for a display,
// where nobody is any more; a living one holds its own.
func dropLocks() {
	list, _ := filepath.Glob(filepath.Join(base(), "aval-desktop*.lock")) // fails on a bad pattern alone
	for _, path := range list {
		if f, err := hold(path); err == nil && f != nil {
			_ = os.Remove(path)
			_ = f.Close()
		}
	}
}

// clean destroys the folders of this user that nobody holds.
func clean() {
	list, _ := filepath.Glob(filepath.Join(base(), placePrefix+"*"))
	for _, dir := range list {
		if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() || !own(fi) {
			continue
		}
		if f, err := hold(dir); err == nil && f != nil {
			_ = wipe(dir, f)
			dropLocks()
		}
	}
}

// wipe overwrites every file, for there are keys among them, lets go of the folder
// and removes it.
func wipe(dir string, lock *os.File) error {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || path == lock.Name() {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(make([]byte, min(fi.Size(), 64<<20)))
		return errors.Join(err, f.Sync(), f.Close())
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // its programs clean up, too
	}
	_ = lock.Close()
	return errors.Join(err, os.RemoveAll(dir))
}
