//go:build linux || darwin

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// checkDir refuses a directory that somebody else may write to.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%w: it is not a directory", ErrUnsafe)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%w; give it to the user that runs aval, or name another --state-dir", ErrForeign)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: others may write to it; run chmod go-w on it, or name another --state-dir", ErrUnsafe)
	}
	return nil
}

// lockWithin is how long a lock is tried: a service that has just ended may still
// hold it for a moment, through a child that it was starting (it lives as long
// as any copy of its descriptor, flock(2)).
const lockWithin = time.Second

// lockFile takes the lock that ends with the process. The caller keeps the file.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWithin); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(end):
			continue
		}
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, err
	}
}

// syncDir makes names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// isFull tells whether err says that there is no space left.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// isFailedWrite tells that a write was refused before anything was synced:
// bbolt returns the error of a write with its path, the error of a sync bare.
func isFailedWrite(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && pe.Op != "sync"
}

// freeSpace is what this user may still write, in bytes.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// sealSecret leaves a key as it is: the folder is its user's alone, and there is
// no key of the computer's that every system here has.
func sealSecret(raw []byte) ([]byte, error) { return raw, nil }

// openSecret is its inverse.
func openSecret(raw []byte) ([]byte, error) { return raw, nil }
