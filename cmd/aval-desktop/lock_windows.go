package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// ownFolder makes dir, in the user's own folder for temporary files, or takes it
// when it is one.
func ownFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	if fi, err := os.Lstat(dir); err != nil {
		return err
	} else if !fi.IsDir() {
		return fmt.Errorf("%s is not a folder: remove it", dir)
	}
	return nil
}

// tryLock takes the lock of f, or returns errRunning when another process has it.
func tryLock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errRunning
	}
	return err
}
