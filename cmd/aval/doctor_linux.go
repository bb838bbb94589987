package main

import "golang.org/x/sys/unix"

// clockSynchronised tells whether the kernel's clock is kept in step with a time
// server (adjtimex(2): STA_UNSYNC). known is false where it may not be asked.
func clockSynchronised() (yes, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}
