package indicator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"

	"aval/ui/win32"
)

var (
	procRegisterClass  = win32.User32.NewProc("RegisterClassExW")
	procDefWindowProc  = win32.User32.NewProc("DefWindowProcW")
	procGetMessage     = win32.User32.NewProc("GetMessageW")
	procPeekMessage    = win32.User32.NewProc("PeekMessageW")
	procDispatch       = win32.User32.NewProc("DispatchMessageW")
	procPostThread     = win32.User32.NewProc("PostThreadMessageW")
	procSetWindowPos   = win32.User32.NewProc("SetWindowPos")
	procSetWindowRgn   = win32.User32.NewProc("SetWindowRgn")
	procValidateRect   = win32.User32.NewProc("ValidateRect")
	procGetCursorPos   = win32.User32.NewProc("GetCursorPos")
	procSetCapture     = win32.User32.NewProc("SetCapture")
	procReleaseCapture = win32.User32.NewProc("ReleaseCapture")
	procTrackMouse     = win32.User32.NewProc("TrackMouseEvent")
	procLoadCursor     = win32.User32.NewProc("LoadCursorW")
	procEnumMonitors   = win32.User32.NewProc("EnumDisplayMonitors")
	procMonitorInfo    = win32.User32.NewProc("GetMonitorInfoW")
	procDPIOfSystem    = win32.User32.NewProc("GetDpiForSystem")
	procDPIAwareness   = win32.User32.NewProc("SetProcessDpiAwarenessContext")
	procExtRegion      = win32.GDI32.NewProc("ExtCreateRegion")
	procSetDIBits      = win32.GDI32.NewProc("SetDIBitsToDevice")
)

// From winuser.h and wingdi.h (Microsoft Learn).
const (
	exTopmost    = 0x00000008
	exToolWindow = 0x00000080
	exNoActivate = 0x08000000

	wmDestroy       = 0x0002
	wmPaint         = 0x000F
	wmQuit          = 0x0012
	wmShowWindow    = 0x0018
	wmMouseActivate = 0x0021
	wmPosChanged    = 0x0047
	wmMouseMove     = 0x0200
	wmLeftDown      = 0x0201
	wmLeftUp        = 0x0202
	wmMouseLeave    = 0x02A3
	wmMake          = 0x8000 + 1 // ours: make the window, on the thread that serves it
	wmUnmake        = 0x8000 + 2
	maNoActivate    = 3

	swpNoSize     = 0x0001
	swpNoMove     = 0x0002
	swpNoZOrder   = 0x0004
	swpNoActivate = 0x0010
	swpShow       = 0x0040
	trackLeave    = 2
	cursorArrow   = 32512
)

type point struct{ x, y int32 }

type message struct {
	window  windows.HWND
	number  uint32
	wParam  uintptr
	lParam  uintptr
	time    uint32
	at      point
	private uint32
}

type windowClass struct {
	size, style        uint32
	proc               uintptr
	extra, extraWindow int32
	instance           windows.Handle
	icon, cursor       windows.Handle
	background         windows.Handle
	menu, name         *uint16
	iconSmall          windows.Handle
}

type monitorInfo struct {
	size          uint32
	monitor, work windows.Rect
	flags         uint32
}

// bitmap is a BITMAPINFOHEADER.
type bitmap struct {
	size          uint32
	width, height int32
	planes, bits  uint16
	compression   uint32
	image         uint32
	ppmX, ppmY    int32
	used, needed  uint32
}

// className is that of the bar's window: the question keeps off it.
const className = "aval-indicator"

// desk is the desktop of Windows, and the bar's window on it. The window belongs
// to a thread of its own that serves its messages.
type desk struct {
	out    chan happening
	thread uint32
	ended  chan struct{}
	once   sync.Once

	mu     sync.Mutex // guards what both threads know
	win    windows.HWND
	inside bool // the pointer is over it
	make   made
	buf    []byte
}

// made is the making of a window, by its thread.
type made struct {
	at, size image.Point
	title    string
	done     chan error
}

// desks finds the desk of a window's thread.
var (
	desks    sync.Map // thread id → *desk
	barProc  = sync.OnceValue(func() uintptr { return windows.NewCallback(onMessage) })
	oneClass = sync.OnceValue(registerClass)
	everyOne = sync.OnceValue(func() uintptr { return windows.NewCallback(onMonitor) })
)

// Open makes ready to show the bar. It shows nothing until Show.
func Open(o Options) (Indicator, error) {
	for _, d := range []*windows.LazyDLL{win32.User32, win32.GDI32} {
		if err := d.Load(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if procDPIAwareness.Find() == nil {
		procDPIAwareness.Call(win32.PerMonitorV2) // fails where it is set already
	}
	d := &desk{out: make(chan happening, 256), ended: make(chan struct{})}
	started := make(chan error, 1)
	go d.serve(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return start(d, o), nil
}

// serve is the window's thread.
func (d *desk) serve(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(d.ended)
	defer close(d.out)
	d.thread = windows.GetCurrentThreadId()
	desks.Store(d.thread, d)
	defer desks.Delete(d.thread)
	if err := oneClass(); err != nil {
		started <- err
		return
	}
	var m message
	procPeekMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0, 0) // makes the queue
	started <- nil
	for {
		got, _, _ := procGetMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0)
		switch {
		case int32(got) <= 0:
			d.unmake()
			return
		case m.window == 0 && m.number == wmMake:
			d.make.done <- d.makeWindow()
		case m.window == 0 && m.number == wmUnmake:
			d.unmake()
			d.make.done <- nil
		default:
			procDispatch.Call(uintptr(unsafe.Pointer(&m)))
		}
	}
}

func registerClass() error {
	name, err := windows.UTF16PtrFromString(className)
	if err != nil {
		return err
	}
	var self windows.Handle
	if err := windows.GetModuleHandleEx(windows.GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, nil, &self); err != nil {
		return fmt.Errorf("find own module: %w", err)
	}
	cursor, _, _ := procLoadCursor.Call(0, cursorArrow)
	c := windowClass{proc: barProc(), instance: self, cursor: windows.Handle(cursor), name: name}
	c.size = uint32(unsafe.Sizeof(c))
	if ok, _, err := procRegisterClass.Call(uintptr(unsafe.Pointer(&c))); ok == 0 {
		return fmt.Errorf("register window class: %w", err)
	}
	return nil
}

func (d *desk) makeWindow() error {
	class, err1 := windows.UTF16PtrFromString(className)
	title, err2 := windows.UTF16PtrFromString(d.make.title)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	w, _, err := win32.CreateWindow.Call(exTopmost|exToolWindow|exNoActivate, uintptr(unsafe.Pointer(class)), uintptr(unsafe.Pointer(title)), win32.StylePopup,
		uintptr(d.make.at.X), uintptr(d.make.at.Y), uintptr(d.make.size.X), uintptr(d.make.size.Y), 0, 0, 0, 0)
	if w == 0 {
		return fmt.Errorf("create window: %w", err)
	}
	d.mu.Lock()
	d.win = windows.HWND(w)
	d.mu.Unlock()
	return nil
}

func (d *desk) unmake() {
	d.mu.Lock()
	w := d.win
	d.win, d.inside = 0, false
	d.mu.Unlock()
	if w != 0 {
		win32.DestroyWindow.Call(uintptr(w))
	}
}

// onMessage is called on the window's thread. It waits for nobody: what does not
// fit is left out, and the next look finds what matters.
func onMessage(w windows.HWND, number, wParam, lParam uintptr) uintptr {
	v, ok := desks.Load(windows.GetCurrentThreadId())
	if ok {
		d := v.(*desk)
		at := image.Pt(int(int16(lParam)), int(int16(lParam>>16)))
		switch number {
		case wmPaint:
			procValidateRect.Call(uintptr(w), 0)
			d.tell(happening{what: exposed})
			return 0
		case wmMouseActivate:
			return maNoActivate
		case wmShowWindow:
			if wParam == 0 {
				d.tell(happening{what: gone})
			}
		case wmDestroy:
			d.tell(happening{what: gone})
		case wmPosChanged:
			d.tell(happening{what: overlaid})
			return 0
		case wmMouseMove:
			d.track(w)
			d.tell(happening{moved, at, cursor()})
			return 0
		case wmMouseLeave:
			d.mu.Lock()
			d.inside = false
			d.mu.Unlock()
			d.tell(happening{what: left})
			return 0
		case wmLeftDown:
			procSetCapture.Call(uintptr(w))
			d.tell(happening{pressed, at, cursor()})
			return 0
		case wmLeftUp:
			procReleaseCapture.Call()
			d.tell(happening{released, at, cursor()})
			return 0
		}
	}
	r, _, _ := procDefWindowProc.Call(uintptr(w), number, wParam, lParam)
	return r
}

func (d *desk) tell(h happening) {
	select {
	case d.out <- h:
	default:
	}
}

// track asks to be told when the pointer leaves (TrackMouseEvent, once each time).
func (d *desk) track(w windows.HWND) {
	d.mu.Lock()
	was := d.inside
	d.inside = true
	d.mu.Unlock()
	if was {
		return
	}
	t := struct {
		size, flags uint32
		window      windows.HWND
		hover       uint32
	}{flags: trackLeave, window: w}
	t.size = uint32(unsafe.Sizeof(t))
	procTrackMouse.Call(uintptr(unsafe.Pointer(&t)))
}

func cursor() image.Point {
	var p point
	if ok, _, _ := procGetCursorPos.Call(uintptr(unsafe.Pointer(&p))); ok == 0 {
		return image.Pt(-1, -1)
	}
	return image.Pt(int(p.x), int(p.y))
}

func (d *desk) events() <-chan happening { return d.out }

func (d *desk) pointer() image.Point { return cursor() }

func (d *desk) window() uintptr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return uintptr(d.win)
}

// id is the handle: its low 32 bits are all of it (Microsoft Learn,
// "Interprocess Communication Between 32-bit and 64-bit Applications").
func (d *desk) id() uint32 { return uint32(d.window()) }

// onThread has the window's thread do what it alone can.
func (d *desk) onThread(number uintptr) error {
	if ok, _, err := procPostThread.Call(uintptr(d.thread), number, 0, 0); ok == 0 {
		return fmt.Errorf("reach the thread of the bar: %w", err)
	}
	select {
	case err := <-d.make.done:
		return err
	case <-d.ended:
		return errors.New("the thread of the bar has ended")
	}
}

func (d *desk) open(at, size image.Point, outline []image.Rectangle, title string) error {
	d.make = made{at, size, title, make(chan error, 1)}
	if err := d.onThread(wmMake); err != nil {
		return err
	}
	d.resize(size, outline)
	d.again()
	return nil
}

func (d *desk) hide() {
	if d.window() != 0 {
		d.make.done = make(chan error, 1)
		_ = d.onThread(wmUnmake) // a thread that has ended took its window along
	}
}

func (d *desk) close() {
	d.once.Do(func() { procPostThread.Call(uintptr(d.thread), wmQuit, 0, 0) })
}

// topmost is HWND_TOPMOST.
const topmost = ^uintptr(0)

func (d *desk) resize(size image.Point, outline []image.Rectangle) {
	w := d.window()
	procSetWindowPos.Call(w, 0, 0, 0, uintptr(size.X), uintptr(size.Y), swpNoMove|swpNoZOrder|swpNoActivate)
	// The outline is data of a region: a head of 32 bytes and the rectangles (RGNDATA).
	raw := binary.LittleEndian.AppendUint32(nil, 32)
	for _, v := range []int{1, len(outline), 16 * len(outline), 0, 0, size.X, size.Y} {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
	}
	for _, r := range outline {
		for _, v := range []int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y} {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		}
	}
	if region, _, _ := procExtRegion.Call(0, uintptr(len(raw)), uintptr(unsafe.Pointer(&raw[0]))); region != 0 {
		procSetWindowRgn.Call(w, region, 1) // which owns it from here on
	}
}

func (d *desk) move(at image.Point) {
	procSetWindowPos.Call(d.window(), 0, uintptr(at.X), uintptr(at.Y), 0, 0, swpNoSize|swpNoZOrder|swpNoActivate)
}

func (d *desk) raise() {
	procSetWindowPos.Call(d.window(), topmost, 0, 0, 0, 0, swpNoSize|swpNoMove|swpNoActivate)
}

func (d *desk) again() {
	procSetWindowPos.Call(d.window(), topmost, 0, 0, 0, 0, swpNoSize|swpNoMove|swpNoActivate|swpShow)
}

// put sends the pixels as a picture of 32 bits from the top (a negative height).
func (d *desk) put(img *image.RGBA) {
	w := d.window()
	dc, release, err := win32.DC(w)
	if err != nil {
		return
	}
	defer release()
	size := img.Bounds().Size()
	if n := 4 * size.X * size.Y; cap(d.buf) < n {
		d.buf = make([]byte, n)
	} else {
		d.buf = d.buf[:n]
	}
	for y := range size.Y {
		src, dst := img.Pix[y*img.Stride:], d.buf[4*y*size.X:]
		for x := 0; x < 4*size.X; x += 4 {
			dst[x], dst[x+1], dst[x+2], dst[x+3] = src[x+2], src[x+1], src[x], 0xFF
		}
	}
	b := bitmap{width: int32(size.X), height: -int32(size.Y), planes: 1, bits: 32}
	b.size = uint32(unsafe.Sizeof(b))
	procSetDIBits.Call(dc, 0, 0, uintptr(size.X), uintptr(size.Y), 0, 0, 0, uintptr(size.Y), uintptr(unsafe.Pointer(&d.buf[0])), uintptr(unsafe.Pointer(&b)), 0)
}

func (d *desk) state() (at image.Rectangle, shown bool, err error) {
	w := d.window()
	if w == 0 || !windows.IsWindow(windows.HWND(w)) {
		return image.Rectangle{}, false, errNotThere
	}
	if !win32.Drawn(w) {
		return image.Rectangle{}, false, nil
	}
	at, ok := win32.Place(w)
	if !ok {
		return image.Rectangle{}, false, errNotThere
	}
	return at, true, nil
}

// above lists the windows in front of the bar that can be seen.
func (d *desk) above() ([]image.Rectangle, error) { return win32.Above(d.window()) }

// found collects the monitors while they are counted; one at a time does so.
var found struct {
	sync.Mutex
	all []image.Rectangle
}

func onMonitor(monitor, _, _, _ uintptr) uintptr {
	info := monitorInfo{}
	info.size = uint32(unsafe.Sizeof(info))
	if ok, _, _ := procMonitorInfo.Call(monitor, uintptr(unsafe.Pointer(&info))); ok != 0 {
		const primary = 1 // MONITORINFOF_PRIMARY
		if r := win32.Rectangle(info.monitor); info.flags&primary != 0 {
			found.all = append([]image.Rectangle{r}, found.all...)
		} else {
			found.all = append(found.all, r)
		}
	}
	return 1
}

func (d *desk) monitors() (all []image.Rectangle, millimetres int) {
	found.Lock()
	defer found.Unlock()
	found.all = nil
	procEnumMonitors.Call(0, 0, everyOne(), 0)
	if len(found.all) == 0 {
		return []image.Rectangle{image.Rect(0, 0, 1024, 600)}, 0
	}
	return found.all, 0
}

func (d *desk) inUse(monitors []image.Rectangle) image.Rectangle {
	if len(monitors) == 1 {
		return monitors[0]
	}
	if w := windows.GetForegroundWindow(); w != 0 {
		if r, ok := win32.Place(uintptr(w)); ok {
			return monitorAt(monitors, r)
		}
	}
	p := cursor()
	return monitorAt(monitors, image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))})
}

func (d *desk) scale() float64 {
	if procDPIOfSystem.Find() != nil {
		return 1
	}
	dpi, _, _ := procDPIOfSystem.Call()
	return scaleFor(float64(dpi), 0, 0)
}
