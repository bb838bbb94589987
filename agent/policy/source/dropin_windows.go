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
	"unsafe"

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

func readOne(path string) ([]byte, error) { return ReadSafe(path, policy.MaxFile) }

// ReadSafe reads a file of at most that many bytes which the system, the administrators
// or whom this program runs as own, and nobody else may write. What was opened is looked
// at, not what its name meant a moment ago.
func ReadSafe(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err == nil {
		err = closed(sd)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return raw, err
}

// changes are the rights by which somebody can have another file, or another content
// (Microsoft Learn, "File Access Rights Constants", "ACCESS_MASK").
const changes = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL

// closed refuses what somebody else owns or may change. A file without a list of rights
// is everybody's; a kind of entry that is not known here may give more than is seen.
func closed(sd *windows.SECURITY_DESCRIPTOR) error {
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("look whose it is: %w", err)
	}
	if err := trusted(owner); err != nil {
		return err
	}
	acl, _, err := sd.DACL()
	if err != nil || acl == nil {
		return errors.New("it has no rights of its own, so everybody may change it")
	}
	for i := range uint32(acl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(acl, i, &ace); err != nil {
			return fmt.Errorf("look at its rights: %w", err)
		}
		const allowed, denied, inheritOnly = windows.ACCESS_ALLOWED_ACE_TYPE, windows.ACCESS_DENIED_ACE_TYPE, windows.INHERIT_ONLY_ACE
		switch {
		case ace.Header.AceType == denied, ace.Header.AceFlags&inheritOnly != 0:
		case ace.Header.AceType != allowed:
			return fmt.Errorf("its rights are of a kind that is not known here (%d)", ace.Header.AceType)
		case ace.Mask&changes != 0:
			who := (*windows.SID)(unsafe.Pointer(&ace.SidStart))
			if err := trusted(who); err != nil && !who.IsWellKnown(windows.WinCreatorOwnerRightsSid) {
				return fmt.Errorf("others than administrators may change it: put it where they alone can write, such as %%ProgramFiles%%")
			}
		}
	}
	return nil
}

// trusted refuses everybody but the system, the administrators, Windows' own installer
// and whom this program runs as.
func trusted(sid *windows.SID) error {
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("look whose it is: %w", err)
	}
	const installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464" // NT SERVICE\TrustedInstaller
	if sid.IsWellKnown(windows.WinLocalSystemSid) || sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) || windows.EqualSid(sid, self.User.Sid) || sid.String() == installer {
		return nil
	}
	return errors.New("it belongs to an ordinary user: it must belong to an administrator")
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
	if err := trusted(owner); err != nil {
		return fmt.Errorf("%s: %w", path, err)
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
