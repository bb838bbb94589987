package viewmodel

import (
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
)

// Status is what the main window says about the service, a sentence a line.
type Status struct {
	Recording string // what is being recorded: the most important line
	Lines     []string
	// Administrator is what only whoever administers the computer can do.
	Administrator []string
	Sessions      []string // the open ones, each with its state
	Device        string   // the computer's name at the company; empty: none
}

// NewStatus puts the service's state into words; times are those of zone.
func NewStatus(s ipc.Status, open []ipc.SessionInfo, cat *assets.Catalog, zone *time.Location) Status {
	v := Status{Recording: cat.T("app.recording.none", nil)}
	if s.Recording > 0 {
		v.Recording = cat.N("app.recording", s.Recording, nil)
	}
	if s.Sessions > 0 {
		v.Lines = append(v.Lines, cat.N("app.sessions", s.Sessions, nil))
	} else {
		v.Lines = append(v.Lines, cat.T("app.sessions.none", nil))
	}
	v.Lines = append(v.Lines, company(s, cat)...)
	v.Lines = append(v.Lines, guests(s, cat)...)
	if s.Module == nil && Clean(s.Company, maxName) == "" {
		v.Administrator = []string{cat.T("app.company.none.code", nil)}
	}
	if s.Waiting > 0 {
		v.Lines = append(v.Lines, cat.N("app.waiting", int(s.Waiting), nil))
	}
	for _, note := range s.Notes {
		if note = Clean(note, 300); note != "" {
			v.Lines = append(v.Lines, note)
		}
	}
	for _, one := range open {
		v.Sessions = append(v.Sessions, session(one, cat, zone))
	}
	v.Device = device(s, cat)
	return v
}

// session says who is connected and what of it is recorded.
func session(s ipc.SessionInfo, cat *assets.Catalog, zone *time.Location) string {
	who := Clean(s.Supporter, maxName)
	if who == "" {
		who = cat.T("activity.nobody", nil)
	}
	state := Outcome(cat, s.Outcome)
	switch {
	case s.Paused:
		state = cat.T("app.session.paused", nil)
	case s.Recording:
		state = cat.T("app.session.recording", nil)
	case s.Outcome == consent.OutcomeAllowed:
		state = cat.T("app.session.held", nil)
	}
	return cat.T("app.session", assets.Args{"supporter": who, "tool": toolName(cat, s.Tool),
		"time": s.StartedAt.In(zone).Format("15:04"), "state": state})
}

// company says with which company and server this computer is connected.
func company(s ipc.Status, cat *assets.Catalog) []string {
	name, server := Clean(s.Company, maxName), Clean(s.Server, maxReaders)
	if m := s.Module; m != nil {
		return []string{cat.T("app.module", assets.Args{"module": Clean(m.Name, maxName), "server": Clean(m.Server, maxName), "company": Clean(m.Company, maxName)})}
	}
	if name == "" {
		return []string{cat.T("app.company.none", nil)}
	}
	key := "app.link.none"
	switch s.Link {
	case "connecting":
		key = "app.link.connecting"
	case "connected":
		key = "app.link.connected"
	case "refused":
		key = "app.link.refused"
	}
	first := cat.T("app.company", assets.Args{"company": name})
	if user := Clean(s.Account, maxName); user != "" {
		first = cat.T("app.account", assets.Args{"company": name, "user": user, "server": strings.TrimPrefix(server, "https://")})
	}
	return []string{first, cat.T(key, assets.Args{"server": server})}
}

// guests are the companies that asked for a session by a code.
func guests(s ipc.Status, cat *assets.Catalog) (lines []string) {
	for _, g := range s.Guests {
		lines = append(lines, cat.T("app.guest", assets.Args{"server": Clean(g.Server, maxName), "company": Clean(g.Company, maxName), "supporter": Clean(g.Supporter, maxName)}))
	}
	return lines
}

// device is the computer's name at the company; empty: it has none.
func device(s ipc.Status, cat *assets.Catalog) string {
	if id := Clean(s.Device, maxName); id != "" {
		return cat.T("app.device", assets.Args{"id": id})
	}
	return ""
}
