package indicator

import (
	"fmt"
	"image"
	"os"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"aval/agent/ipc"
	"aval/assets"
)

// Open connects to the display. It shows nothing until Show.
func Open(o Options) (Indicator, error) {
	if o.Type == "wayland" {
		return nil, fmt.Errorf("%w: under Wayland no program can tell that its window is in front", ErrUnavailable)
	}
	s, err := openScreen(o.Display)
	if err != nil {
		return nil, err
	}
	b := &xbar{
		s: s, o: o, own: o.Catalog, cat: o.Catalog,
		wake: make(chan struct{}, 1), closing: make(chan struct{}),
		visible: make(chan State, 1), actions: make(chan ipc.RecordingControl), views: make(chan string), done: make(chan struct{}),
	}
	events := make(chan xgb.Event, 16)
	go func() {
		defer close(events)
		for {
			ev, err := s.x.WaitForEvent()
			if ev == nil && err == nil {
				return // the connection has ended
			}
			if ev == nil {
				continue // about a window that is gone: the next look tells
			}
			select {
			case events <- ev:
			case <-b.done:
				return
			}
		}
	}()
	go b.run(events)
	return b, nil
}

// xbar is the bar on an X display. What is below the line is owned by run.
type xbar struct {
	s *screen
	o Options

	wake    chan struct{}
	closing chan struct{}
	once    sync.Once
	visible chan State
	actions chan ipc.RecordingControl
	views   chan string
	done    chan struct{}

	mu      sync.Mutex // guards what waits for run
	next    *ipc.Indicator
	reports []reported

	// ---
	bar
	own *assets.Catalog // in the language that the person chose, or that of Options
	cat *assets.Catalog // own, or English where that cannot be drawn
	pen *pen
	win xproto.Window
	gc  xproto.Gcontext
	img *image.RGBA
	buf []byte
	f   frame
	at  image.Point // the bar's place

	pointer   image.Point // in the bar; off: (-1,-1)
	pressed   int         // the button held down; -1: none
	drag      *image.Point
	countFrom time.Time // clicks count from here on
	overSince time.Time // since when it is pushed over an edge

	covered      float64 // how much of it was covered at the last look
	coveredSince time.Time
	lastRaise    time.Time
	lastLook     time.Time
	said         State
}

type reported struct {
	control ipc.RecordingControl
	err     error
}

func (b *xbar) Show(state ipc.Indicator) {
	b.mu.Lock()
	b.next = &state
	b.mu.Unlock()
	b.poke()
}

func (b *xbar) Report(c ipc.RecordingControl, err error) {
	b.mu.Lock()
	b.reports = append(b.reports, reported{c, err})
	b.mu.Unlock()
	b.poke()
}

func (b *xbar) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *xbar) Visible() <-chan State                { return b.visible }
func (b *xbar) Actions() <-chan ipc.RecordingControl { return b.actions }
func (b *xbar) Views() <-chan string                 { return b.views }

func (b *xbar) Close() error {
	b.once.Do(func() { close(b.closing) })
	return nil
}

// run is the bar's owner.
func (b *xbar) run(events <-chan xgb.Event) {
	defer close(b.visible)
	defer close(b.done)
	defer b.s.x.Close()
	second, beat := stopped(), stopped()
	defer second.Stop()
	defer beat.Stop()
	for {
		select {
		case <-b.closing:
			return
		case <-b.wake:
			was := b.win != 0
			b.take(time.Now())
			if shows := b.win != 0; shows != was || shows {
				if shows {
					second.Reset(time.Second)
					beat.Reset(Beat)
				} else { // nothing runs while nothing is shown
					second.Stop()
					beat.Stop()
				}
			}
		case ev, ok := <-events:
			if !ok {
				return
			}
			before := b.urgent()
			if c, chosen := b.handle(ev, time.Now()); chosen && !b.pass(c) {
				return
			}
			if b.urgent() && !before {
				beat.Reset(quickBeat)
			}
		case <-second.C:
			now := time.Now()
			b.tick(now)
			b.redraw(now)
			if b.win != 0 {
				second.Reset(time.Second)
			}
		case <-beat.C:
			b.look(time.Now(), true)
			switch {
			case b.urgent():
				beat.Reset(quickBeat)
			case b.win != 0:
				beat.Reset(Beat)
			}
		}
	}
}

// pass hands over what the person chose; false: the bar is closing.
func (b *xbar) pass(c ipc.RecordingControl) bool {
	actions, views := b.actions, b.views
	if c.Action == opView {
		actions = nil
	} else {
		views = nil
	}
	select {
	case actions <- c:
	case views <- c.Session:
	case <-b.closing:
		return false
	}
	return true
}

// urgent tells whether the bar is covered and that was not said yet.
func (b *xbar) urgent() bool {
	return b.win != 0 && b.covered >= 0.5 && b.said.Visible
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// take brings in what came from outside.
func (b *xbar) take(now time.Time) {
	b.mu.Lock()
	next, reports := b.next, b.reports
	b.next, b.reports = nil, nil
	b.mu.Unlock()
	for _, r := range reports {
		b.report(r.control, r.err, now)
	}
	if next != nil {
		b.speak(next.Language)
		b.show(*next, now)
	}
	b.redraw(now)
	if next != nil && b.win != 0 {
		b.look(now, true)
	}
}

// speak changes the language; empty: that of Options. A font that cannot be had
// leaves the language as it was.
func (b *xbar) speak(lang string) {
	own := b.o.Catalog
	if lang != "" {
		own = assets.For(lang, own.Lang)
	}
	if own == b.own {
		return
	}
	if b.win == 0 { // appear finds the font
		b.own, b.cat = own, own
		return
	}
	if p, err := newPen(b.s.scale(), own.Lang); err == nil {
		b.own, b.pen = own, p
		b.cat = p.face.readable(own)
	}
}

// redraw makes the window show the rows as they are now.
func (b *xbar) redraw(now time.Time) {
	rows := b.rows(b.cat, now)
	if len(rows) == 0 {
		b.hide()
		return
	}
	monitors, _ := b.s.monitors()
	if b.win == 0 {
		if err := b.appear(rows, b.s.inUse(monitors), now); err != nil {
			b.say(State{Revision: b.state.Revision, Why: err.Error()}, true)
			b.hide()
			return
		}
		b.countFrom = now.Add(settle)
	} else {
		m := monitorAt(monitors, b.rect())
		f := b.pen.measure(rows, b.cat, m.Dx()-2*b.pen.px(edge))
		if !sameButtons(f, b.f) {
			b.countFrom, b.pressed = now.Add(settleFor(rows)), -1
		}
		if f.size != b.f.size {
			mid, was := b.at.X+b.f.size.X/2, b.rect()
			b.f = f
			b.resize()
			b.move(b.clear(m, image.Pt(mid-f.size.X/2, b.at.Y), was))
		}
		b.f = f
	}
	b.paint()
}

func sameButtons(a, b frame) bool {
	x, y := a.hits(), b.hits()
	if len(x) != len(y) || a.size.X != b.size.X {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// clear is where the bar goes when it moves by itself to the place at: wholly
// onto the monitor, and not under a pointer that was not on the bar before.
func (b *xbar) clear(monitor image.Rectangle, at image.Point, was image.Rectangle) image.Point {
	at = inside(monitor, b.f.size, at)
	pointer := b.s.pointer()
	if pointer.In(was) || !pointer.In(image.Rectangle{Min: at, Max: at.Add(b.f.size)}) {
		return at
	}
	return place(monitor, b.f.size, pointer, b.pen.px(near))
}

func (b *xbar) rect() image.Rectangle { return image.Rectangle{Min: b.at, Max: b.at.Add(b.f.size)} }

// events that the bar's window is asked for.
const barEvents = xproto.EventMaskExposure | xproto.EventMaskStructureNotify | xproto.EventMaskVisibilityChange |
	xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease | xproto.EventMaskPointerMotion |
	xproto.EventMaskEnterWindow | xproto.EventMaskLeaveWindow

// appear makes the window and puts it on the screen, away from the pointer.
func (b *xbar) appear(rows []row, monitor image.Rectangle, now time.Time) error {
	var err error
	if b.pen, err = newPen(b.s.scale(), b.own.Lang); err != nil {
		return err
	}
	if b.cat = b.pen.face.readable(b.own); b.cat != b.own {
		rows = b.rows(b.cat, now)
	}
	b.f = b.pen.measure(rows, b.cat, monitor.Dx()-2*b.pen.px(edge))
	b.at = place(monitor, b.f.size, b.s.pointer(), b.pen.px(near))
	b.pointer, b.pressed, b.drag = image.Pt(-1, -1), -1, nil
	b.covered, b.coveredSince, b.overSince, b.lastRaise = 0, time.Time{}, time.Time{}, time.Time{}

	x := b.s.x
	win, err := xproto.NewWindowId(x)
	if err != nil {
		return err
	}
	// Not redirected: no window manager decides whether and where it is shown.
	err = xproto.CreateWindowChecked(x, xproto.WindowClassCopyFromParent, win, b.s.info.Root,
		int16(b.at.X), int16(b.at.Y), uint16(b.f.size.X), uint16(b.f.size.Y), 0,
		xproto.WindowClassInputOutput, b.s.info.RootVisual,
		xproto.CwBackPixel|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{b.s.info.BlackPixel, 1, barEvents}).Check()
	if err != nil {
		return fmt.Errorf("create window: %w", err)
	}
	b.win = win
	b.describe()
	if b.gc, err = xproto.NewGcontextId(x); err != nil {
		return err
	}
	xproto.CreateGC(x, b.gc, xproto.Drawable(win), 0, nil)
	b.resize()
	xproto.MapWindow(x, win)
	b.raise()
	return nil
}

// describe says to the desktop and to accessibility tools what the window is.
func (b *xbar) describe() {
	text := func(name string, typ xproto.Atom, s string) {
		xproto.ChangeProperty(b.s.x, xproto.PropModeReplace, b.win, b.s.atom(name), typ, 8, uint32(len(s)), []byte(s))
	}
	list := func(name string, typ xproto.Atom, values ...uint32) {
		raw := make([]byte, 4*len(values))
		for i, v := range values {
			xgb.Put32(raw[4*i:], v)
		}
		xproto.ChangeProperty(b.s.x, xproto.PropModeReplace, b.win, b.s.atom(name), typ, 32, uint32(len(values)), raw)
	}
	text("WM_NAME", xproto.AtomString, "Aval")
	text("_NET_WM_NAME", b.s.atom("UTF8_STRING"), b.cat.T("app.name", nil))
	text("WM_CLASS", xproto.AtomString, "aval-indicator\x00Aval\x00")
	list("_NET_WM_PID", xproto.AtomCardinal, uint32(os.Getpid()))
	list("_NET_WM_WINDOW_TYPE", xproto.AtomAtom, uint32(b.s.atom("_NET_WM_WINDOW_TYPE_DOCK")))
	list("_NET_WM_STATE", xproto.AtomAtom, uint32(b.s.atom("_NET_WM_STATE_ABOVE")), uint32(b.s.atom("_NET_WM_STATE_STICKY")))
}

func (b *xbar) hide() {
	if b.win != 0 {
		xproto.FreeGC(b.s.x, b.gc)
		xproto.DestroyWindow(b.s.x, b.win)
	}
	b.win, b.img, b.buf, b.pen, b.f, b.said = 0, nil, nil, nil, frame{}, State{}
}

func (b *xbar) resize() {
	xproto.ConfigureWindow(b.s.x, b.win, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight,
		[]uint32{uint32(b.f.size.X), uint32(b.f.size.Y)})
	b.s.setShape(b.win, b.pen.outline(b.f.size))
	b.img = image.NewRGBA(image.Rectangle{Max: b.f.size})
}

func (b *xbar) move(at image.Point) {
	b.at = at
	xproto.ConfigureWindow(b.s.x, b.win, xproto.ConfigWindowX|xproto.ConfigWindowY,
		[]uint32{uint32(int32(at.X)), uint32(int32(at.Y))})
}

func (b *xbar) raise() {
	xproto.ConfigureWindow(b.s.x, b.win, xproto.ConfigWindowStackMode, []uint32{xproto.StackModeAbove})
}

// paint draws the frame and sends it.
func (b *xbar) paint() {
	if b.win == 0 || b.img == nil {
		return
	}
	hot := b.under(b.pointer)
	b.pen.draw(b.img, b.f, hot, b.pressed >= 0 && b.pressed == hot)
	width, lines := b.f.size.X, max(1, b.s.chunk/b.s.format.stride(b.f.size.X))
	for y := 0; y < b.f.size.Y; y += lines {
		end := min(y+lines, b.f.size.Y)
		b.buf = b.s.format.convert(b.buf, b.img, width, y, end)
		xproto.PutImage(b.s.x, xproto.ImageFormatZPixmap, xproto.Drawable(b.win), b.gc,
			uint16(width), uint16(end-y), 0, int16(y), 0, b.s.format.depth, b.buf)
	}
}

// under returns the button at a place in the bar, -1: none.
func (b *xbar) under(at image.Point) int {
	for i, h := range b.f.hits() {
		if at.In(h.rect) && !h.button.idle {
			return i
		}
	}
	return -1
}
