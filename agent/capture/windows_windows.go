package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"aval/agent/event"
	"aval/agent/record"
)

var (
	user32             = windows.NewLazySystemDLL("user32.dll")
	procSetWinEvent    = user32.NewProc("SetWinEventHook")
	procUnhookWinEvent = user32.NewProc("UnhookWinEvent")
	procGetMessage     = user32.NewProc("GetMessageW")
	procPeekMessage    = user32.NewProc("PeekMessageW")
	procPostThread     = user32.NewProc("PostThreadMessageW")
	procWindowText     = user32.NewProc("GetWindowTextW")
	procEnumWindows    = user32.NewProc("EnumWindows")
	procSequence       = user32.NewProc("GetClipboardSequenceNumber")
	procClipOwner      = user32.NewProc("GetClipboardOwner")
)

// From winuser.h (Microsoft Learn: "Event Constants", SetWinEventHook).
const (
	eventForeground = 0x0003
	eventMinimized  = 0x0017 // EVENT_SYSTEM_MINIMIZEEND
	eventNameChange = 0x800C
	outOfContext    = 0x0000
	wmQuit          = 0x0012
	objectWindow    = 0
	maxTitle        = 1024
	// clipboardEvery is how often it is looked whether the clipboard's number has
	// changed: only a program with a window of its own would be told.
	clipboardEvery = time.Second
)

// StartWindows reports the window in front and its title, with each change, as
// event.WindowFocused, and that something was copied, never what, as
// event.ClipboardUsed, until Stop or until the last of grants has ended.
//
// The titles that are there when it returns count as from before the answer;
// they come as TitleBefore for as long as their window keeps them.
func StartWindows(ctx context.Context, w Windows, emit Emit, grants ...record.Verified) (*Running, error) {
	if _, err := newGate(emit, grants, windowKinds, time.Now()); err != nil {
		return nil, err
	}
	for _, p := range []*windows.LazyProc{procSetWinEvent, procUnhookWinEvent, procGetMessage, procPeekMessage, procPostThread, procWindowText, procEnumWindows, procSequence, procClipOwner} {
		if err := p.Find(); err != nil {
			return nil, fmt.Errorf("watch windows: %w: %w", ErrUnavailable, err)
		}
	}
	x := &desktopWindows{own: w.Own, old: newBefore(), pace: pace{last: map[uint32]time.Time{}}, changes: make(chan changed, 64)}
	started := make(chan error, 1)
	x.ended = make(chan struct{})
	go x.listen(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("watch windows: %w", err)
	}
	x.begin()
	return start(ctx, emit, grants, windowKinds, x.run)
}

// desktopKinds are what the watch of windows gives here.
var desktopKinds = windowKinds

// changed is what the system told: of which window, and whether only its title.
type changed struct {
	window windows.HWND
	title  bool
}

// desktopWindows watches the desktop of this process. It is owned by the goroutine
// of run; listen has a thread of its own.
type desktopWindows struct {
	own  func(pid int) bool
	old  *before
	pace pace

	changes chan changed
	thread  uint32
	ended   chan struct{}

	front  windows.HWND
	copies uintptr // the clipboard's number at the last look
	said   struct {
		window windows.HWND
		title  string
	}
}

var (
	watches   sync.Map // thread id → *desktopWindows
	watchProc = sync.OnceValue(func() uintptr { return windows.NewCallback(onWinEvent) })
	listProc  = sync.OnceValue(func() uintptr { return windows.NewCallback(onWindow) })
)

// onWinEvent is called on the thread that asked for the events.
func onWinEvent(_, number uintptr, w windows.HWND, object, child, _, _ uintptr) uintptr {
	v, ok := watches.Load(windows.GetCurrentThreadId())
	if !ok || int32(object) != objectWindow || int32(child) != 0 {
		return 0
	}
	select {
	case v.(*desktopWindows).changes <- changed{w, number == eventNameChange}:
	default: // one that waits already makes the front be looked at
	}
	return 0
}

// listen asks for the events and serves them until it is told to quit.
func (x *desktopWindows) listen(started chan<- error) {
	defer close(x.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	x.thread = windows.GetCurrentThreadId()
	watches.Store(x.thread, x)
	defer watches.Delete(x.thread)
	var m [64]byte // a MSG has 48
	procPeekMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0, 0)
	for _, e := range []uintptr{eventForeground, eventMinimized, eventNameChange} {
		hook, _, err := procSetWinEvent.Call(e, e, 0, watchProc(), 0, 0, outOfContext)
		if hook == 0 {
			started <- fmt.Errorf("ask for event %#x: %w", e, err)
			return
		}
		defer procUnhookWinEvent.Call(hook)
	}
	started <- nil
	for {
		if got, _, _ := procGetMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0); int32(got) <= 0 {
			return
		}
	}
}

// titles is what the list of windows is collected in; one watch at a time does so.
var titles struct {
	sync.Mutex
	into *before
	n    int
}

func onWindow(w windows.HWND, _ uintptr) uintptr {
	if titles.n++; titles.n > maxListed {
		titles.into.whole = false
		return 0
	}
	if t := titleOf(w); t != "" {
		titles.into.note(uint32(w), []string{t})
	}
	return 1
}

// maxListed is how many windows are looked at when recording begins.
const maxListed = 20000

// begin takes the titles from before.
func (x *desktopWindows) begin() {
	titles.Lock()
	titles.into, titles.n = x.old, 0
	procEnumWindows.Call(listProc(), 0)
	titles.into = nil
	titles.Unlock()
	x.copies, _, _ = procSequence.Call()
	x.refocus(time.Now())
	x.pace.due = x.pace.at // what is in front already has nothing to settle
}

// run reports until ctx ends.
func (x *desktopWindows) run(ctx context.Context, g *gate) error {
	defer x.old.forget()
	defer func() {
		if ok, _, _ := procPostThread.Call(uintptr(x.thread), wmQuit, 0, 0); ok != 0 {
			<-x.ended
		}
	}()
	due, copies := time.NewTimer(time.Hour), time.NewTicker(clipboardEvery)
	defer due.Stop()
	defer copies.Stop()
	for {
		x.pace.arm(due)
		select {
		case <-ctx.Done():
			return nil
		case <-x.ended:
			return errors.New("watch windows: the desktop is gone")
		case c := <-x.changes:
			if now := time.Now(); c.title {
				if c.window == x.front {
					x.pace.noticed(now, uint32(x.front), true)
				}
			} else {
				x.refocus(now)
			}
		case <-copies.C:
			x.tookClipboard(g, time.Now())
		case <-due.C:
			x.report(g, x.pace.look(time.Now(), uint32(x.front)))
		}
	}
}

// refocus looks which window is in front now.
func (x *desktopWindows) refocus(now time.Time) {
	if w := windows.GetForegroundWindow(); w != 0 && w != x.front { // 0 comes in between
		x.front = w
		x.pace.noticed(now, uint32(w), false)
	}
}

// report says what is in front.
func (x *desktopWindows) report(g *gate, at time.Time) {
	if x.front == 0 {
		return
	}
	program, own := x.programOf(x.front)
	if own {
		return
	}
	app, title := classOf(x.front), ""
	if t := titleOf(x.front); t != "" {
		title = x.old.shown(uint32(x.front), []string{t})
	}
	if app == "" && program == "" && title == "" || x.said.window == x.front && x.said.title == title {
		return // gone meanwhile, or said already
	}
	x.said.window, x.said.title = x.front, title
	g.pass(event.WindowFocused, at, map[string]string{"app": app, "program": program, "title": title})
}

// tookClipboard says that something was copied since the last look.
func (x *desktopWindows) tookClipboard(g *gate, now time.Time) {
	n, _, _ := procSequence.Call()
	if n == x.copies {
		return
	}
	x.copies = n
	w, _, _ := procClipOwner.Call()
	program, own := x.programOf(windows.HWND(w))
	if own {
		return
	}
	g.pass(event.ClipboardUsed, now, map[string]string{"app": cmp.Or(classOf(windows.HWND(w)), program)})
}

func classOf(w windows.HWND) string {
	var buf [257]uint16
	n, err := windows.GetClassName(w, &buf[0], int32(len(buf)))
	if err != nil {
		return ""
	}
	return windows.UTF16ToString(buf[:n])
}

// titleOf reads what the system keeps of a window's title; the window's own program
// is not asked, and cannot hold this up.
func titleOf(w windows.HWND) string {
	var buf [maxTitle]uint16
	n, _, _ := procWindowText.Call(uintptr(w), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	return windows.UTF16ToString(buf[:min(n, uintptr(len(buf)))])
}

// programOf is the base name of the program that a window belongs to, "" when
// unknown, and whether it is Aval's own: named aval-something, in the folder of
// this one, or started from here.
func (x *desktopWindows) programOf(w windows.HWND) (name string, own bool) {
	var pid uint32
	if _, err := windows.GetWindowThreadProcessId(w, &pid); err != nil || pid == 0 {
		return "", false
	}
	if pid == windows.GetCurrentProcessId() || x.own != nil && x.own(int(pid)) {
		return "", true
	}
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", false
	}
	defer windows.CloseHandle(h)
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(buf))
	if windows.QueryFullProcessImageName(h, 0, &buf[0], &n) != nil {
		return "", false
	}
	exe := windows.UTF16ToString(buf[:n])
	name = filepath.Base(exe)
	if self, err := os.Executable(); err == nil && strings.EqualFold(filepath.Dir(self), filepath.Dir(exe)) {
		own = strings.HasPrefix(strings.ToLower(name), "aval-")
	}
	return name, own
}
