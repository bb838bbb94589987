//go:build unix

package main

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// freeBytes is what this user may still write in dir.
func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// open tells whether others than the owner may use a file.
func open(e fs.DirEntry) bool {
	st, err := e.Info()
	return err == nil && e.Type()&fs.ModeSymlink == 0 && st.Mode().Perm()&0o077 != 0
}
