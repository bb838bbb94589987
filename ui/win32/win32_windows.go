package win32

import (
	"errors"
	"image"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The libraries of windows and of drawing, and what is called of both by several.
var (
	User32 = windows.NewLazySystemDLL("user32.dll")
	GDI32  = windows.NewLazySystemDLL("gdi32.dll")

	CreateWindow  = User32.NewProc("CreateWindowExW")
	DestroyWindow = User32.NewProc("DestroyWindow")

	procGetRect   = User32.NewProc("GetWindowRect")
	procGetWindow = User32.NewProc("GetWindow")
	procGetDC     = User32.NewProc("GetDC")
	procReleaseDC = User32.NewProc("ReleaseDC")
)

// From winuser.h and windef.h (Microsoft Learn).
const (
	StylePopup   = 0x80000000  // WS_POPUP
	PerMonitorV2 = ^uintptr(3) // DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2

	previous  = 3    // GW_HWNDPREV: the next one in front
	mostAbove = 4096 // more windows than that are no desktop
)

// Errors of Above.
var (
	errGone = errors.New("the windows change too fast")
	errMany = errors.New("there are too many windows")
)

// Rectangle is a place in the words of package image.
func Rectangle(r windows.Rect) image.Rectangle {
	return image.Rect(int(r.Left), int(r.Top), int(r.Right), int(r.Bottom))
}

// Place is where a window is on the screen, in pixels as this thread is told of them;
// false: there is none.
func Place(w uintptr) (image.Rectangle, bool) {
	var r windows.Rect
	ok, _, _ := procGetRect.Call(w, uintptr(unsafe.Pointer(&r)))
	return Rectangle(r), ok != 0
}

// Drawn tells whether a window is visible and not cloaked (DWMWA_CLOAKED).
func Drawn(w uintptr) bool {
	var how uint32
	err := windows.DwmGetWindowAttribute(windows.HWND(w), windows.DWMWA_CLOAKED, unsafe.Pointer(&how), uint32(unsafe.Sizeof(how)))
	return windows.IsWindowVisible(windows.HWND(w)) && (err != nil || how == 0)
}

// Above are the places of the windows in front of one that are drawn. It fails where
// that cannot be told.
func Above(w uintptr) ([]image.Rectangle, error) {
	var out []image.Rectangle
	for range mostAbove {
		next, _, _ := procGetWindow.Call(w, previous)
		if next == 0 {
			if !windows.IsWindow(windows.HWND(w)) { // it went while we looked
				return nil, errGone
			}
			return out, nil
		}
		w = next
		if r, ok := Place(w); ok && Drawn(w) {
			out = append(out, r)
		}
	}
	return nil, errMany
}

// DC is what is drawn on, of a window or, with 0, of the screen; release gives it back.
// The error is that of the system.
func DC(w uintptr) (dc uintptr, release func(), err error) {
	dc, _, err = procGetDC.Call(w)
	if dc == 0 {
		return 0, nil, err
	}
	return dc, func() { procReleaseDC.Call(w, dc) }, nil
}
