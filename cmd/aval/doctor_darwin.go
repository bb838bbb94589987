package main

import "golang.org/x/sys/unix"

// clockSynchronised is not known here.
func clockSynchronised() (yes, known bool) { return false, false }

// release is the version of macOS (sysctl(3): kern.osproductversion); empty: it is
// not told.
func release() string {
	v, err := unix.Sysctl("kern.osproductversion")
	if err != nil {
		return ""
	}
	return "macOS " + v
}

// reinstall is what helps against changed files.
const reinstall = "install the package again: sudo installer -pkg aval-….pkg -target /"
