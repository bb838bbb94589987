package winput

import (
	"context"
	"fmt"
	"image"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// every is how often the watched windows are looked at: no person reacts as fast
// as a window could come and go between two looks.
const every = 100 * time.Millisecond

var (
	user32                  = windows.NewLazySystemDLL("user32.dll")
	procSetWindowsHookEx    = user32.NewProc("SetWindowsHookExW")
	procUnhookWindowsHookEx = user32.NewProc("UnhookWindowsHookEx")
	procCallNextHookEx      = user32.NewProc("CallNextHookEx")
	procGetMessage          = user32.NewProc("GetMessageW")
	procPeekMessage         = user32.NewProc("PeekMessageW")
	procPostThreadMessage   = user32.NewProc("PostThreadMessageW")
	procSetDPIAwareness     = user32.NewProc("SetThreadDpiAwarenessContext")
	allProcs                = []*windows.LazyProc{procSetWindowsHookEx, procUnhookWindowsHookEx, procCallNextHookEx, procGetMessage, procPeekMessage, procPostThreadMessage, procSetDPIAwareness, procGetClientRect, procClientToScreen, procGetWindowRect, procGetWindow, procGetSystemMetrics}
	listeners               sync.Map // thread id → *presses: a hook is called on the thread that set it
	mouseProc               = sync.OnceValue(func() uintptr { return windows.NewCallback(onMouse) })
	keyProc                 = sync.OnceValue(func() uintptr { return windows.NewCallback(onKey) })
)

// From winuser.h (Microsoft Learn: SetWindowsHookExW, GetMessageW, "WM_QUIT
// message", DPI_AWARENESS_CONTEXT).
const (
	whKeyboardLL      = 13
	whMouseLL         = 14
	wmQuit            = 0x0012
	perMonitorAwareV2 = ^uintptr(3) // -4
)

type point struct{ x, y int32 }

// mouseRecord is MSLLHOOKSTRUCT, keyRecord KBDLLHOOKSTRUCT, message MSG (Microsoft Learn, winuser.h).
type (
	mouseRecord struct {
		at                point
		data, flags, time uint32
		extra             uintptr
	}
	keyRecord struct {
		code, scan, flags, time uint32
		extra                   uintptr
	}
	message struct {
		window  windows.HWND
		number  uint32
		wParam  uintptr
		lParam  uintptr
		time    uint32
		at      point
		private uint32
	}
)

// onMouse and onKey remember the record and return at once: Windows takes a hook
// away without a word that takes too long (Microsoft Learn, LowLevelMouseProc:
// LowLevelHooksTimeout). Then nothing is heard any more, and nothing counts.
func onMouse(code, wParam uintptr, r *mouseRecord) uintptr {
	if int32(code) >= 0 {
		if p, ok := listeners.Load(windows.GetCurrentThreadId()); ok {
			p.(*presses).mouse(mouse{message: uint32(wParam), at: image.Pt(int(r.at.x), int(r.at.y)), flags: r.flags}, time.Now())
		}
	}
	next, _, _ := procCallNextHookEx.Call(0, code, wParam, uintptr(unsafe.Pointer(r)))
	return next
}

func onKey(code, wParam uintptr, r *keyRecord) uintptr {
	if int32(code) >= 0 {
		if p, ok := listeners.Load(windows.GetCurrentThreadId()); ok {
			p.(*presses).key(key{message: uint32(wParam), code: r.code, flags: r.flags}, time.Now())
		}
	}
	next, _, _ := procCallNextHookEx.Call(0, code, wParam, uintptr(unsafe.Pointer(r)))
	return next
}

// Open hears the desktop of this process. It ends with ctx, and with Close. It
// fails where Windows is older than 10.0.15063, which cannot tell pixels for
// certain.
func Open(ctx context.Context) (*Witness, error) {
	for _, p := range allProcs {
		if err := p.Find(); err != nil {
			return nil, fmt.Errorf("listen for presses: %w", err)
		}
	}
	w := newWitness(screen{look: look, remote: remote})
	started, ended := make(chan error, 1), make(chan struct{})
	var thread uint32 // written before started is told
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with its hooks
		thread = windows.GetCurrentThreadId()
		listen(thread, w.heard, started)
	}()
	if err := <-started; err != nil {
		<-ended
		return nil, fmt.Errorf("listen for presses: %w", err)
	}
	w.stop = func() {
		// It fails only when the thread has ended already, or its queue is full;
		// then the hooks stay, and what they hear goes nowhere.
		if ok, _, _ := procPostThreadMessage.Call(uintptr(thread), wmQuit, 0, 0); ok != 0 {
			<-ended
		}
	}
	go func() {
		stopped := context.AfterFunc(ctx, w.Close)
		defer stopped()
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case now := <-t.C:
				w.tick(now)
			case <-ended:
				w.Close()
				return
			case <-w.done:
				return
			}
		}
	}()
	return w, nil
}

// listen hears on this thread, in pixels that are not scaled, until it is told to quit.
func listen(thread uint32, p *presses, started chan<- error) {
	if old, _, err := procSetDPIAwareness.Call(perMonitorAwareV2); old == 0 {
		started <- fmt.Errorf("ask for pixels that are not scaled: %w", err)
		return
	}
	hook(thread, p, started)
}

// hook sets both hooks and serves them until the thread is told to quit.
func hook(thread uint32, p *presses, started chan<- error) {
	var m message
	procPeekMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0, 0) // makes the queue to which wmQuit is posted
	var self windows.Handle
	if err := windows.GetModuleHandleEx(windows.GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, nil, &self); err != nil {
		started <- fmt.Errorf("find own module: %w", err)
		return
	}
	listeners.Store(thread, p)
	defer listeners.Delete(thread)
	for _, h := range []struct{ kind, call uintptr }{{whMouseLL, mouseProc()}, {whKeyboardLL, keyProc()}} {
		hook, _, err := procSetWindowsHookEx.Call(h.kind, h.call, uintptr(self), 0)
		if hook == 0 {
			started <- fmt.Errorf("set hook %d: %w", h.kind, err)
			return
		}
		defer procUnhookWindowsHookEx.Call(hook)
	}
	started <- nil
	// The hooks are called from within GetMessage; 0 is wmQuit and -1 a failure.
	for {
		if got, _, _ := procGetMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0); int32(got) <= 0 {
			return
		}
	}
}
