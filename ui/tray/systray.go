//go:build linux || windows

package tray

import (
	"io"
	"log"
	"runtime"
	"sync"

	"fyne.io/systray"
)

// sys is the tray through systray, of which there is one to a process. The icon
// appears when the desktop has a place for it, also later, and goes with it.
type sys struct {
	o       Options
	choices chan Choice
	done    chan struct{}
	once    sync.Once

	mu    sync.Mutex // guards what follows
	now   look
	state *systray.MenuItem
	stop  *systray.MenuItem
}

// Open puts the icon into the tray. Where there is none it does nothing until
// one comes.
func Open(o Options) Tray {
	if !reachable(o) {
		return None{}
	}
	// The library prints what it finds odd, with words from outside.
	log.SetOutput(io.Discard)
	t := &sys{o: o, choices: make(chan Choice, 1), done: make(chan struct{}), now: lookOf(State{Away: true}, o.Catalog)}
	systray.SetTitle(o.Catalog.T("app.name", nil)) // before the start: it becomes the icon's name
	systray.SetIcon(native(icon(t.now.badge)))
	go func() {
		runtime.LockOSThread() // of the window's messages on Windows
		systray.Run(t.build, nil)
	}()
	go t.appear()
	return t
}

// build makes the menu, once: an open menu that is made anew closes in the
// person's hand. Later only texts change.
func (t *sys) build() {
	cat := t.o.Catalog
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = systray.AddMenuItem(t.now.text, "")
	t.state.Disable()
	t.stop = t.add("tray.stop", Stop)
	systray.AddSeparator()
	t.add("tray.main", Main)
	t.add("tray.activity", Activity)
	t.add("tray.settings", Settings)
	systray.SetTooltip(cat.T("app.name", nil) + " · " + t.now.text)
	if !t.now.stop {
		t.stop.Disable()
	}
}

func (t *sys) add(key string, c Choice) *systray.MenuItem {
	item := systray.AddMenuItem(t.o.Catalog.T(key, nil), "")
	go func() {
		for {
			select {
			case <-item.ClickedCh:
			case <-t.done:
				return
			}
			if t.mu.Lock(); c == Stop && !t.now.stop { // greyed, and pressed over the bus all the same
				t.mu.Unlock()
				continue
			}
			t.mu.Unlock()
			select {
			case t.choices <- c:
			case <-t.done:
				return
			}
		}
	}()
	return item
}

func (t *sys) Set(s State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.now
	t.now = lookOf(s, t.o.Catalog)
	if t.now == was || t.state == nil {
		return // build brings in what came before it
	}
	if t.now.text != was.text {
		t.state.SetTitle(t.now.text)
		systray.SetTooltip(t.o.Catalog.T("app.name", nil) + " · " + t.now.text)
	}
	if t.now.badge != was.badge {
		systray.SetIcon(native(icon(t.now.badge)))
	}
	if t.now.stop != was.stop {
		if t.now.stop {
			t.stop.Enable()
		} else {
			t.stop.Disable()
		}
	}
}

func (t *sys) Choices() <-chan Choice { return t.choices }

func (t *sys) Close() {
	t.once.Do(func() {
		close(t.done)
		systray.Quit()
	})
}
