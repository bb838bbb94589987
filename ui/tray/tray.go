// Package tray is the icon in the desktop's tray: whether something is being
// recorded, the windows, and a stop.
//
// The one rule that must not be broken: nothing in it can allow anything. Its
// menu is reached over the session bus, where every program of the user can
// press an entry; so an entry may only stop something or open a window.
package tray

import (
	"aval/assets"
)

// Choice is an entry of the menu that was pressed.
type Choice int

// The choices. There is none that allows or resumes anything.
const (
	Stop Choice = iota
	Main
	Activity
	Settings
)

// State is what the icon and the first entry say.
type State struct {
	// Away: the service is not there, so nothing is recorded.
	Away bool
	// Recording is how many sessions are being recorded, Paused how many are
	// paused or held up.
	Recording, Paused int
	// Hidden: the bar cannot be seen, so nothing is recorded.
	Hidden bool
	// Stoppable: there is a recording that the person may stop.
	Stoppable bool
}

// Tray is the icon. Its methods do not block and may be called from any goroutine.
type Tray interface {
	Set(State)
	Choices() <-chan Choice
	// Tell shows a passing message of the desktop, where it has any.
	Tell(title, text string)
	// Close takes the icon away. It may be called more than once.
	Close()
}

// Options of Open.
type Options struct {
	// Catalog has the texts in the person's language.
	Catalog *assets.Catalog
	// Bus is the address of the session bus, as the process has it too (Linux);
	// empty: there is none.
	Bus string
}

// None is the tray of a desktop that has none.
type None struct{}

// Set implements Tray.
func (None) Set(State) {}

// Choices implements Tray: there are none.
func (None) Choices() <-chan Choice { return nil }

// Tell implements Tray.
func (None) Tell(string, string) {}

// Close implements Tray.
func (None) Close() {}

// look is what a state looks like.
type look struct {
	badge badge
	text  string
	stop  bool
}

func lookOf(s State, cat *assets.Catalog) look {
	switch {
	case s.Away:
		return look{badgeNone, cat.T("tray.away", nil), false}
	case s.Hidden && s.Recording+s.Paused > 0:
		return look{badgePaused, cat.T("tray.hidden", nil), s.Stoppable}
	case s.Recording > 0:
		return look{badgeRecording, cat.N("tray.recording", s.Recording, nil), s.Stoppable}
	case s.Paused > 0:
		return look{badgePaused, cat.T("tray.paused", nil), s.Stoppable}
	}
	return look{badgeNone, cat.T("tray.nothing", nil), false}
}
