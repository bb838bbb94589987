package winput

import (
	"image"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

var (
	procGetClientRect    = user32.NewProc("GetClientRect")
	procClientToScreen   = user32.NewProc("ClientToScreen")
	procGetWindowRect    = user32.NewProc("GetWindowRect")
	procGetWindow        = user32.NewProc("GetWindow")
	procGetSystemMetrics = user32.NewProc("GetSystemMetrics")
)

// From winuser.h (Microsoft Learn: GetWindow, GetSystemMetrics).
const (
	gwPrevious      = 3 // GW_HWNDPREV: the next one in front
	smRemoteSession = 0x1000
	smRemoteControl = 0x2001 // the session is controlled from another one
	maxLayers       = 4096   // more windows in front than that are no desktop
)

// look sees where a window is and what lies in front of it.
func look(handle uint32) (view, bool) {
	// What a thread is told of places depends on what it has said of itself.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _, _ := procSetDPIAwareness.Call(perMonitorAwareV2)
	if old == 0 {
		return view{}, false
	}
	defer procSetDPIAwareness.Call(old)

	w := windows.HWND(uintptr(int32(handle))) // handles are extended with their sign
	var pid uint32
	thread, err := windows.GetWindowThreadProcessId(w, &pid)
	if err != nil {
		return view{}, false
	}
	var inside windows.Rect
	var corner point
	if ok, _, _ := procGetClientRect.Call(uintptr(w), uintptr(unsafe.Pointer(&inside))); ok == 0 {
		return view{}, false
	}
	if ok, _, _ := procClientToScreen.Call(uintptr(w), uintptr(unsafe.Pointer(&corner))); ok == 0 {
		return view{}, false
	}
	v := view{pid: int(pid), place: image.Rect(0, 0, int(inside.Right), int(inside.Bottom)).Add(image.Pt(int(corner.x), int(corner.y)))}
	foremost := windows.GetForegroundWindow() == w
	front, all := inFront(w)
	v.clear = foremost && all && windows.IsWindowVisible(w) && !cloaked(w) && !v.place.Empty() && !covered(v.place, front)
	info := windows.GUIThreadInfo{Size: uint32(unsafe.Sizeof(windows.GUIThreadInfo{}))}
	v.focused = foremost && windows.GetGUIThreadInfo(thread, &info) == nil && info.Focus == w
	return v, true
}

// inFront lists the windows in front of one; all is false where it cannot be
// told which these are.
func inFront(w windows.HWND) (front []layer, all bool) {
	for range maxLayers {
		next, _, _ := procGetWindow.Call(uintptr(w), gwPrevious)
		if next == 0 {
			return front, windows.IsWindow(w) // else it went while we looked
		}
		w = windows.HWND(next)
		var r windows.Rect
		if ok, _, _ := procGetWindowRect.Call(next, uintptr(unsafe.Pointer(&r))); ok == 0 {
			return nil, false
		}
		front = append(front, layer{
			place: image.Rect(int(r.Left), int(r.Top), int(r.Right), int(r.Bottom)),
			shown: windows.IsWindowVisible(w), cloak: cloaked(w),
		})
	}
	return nil, false
}

// cloaked tells whether a window that calls itself visible is not drawn
// (Microsoft Learn, DWMWINDOWATTRIBUTE).
func cloaked(w windows.HWND) bool {
	var how uint32
	err := windows.DwmGetWindowAttribute(w, windows.DWMWA_CLOAKED, unsafe.Pointer(&how), uint32(unsafe.Sizeof(how)))
	return err == nil && how != 0
}

// remote tells whether this session is used from another computer.
func remote() bool {
	metric := func(n uintptr) bool { v, _, _ := procGetSystemMetrics.Call(n); return v != 0 }
	var session uint32
	err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session)
	var local uint64
	if err == nil {
		local, err = localSession()
	}
	return elsewhere(metric(smRemoteSession), metric(smRemoteControl), session, local, err)
}

// localSession is the number of the session on this computer's own screen.
func localSession() (uint64, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Terminal Server`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return 0, err
	}
	defer k.Close()
	n, _, err := k.GetIntegerValue("GlassSessionId")
	return n, err
}
