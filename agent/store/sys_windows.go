package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// dirSDDL closes a folder, and what is made in it, to all but the system, the
// administrators and the user who keeps it; it takes nothing from the folder above.
const dirSDDL = "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;%s)"

// tokensDir may be there before anything else: device management lays token files into
// it, before the package or after; whose those are is looked at when they are read.
const tokensDir = "enroll.d"

// checkDir closes a directory to others, and refuses one that is not ours to
// close: everybody may make folders where the system keeps programs' data, so one
// that is there already may be a trap.
func checkDir(dir string) error {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	attr, err := windows.GetFileAttributes(path)
	if err != nil {
		return &os.PathError{Op: "look at", Path: dir, Err: err}
	}
	switch {
	case attr&windows.FILE_ATTRIBUTE_DIRECTORY == 0:
		return fmt.Errorf("%w: it is not a directory", ErrUnsafe)
	case attr&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0:
		return fmt.Errorf("%w: it leads elsewhere; name the folder itself with --state-dir", ErrUnsafe)
	}
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	now, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("look at the rights of %s: %w", dir, err)
	}
	owner, _, err := now.Owner()
	if err != nil {
		return fmt.Errorf("look at the rights of %s: %w", dir, err)
	}
	if !windows.EqualSid(owner, self.User.Sid) && !owner.IsWellKnown(windows.WinLocalSystemSid) && !owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
		return fmt.Errorf("%w: it belongs to another user; remove it, or name another --state-dir", ErrUnsafe)
	}
	want, err := windows.SecurityDescriptorFromString(fmt.Sprintf(dirSDDL, self.User.Sid))
	if err != nil {
		return err
	}
	if strings.HasSuffix(now.String(), want.String()) {
		return nil
	}
	if entries, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(entries) > 0 && !(len(entries) == 1 && entries[0].Name() == tokensDir) && !exists(filepath.Join(dir, "lock")) && !exists(filepath.Join(filepath.Dir(dir), "lock")) {
		return fmt.Errorf("%w: it holds other things; name a folder of its own with --state-dir", ErrUnsafe)
	}
	acl, _, err := want.DACL()
	if err != nil {
		return err
	}
	if err := windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil); err != nil {
		return fmt.Errorf("close %s to others: %w", dir, err)
	}
	return nil
}

// lockWithin is how long a lock is tried: a service that has just ended may still
// hold it for a moment.
const lockWithin = time.Second

// lockFile takes the lock that ends with the process. The caller keeps the file.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWithin); ; time.Sleep(20 * time.Millisecond) {
		err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, windows.ERROR_LOCK_VIOLATION) && time.Now().Before(end):
			continue
		}
		f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, ErrInUse
		}
		return nil, err
	}
}

// syncDir does nothing: NTFS writes names to its own log before it answers, and a
// directory cannot be flushed here.
func syncDir(string) error { return nil }

// isFull tells whether err says that there is no space left.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// isFailedWrite tells that a write was refused before anything was synced:
// bbolt returns the error of a write with its path, the error of a sync bare.
func isFailedWrite(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && pe.Op != "sync"
}

// freeSpace is what this user may still write, in bytes.
func freeSpace(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, 1<<62)), nil
}

// dropPages does nothing: the system takes back clean mapped pages by itself.
func dropPages(uintptr, int64) {}

// sealedFor is mixed into what is sealed, so that no other program's data passes
// for a key of ours.
var sealedFor = []byte("aval: keys of this computer, 1")

// sealSecret seals a key with one of the computer's own, which lies outside of the
// disk's files that a backup or another system reads (DPAPI, Microsoft Learn,
// CryptProtectData). It is the computer's, not the user's: the service may come to
// run as another account. Who may read the file is settled by the folder.
func sealSecret(raw []byte) ([]byte, error) {
	var out windows.DataBlob
	if err := windows.CryptProtectData(blob(raw), nil, blob(sealedFor), 0, nil, windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, &out); err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return taken(out), nil
}

// openSecret opens what sealSecret sealed, on this computer alone.
func openSecret(sealed []byte) ([]byte, error) {
	var out windows.DataBlob
	if len(sealed) == 0 {
		return nil, ErrDamaged
	}
	if err := windows.CryptUnprotectData(blob(sealed), nil, blob(sealedFor), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out); err != nil {
		return nil, fmt.Errorf("%w: a key that this computer cannot open: %w", ErrDamaged, err)
	}
	return taken(out), nil
}

func blob(b []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)}
}

// taken copies what the system allotted, and gives it back empty.
func taken(b windows.DataBlob) []byte {
	theirs := unsafe.Slice(b.Data, b.Size)
	ours := append([]byte(nil), theirs...)
	clear(theirs)
	_, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data)))
	return ours
}
