package indicator

import (
	"image"
	"sync"
	"time"

	"aval/agent/ipc"
	"aval/assets"
)

// surface is a screen with one window on it, the bar's. It is called from one
// goroutine.
type surface interface {
	// monitors lists them, the first one first, and its width in millimetres, 0: unknown.
	monitors() (all []image.Rectangle, millimetres int)
	inUse(monitors []image.Rectangle) image.Rectangle // on which the person works
	pointer() image.Point
	scale() float64
	// events tells what happens to the window; it is closed when the screen is gone.
	events() <-chan happening

	// open makes the window and shows it above all others.
	open(at, size image.Point, outline []image.Rectangle, title string) error
	hide()      // takes the window away
	id() uint32 // of the window; 0: there is none
	resize(size image.Point, outline []image.Rectangle)
	move(at image.Point)
	raise()
	put(img *image.RGBA)
	// state is where the window really is, and whether it is shown.
	state() (at image.Rectangle, shown bool, err error)
	again() // shows it, after somebody hid it
	above() ([]image.Rectangle, error)
	close()
}

// happening is what befell the window.
type happening struct {
	what what
	at   image.Point // in the window
	on   image.Point // on the screen
}

type what int

const (
	exposed what = iota // it must be painted
	overlaid
	gone // hidden or destroyed by somebody
	moved
	entered
	left
	pressed
	released
)

// start runs a bar on a surface.
func start(s surface, o Options) Indicator {
	b := &board{
		s: s, o: o, own: o.Catalog, cat: o.Catalog,
		wake: make(chan struct{}, 1), closing: make(chan struct{}),
		visible: make(chan State, 1), actions: make(chan ipc.RecordingControl), views: make(chan string), done: make(chan struct{}),
	}
	go b.run(s.events())
	return b
}

// board is the bar on a surface. What is below the line is owned by run.
type board struct {
	s surface
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
	img *image.RGBA
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

func (b *board) Show(state ipc.Indicator) {
	b.mu.Lock()
	b.next = &state
	b.mu.Unlock()
	b.poke()
}

func (b *board) Report(c ipc.RecordingControl, err error) {
	b.mu.Lock()
	b.reports = append(b.reports, reported{c, err})
	b.mu.Unlock()
	b.poke()
}

func (b *board) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *board) Visible() <-chan State                { return b.visible }
func (b *board) Actions() <-chan ipc.RecordingControl { return b.actions }
func (b *board) Views() <-chan string                 { return b.views }

func (b *board) Close() error {
	b.once.Do(func() { close(b.closing) })
	return nil
}

// run is the bar's owner.
func (b *board) run(events <-chan happening) {
	defer close(b.visible)
	defer close(b.done)
	defer func() {
		b.s.close()
		go func() { // so that whoever tells of them can end
			for range events {
			}
		}()
	}()
	second, beat := stopped(), stopped()
	defer second.Stop()
	defer beat.Stop()
	for {
		select {
		case <-b.closing:
			return
		case <-b.wake:
			was := b.there()
			b.take(time.Now())
			if shows := b.there(); shows != was || shows {
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
			if b.there() {
				second.Reset(time.Second)
			}
		case <-beat.C:
			b.look(time.Now(), true)
			switch {
			case b.urgent():
				beat.Reset(quickBeat)
			case b.there():
				beat.Reset(Beat)
			}
		}
	}
}

// pass hands over what the person chose; false: the bar is closing.
func (b *board) pass(c ipc.RecordingControl) bool {
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
func (b *board) urgent() bool {
	return b.there() && b.covered >= 0.5 && b.said.Visible
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// take brings in what came from outside.
func (b *board) take(now time.Time) {
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
	if next != nil && b.there() {
		b.look(now, true)
	}
}

// speak changes the language; empty: that of Options. A font that cannot be had
// leaves the language as it was.
func (b *board) speak(lang string) {
	own := b.o.Catalog
	if lang != "" {
		own = assets.For(lang, own.Lang)
	}
	if own == b.own {
		return
	}
	if !b.there() { // appear finds the font
		b.own, b.cat = own, own
		return
	}
	if p, err := newPen(b.s.scale(), own.Lang); err == nil {
		b.own, b.pen = own, p
		b.cat = p.face.readable(own)
	}
}

// redraw makes the window show the rows as they are now.
func (b *board) redraw(now time.Time) {
	rows := b.rows(b.cat, now)
	if len(rows) == 0 {
		b.hide()
		return
	}
	monitors, _ := b.s.monitors()
	if !b.there() {
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
func (b *board) clear(monitor image.Rectangle, at image.Point, was image.Rectangle) image.Point {
	at = inside(monitor, b.f.size, at)
	pointer := b.s.pointer()
	if pointer.In(was) || !pointer.In(image.Rectangle{Min: at, Max: at.Add(b.f.size)}) {
		return at
	}
	return place(monitor, b.f.size, pointer, b.pen.px(near))
}

func (b *board) rect() image.Rectangle { return image.Rectangle{Min: b.at, Max: b.at.Add(b.f.size)} }

// appear makes the window and puts it on the screen, away from the pointer.
func (b *board) appear(rows []row, monitor image.Rectangle, now time.Time) error {
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

	if err := b.s.open(b.at, b.f.size, b.pen.outline(b.f.size), b.cat.T("app.name", nil)); err != nil {
		return err
	}
	b.img = image.NewRGBA(image.Rectangle{Max: b.f.size})
	return nil
}

// there tells whether there is a window.
func (b *board) there() bool { return b.s.id() != 0 }

func (b *board) hide() {
	b.s.hide()
	b.img, b.pen, b.f, b.said = nil, nil, frame{}, State{}
}

func (b *board) resize() {
	b.s.resize(b.f.size, b.pen.outline(b.f.size))
	b.img = image.NewRGBA(image.Rectangle{Max: b.f.size})
}

func (b *board) move(at image.Point) {
	b.at = at
	b.s.move(at)
}

// paint draws the frame and sends it.
func (b *board) paint() {
	if !b.there() || b.img == nil {
		return
	}
	hot := b.under(b.pointer)
	b.pen.draw(b.img, b.f, hot, b.pressed >= 0 && b.pressed == hot)
	b.s.put(b.img)
}

// under returns the button at a place in the bar, -1: none.
func (b *board) under(at image.Point) int {
	for i, h := range b.f.hits() {
		if at.In(h.rect) && !h.button.idle {
			return i
		}
	}
	return -1
}
