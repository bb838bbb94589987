package consentview

import (
	"fmt"
	"image"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"aval/ui/shield"
	"aval/ui/win32"
)

var (
	procIsIconic     = win32.User32.NewProc("IsIconic")
	procFindWindow   = win32.User32.NewProc("FindWindowW")
	procThreadDPI    = win32.User32.NewProc("SetThreadDpiAwarenessContext")
	procParameters   = win32.User32.NewProc("SystemParametersInfoW")
	procCompatibleDC = win32.GDI32.NewProc("CreateCompatibleDC")
	procDIBSection   = win32.GDI32.NewProc("CreateDIBSection")
	procSelect       = win32.GDI32.NewProc("SelectObject")
	procDelete       = win32.GDI32.NewProc("DeleteObject")
	procDeleteDC     = win32.GDI32.NewProc("DeleteDC")
	procBitBlt       = win32.GDI32.NewProc("BitBlt")
)

// From winuser.h and wingdi.h (Microsoft Learn).
const (
	spiWorkArea   = 0x0030
	srcCopy       = 0x00CC0020
	lookEvery     = 50 * time.Millisecond
	barClass      = "aval-indicator"
	paintedHeight = 160 // of the window are looked at for its first frame
)

// Probe tells whether a window can be shown at all, and where on the main monitor
// one can be.
func Probe() (Screen, error) {
	for _, d := range []*windows.LazyDLL{win32.User32, win32.GDI32} {
		if err := d.Load(); err != nil {
			return Screen{}, fmt.Errorf("%w: %w", ErrCannotShow, err)
		}
	}
	if err := haveOpenGL(); err != nil {
		return Screen{}, err
	}
	defer realPixels()()
	var r windows.Rect
	if ok, _, err := procParameters.Call(spiWorkArea, 0, uintptr(unsafe.Pointer(&r)), 0); ok == 0 {
		return Screen{}, fmt.Errorf("%w: ask for the screen: %w", ErrCannotShow, err)
	}
	s := Screen{X: int(r.Left), Y: int(r.Top), Width: int(r.Right - r.Left), Height: int(r.Bottom - r.Top)}
	s.Bar = barDown(s)
	return s, nil
}

// realPixels has this thread told of places as they are on the screen, until the
// function that it returns is called.
func realPixels() (back func()) {
	runtime.LockOSThread()
	if procThreadDPI.Find() != nil {
		return runtime.UnlockOSThread
	}
	old, _, _ := procThreadDPI.Call(win32.PerMonitorV2)
	return func() {
		if old != 0 {
			procThreadDPI.Call(old)
		}
		runtime.UnlockOSThread()
	}
}

// barDown is how far down the bar reaches at the top of the screen now. A window
// that calls itself the bar gets a third at most.
func barDown(s Screen) int {
	class, err := windows.UTF16PtrFromString(barClass)
	if err != nil {
		return 0
	}
	w, _, _ := procFindWindow.Call(uintptr(unsafe.Pointer(class)), 0)
	if w == 0 || !windows.IsWindowVisible(windows.HWND(w)) {
		return 0
	}
	r, ok := win32.Place(w)
	if !ok || r.Min.X >= s.X+s.Width || r.Max.X <= s.X || r.Min.Y < s.Y || r.Max.Y-s.Y > s.Height/3 {
		return 0
	}
	return r.Max.Y - s.Y
}

// winSight looks at the window again and again: the system tells nobody when a
// window is covered.
type winSight struct {
	window uintptr
	out    chan change
	stop   chan struct{}
	once   sync.Once

	// Owned by follow.
	place   image.Rectangle
	focused bool
}

func watch(handle uintptr) (sight, error) {
	s := &winSight{window: handle, out: make(chan change, 64), stop: make(chan struct{})}
	if !windows.IsWindow(windows.HWND(handle)) {
		return nil, fmt.Errorf("%w: there is no window", ErrCannotShow)
	}
	go s.follow()
	return s, nil
}

func (s *winSight) changes() <-chan change { return s.out }

func (s *winSight) close() { s.once.Do(func() { close(s.stop) }) }

// follow owns the state; it ends with close and with the window.
func (s *winSight) follow() {
	defer close(s.out)
	defer realPixels()()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	painted, inSight, first := false, false, true
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if !windows.IsWindow(windows.HWND(s.window)) {
			s.tell(gone)
			return
		}
		disturbance := s.look() && !first
		first = false
		free := s.free()
		if free && !painted {
			if painted = s.painted(); painted {
				s.hide()
			}
		}
		if disturbance {
			s.tell(disturbed)
		}
		if now := painted && free; now != inSight {
			inSight = now
			if now {
				s.tell(seen)
			} else {
				s.tell(covered)
			}
		}
	}
}

func (s *winSight) tell(c change) {
	select {
	case s.out <- c:
	case <-s.stop:
	}
}

// hide keeps the window out of what a remote tool sends of the screen. What an
// answer is worth does not rest on it.
func (s *winSight) hide() {
	kept, err := shield.Exclude(s.window)
	if err != nil {
		slog.Info("the window can be seen from afar", "err", err)
		return
	}
	slog.Debug("the window is kept out of pictures", "kept", string(kept))
}

// look brings place and focus up to date, and tells whether the window was moved,
// or lost the focus that it had.
func (s *winSight) look() bool {
	place, _ := win32.Place(s.window)
	focused := uintptr(windows.GetForegroundWindow()) == s.window
	changed := place != s.place || s.focused && !focused
	s.place, s.focused = place, focused
	return changed
}

// free tells whether the window is there and nothing lies in front of it.
func (s *winSight) free() bool {
	iconic, _, _ := procIsIconic.Call(s.window)
	if iconic != 0 || s.place.Empty() || !win32.Drawn(s.window) {
		return false
	}
	above, err := win32.Above(s.window)
	return err == nil && !slices.ContainsFunc(above, s.place.Overlaps)
}

// painted tells whether what the screen shows of the window's upper part is not of
// one colour or two: before the first frame it is, apart from a frame around it.
func (s *winSight) painted() bool {
	r := s.place.Inset(40)
	if r.Max.Y = min(r.Max.Y, r.Min.Y+paintedHeight); r.Empty() {
		return false
	}
	dc, release, err := win32.DC(0)
	if err != nil {
		return false
	}
	defer release()
	mem, _, _ := procCompatibleDC.Call(dc)
	if mem == 0 {
		return false
	}
	defer procDeleteDC.Call(mem)
	// A BITMAPINFOHEADER of 32 bits a pixel.
	head := struct {
		size          uint32
		width, height int32
		planes, bits  uint16
		rest          [6]uint32
	}{size: 40, width: int32(r.Dx()), height: -int32(r.Dy()), planes: 1, bits: 32}
	var pixels *uint32
	picture, _, _ := procDIBSection.Call(mem, uintptr(unsafe.Pointer(&head)), 0, uintptr(unsafe.Pointer(&pixels)), 0, 0)
	if picture == 0 || pixels == nil {
		return false
	}
	defer procDelete.Call(picture)
	before, _, _ := procSelect.Call(mem, picture)
	defer procSelect.Call(mem, before)
	if ok, _, _ := procBitBlt.Call(mem, 0, 0, uintptr(r.Dx()), uintptr(r.Dy()), dc, uintptr(r.Min.X), uintptr(r.Min.Y), srcCopy); ok == 0 {
		return false
	}
	colours := map[uint32]bool{}
	for _, p := range unsafe.Slice(pixels, r.Dx()*r.Dy()) {
		if colours[p&0xFFFFFF] = true; len(colours) > 8 {
			return true
		}
	}
	return false
}
