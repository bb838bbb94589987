package viewmodel

import (
	"aval/agent/ipc"
	"aval/assets"
)

// Status is what the main window says about the service, a sentence a line.
type Status struct {
	Recording string // what is being recorded: the most important line
	Lines     []string
	Device    string // the computer's name at the company; empty: none
}

// NewStatus puts the service's state into words.
func NewStatus(s ipc.Status, cat *assets.Catalog) Status {
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
	if s.Waiting > 0 {
		v.Lines = append(v.Lines, cat.N("app.waiting", int(s.Waiting), nil))
	}
	for _, note := range s.Notes {
		if note = Clean(note, 300); note != "" {
			v.Lines = append(v.Lines, note)
		}
	}
	v.Device = device(s, cat)
	return v
}

// company says with which company and server this computer is connected.
func company(s ipc.Status, cat *assets.Catalog) []string {
	name, server := Clean(s.Company, maxName), Clean(s.Server, maxReaders)
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
	return []string{cat.T("app.company", assets.Args{"company": name}), cat.T(key, assets.Args{"server": server})}
}

// device is the computer's name at the company; empty: it has none.
func device(s ipc.Status, cat *assets.Catalog) string {
	if id := Clean(s.Device, maxName); id != "" {
		return cat.T("app.device", assets.Args{"id": id})
	}
	return ""
}
