package main

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// freeBytes is what this user may still write in dir.
func freeBytes(dir string) (free uint64, err error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	return free, windows.GetDiskFreeSpaceEx(p, &free, nil, nil)
}

// open: who may read is the folder's access list there, not a mode.
func open(fs.DirEntry) bool { return false }
