package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/windows"

	"aval/agent/policy"
)

// Read returns the files in order of their names. No folder means no file. The
// folder lies in one that is closed to others (agent/store); it, and each file, must
// belong to the system, to the administrators or to whom this program runs as.
func (d DropIn) Read() ([]Dropped, error) {
	if err := owned(d.Dir, true); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	entries, err := os.ReadDir(d.Dir) // in order
	if err != nil {
		return nil, err
	}
	var out []Dropped
	for _, e := range entries {
		path := filepath.Join(d.Dir, e.Name())
		if !strings.EqualFold(filepath.Ext(path), ".json") {
			continue
		}
		if err := owned(path, false); err != nil {
			return nil, err
		}
		raw, err := readOne(path)
		if err != nil {
			return nil, err
		}
		out = append(out, Dropped{path, raw})
	}
	return out, nil
}

func readOne(path string) ([]byte, error) {
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

// owned refuses what leads elsewhere, and what somebody else owns.
func owned(path string, dir bool) error {
	fi, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case dir != fi.IsDir() || !dir && !fi.Mode().IsRegular():
		return fmt.Errorf("%s is of another kind than it should be", path)
	}
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("look whose %s is: %w", path, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("look whose %s is: %w", path, err)
	}
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("look whose %s is: %w", path, err)
	}
	if !owner.IsWellKnown(windows.WinLocalSystemSid) && !owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) && !windows.EqualSid(owner, self.User.Sid) {
		return fmt.Errorf("%s belongs to an ordinary user: it must belong to an administrator", path)
	}
	return nil
}

// Remove removes a file for good.
func (d DropIn) Remove(f Dropped) error { return os.Remove(f.Path) }

// Watch makes the folder, calls changed at once, and again when the folder has
// changed, until ctx ends. It returns early only when the system cannot watch.
func (d DropIn) Watch(ctx context.Context, changed func()) error {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Add(d.Dir); err != nil {
		return err
	}
	changed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("the folder cannot be watched any more")
			}
			if slices.ContainsFunc([]fsnotify.Op{fsnotify.Create, fsnotify.Write, fsnotify.Rename}, e.Has) {
				changed()
			}
		case err := <-w.Errors:
			return err
		}
	}
}
