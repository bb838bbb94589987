package store

import "syscall"

// dropPages tells the kernel that the mapped pages of the file are not needed
// now; they come back when read. Opening walks the whole database, and what it
// touched would count as this process's memory for good. The caller must hold
// a transaction open, so that the mapping cannot move.
func dropPages(addr uintptr, length int64) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, addr, uintptr(length), syscall.MADV_DONTNEED)
}
