package winput

import (
	"image"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TestHooksOfWindows: the hooks are set and called by the system, and a press that a
// program made comes to them as one. The step before, pixels that are not scaled, is
// left out: Wine 8 knows no such thing, and Open refuses to hear there. Planted once:
// the flags of mouseRecord read one field too early.
func TestHooksOfWindows(t *testing.T) {
	heard := newPresses()
	started, ended := make(chan error, 1), make(chan struct{})
	var thread uint32 // written before started is told
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		thread = windows.GetCurrentThreadId()
		hook(thread, heard, started)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	// INPUT of winuser.h: a mouse event at the pointer's place, down and up.
	type input struct {
		kind        uint32
		_           uint32
		dx, dy      int32
		data, flags uint32
		time        uint32
		extra       uintptr
	}
	const leftDown, leftUp = 0x0002, 0x0004
	send := user32.NewProc("SendInput")
	in := []input{{flags: leftDown}, {flags: leftUp}}
	for end := time.Now().Add(30 * time.Second); ; {
		if n, _, err := send.Call(uintptr(len(in)), uintptr(unsafe.Pointer(&in[0])), unsafe.Sizeof(in[0])); n != 2 {
			t.Fatal("send input:", n, err)
		}
		heard.mu.Lock()
		list := slices.Clone(heard.list)
		heard.mu.Unlock()
		if len(list) > 0 {
			if p := list[0]; !p.injected || p.key || time.Since(p.at) > time.Minute {
				t.Errorf("%+v", p)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("no hook was called")
		}
	}
	if p, ok := heard.take(image.Rect(-1<<20, -1<<20, 1<<20, 1<<20), false); !ok || !p.injected {
		t.Errorf("what an answer would be held against: %+v, %v", p, ok)
	}
	if ok, _, err := procPostThreadMessage.Call(uintptr(thread), wmQuit, 0, 0); ok == 0 {
		t.Fatal(err)
	}
	<-ended
}
