package main

import (
	"context"
	"unsafe"

	"golang.org/x/sys/windows"
)

var procParameters = windows.NewLazySystemDLL("user32.dll").NewProc("SystemParametersInfoW")

// screenReader tells whether a screen reader runs, by what it has told the system
// (Microsoft Learn, SystemParametersInfo: SPI_GETSCREENREADER). The window has no
// accessibility tree that one could depend on; the native dialog has.
func screenReader(context.Context, string) bool {
	const get = 0x0046
	var on int32
	ok, _, _ := procParameters.Call(get, 0, uintptr(unsafe.Pointer(&on)), 0)
	return ok != 0 && on != 0
}
