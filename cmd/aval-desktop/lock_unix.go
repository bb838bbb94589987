//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ownFolder makes dir, or takes it when it is this user's own and closed to others.
func ownFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.IsDir() || st.Uid != uint32(os.Getuid()) || fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not this user's own folder: set XDG_RUNTIME_DIR, or remove it", dir)
	}
	return nil
}

// tryLock takes the lock of f, or returns errRunning when another process has it.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errRunning
	}
	return err
}
