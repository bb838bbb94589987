// Package win32 is what more than one of the windows asks of Windows itself: its
// libraries, where windows are, and which are in front of which. Elsewhere it is empty.
//
// The one rule that must not be broken: a library of the system's is named here once,
// and loaded out of the system's own folder.
package win32
