package main

import (
	"time"

	"aval/agent/ipc"
	"aval/ui/tray"
)

// tellEvery is how often a message may say that the bar cannot be seen.
const tellEvery = 30 * time.Second

// showTray brings the tray up to what is known.
func (d *desktop) showTray() {
	s := tray.State{Away: d.link == nil, Hidden: d.hidden || d.bar == nil}
	for _, one := range d.state.Sessions {
		if one.Ended {
			continue
		}
		if one.Paused || one.Held != "" {
			s.Paused++
		} else {
			s.Recording++
		}
		s.Stoppable = s.Stoppable || !one.Enforced
	}
	d.tray.Set(s)
	if s.Hidden && s.Recording > 0 && time.Since(d.told) > tellEvery {
		d.told = time.Now()
		d.tray.Tell(d.cat.T("tray.hidden.title", nil), d.cat.T("tray.hidden.text", nil))
	}
}

// chosenInTray does what was pressed in the tray's menu, perhaps by a program of
// the user: it stops or opens a window, and can allow nothing.
func (d *desktop) chosenInTray(c tray.Choice) {
	switch c {
	case tray.Stop:
		for _, s := range d.state.Sessions {
			if !s.Ended && !s.Enforced {
				d.chosen(ipc.RecordingControl{Session: s.Session, Action: "stop"})
			}
		}
	case tray.Main:
		d.open(windowMain)
	case tray.Activity:
		d.open(windowActivity)
	case tray.Settings:
		d.open(windowSettings)
	}
}
