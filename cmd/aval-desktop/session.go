package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"aval/agent/event"
	"aval/agent/ipc"
)

// errRunning: another aval-desktop serves this display.
var errRunning = errors.New("already running on this display")

// session is the desktop session that this process was started in.
type session struct {
	display string // X display; on Windows and macOS what stands for it
	kind    string // x11, wayland, windows or aqua
	logind  string // session id of logind, or of Windows
	locale  string
	bus     string // address of the session bus (D-Bus), empty: there is none
}

// name is how the desktop is known: its display, or under Wayland its socket.
func (s session) name() string {
	return cmp.Or(s.display, os.Getenv("WAYLAND_DISPLAY"), s.logind)
}

// register is what the service is told. Nothing is offered where the bar cannot
// be shown: without it nothing may be recorded, so nobody is asked for it.
func (s session) register(bar bool) ipc.DesktopRegister {
	r := ipc.DesktopRegister{Display: s.name(), Type: s.kind, LogindID: s.logind, Locale: s.locale, Offers: []event.Group{}}
	if bar {
		r.Offers = s.offers()
	}
	return r
}

// offers are the groups whose events this desktop can deliver. Wayland shows a
// program only its own windows, and a desktop without an X display has nothing
// by which its programs would be known.
func (s session) offers() []event.Group {
	return slices.DeleteFunc(slices.Clone(event.Groups), func(g event.Group) bool {
		switch g {
		case event.Windows:
			return s.kind == "wayland" || s.display == ""
		case event.Commands, event.System, event.Files:
			return s.display == ""
		}
		return false
	})
}

// lock makes this process the only one for the display, for as long as it
// lives. The file is in the user's own run-time folder.
func (s session) lock() (release func(), err error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "aval-desktop-"+strconv.Itoa(os.Getuid()))
		if err := ownFolder(dir); err != nil {
			return nil, err
		}
	}
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == 0 {
			return '_'
		}
		return r
	}, s.name())
	path := filepath.Join(dir, "aval-desktop"+name+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := tryLock(f); err != nil {
		f.Close()
		if errors.Is(err, errRunning) {
			return nil, fmt.Errorf("%w: %s", errRunning, s.name())
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
