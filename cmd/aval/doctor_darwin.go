package main

import (
	"strings"

	"golang.org/x/sys/unix"
)

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

// toDo puts what to do into the words of this system, where nobody can be asked yet
// (docs/macos.md).
var toDo = strings.NewReplacer("install zenity or kdialog", "nothing can show a question on macOS yet, so nothing is recorded",
	"copy aval-ui beside aval, or to /usr/bin", "it is built on a Mac: installer/macos/build-ui.sh", "copy it beside aval, or to /usr/bin", "install the package again")
