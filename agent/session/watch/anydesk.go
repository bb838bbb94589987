package watch

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"aval/agent/event"
)

// ToolAnyDesk is the name of sessions that AnyDesk's trace tells of.
const ToolAnyDesk = "anydesk"

var anyDeskFacts = facts{hears: []string{"begin", "end", "name and number", "names of transferred files (Windows)"}, missing: "the desktop: every unlocked one is asked"}

// anyDesk reads AnyDesk's trace, whose times are UTC. Sources: the lines in
// LOLRMM's yaml/anydesk.yaml, Velociraptor's Windows.Applications.AnyDesk and
// dissect.target's anydesk.py.
//
// A session begins when one that was asked for has been authenticated. A request
// alone is no login: anybody who knows the number can send one.
type anyDesk struct {
	sink Sink
	open []*adSession // oldest first
	done []string     // the processes whose sessions were over last
}

type adSession struct {
	process string
	client  string // the supporter's number
	name    string
	at      time.Time
	id      string
	begun   bool
}

func newAnyDesk(s Sink) logReader { return &anyDesk{sink: s} }

var (
	// Level, time, program, process, thread, on some systems more, module, message.
	adLine    = regexp.MustCompile(`^\s*[a-z]+\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\s+(\S+)\s+(\S+)\s+(?:\S+\s+){0,3}?(app\.\w+) - (.*)$`)
	adRequest = regexp.MustCompile(`^Incoming session request: (.*) ?\((\d{1,20})\)$`)
	adLogin   = regexp.MustCompile(`^(?:\d+: )?Authenticated (?:with permanent token|by local user|by password|with correct passphrase)\b`)
)

func (a *anyDesk) line(path, text string, now time.Time) {
	if base := filepath.Base(path); base == adTransfers {
		a.transfer(text)
		return
	}
	m := adLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	process, module, msg := m[3], m[4], strings.TrimSpace(m[5])
	at, err := time.Parse("2006-01-02 15:04:05.000", m[1])
	if err != nil {
		return
	}
	if f := adRequest.FindStringSubmatch(msg); f != nil && module == "app.backend_session" {
		a.request(&adSession{process: process, client: f[2], name: strings.TrimSpace(f[1]), at: earlier(at, now),
			id: f[2] + "-" + at.Format("20060102T150405.000")})
		return
	}
	switch {
	case module == "app.session" && adLogin.MatchString(msg):
		if s := a.waiting(process); s != nil {
			s.begun = true
			who := s.name + " (" + s.client + ")"
			if s.name == "" || s.name == "-" {
				who = s.client
			}
			a.sink.Begin(Found{Tool: ToolAnyDesk, ID: s.id, Supporter: who, StartedAt: s.at})
		}
	case (module == "app.backend_session" || module == "app.session") && adOver(msg):
		a.over(process)
	}
}

// adTransfers is the list of transferred files, in UTF-16, little endian:
//
//	Clipboard		2026-02-16, 20:31	start 	download	'driver.zip' (~0 B out of 4.20 MiB)
//
// (the sample in dissect.target's anydesk.py; the way is File Manager, too). Which
// side calls what an upload no source says, so that the direction is left out.
const adTransfers = "file_transfer_trace.txt"

// adFile is a line of it.
var adFile = regexp.MustCompile(`^[^\t]{1,40}\t+\d{4}-\d\d-\d\d, \d\d:\d\d\tstart *\t *(?:upload|download) *\t *'(.{1,1000})' \(~[^()\t]*\)\s*$`)

// transfer takes a line of the list as the file has it. It names no session: with
// several at once it is not told.
func (a *anyDesk) transfer(raw string) {
	raw = strings.TrimPrefix(raw, "\xFF\xFE")
	if len(raw)%2 != 0 {
		return // cut within a character
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])|uint16(raw[i+1])<<8)
	}
	m := adFile.FindStringSubmatch(string(utf16.Decode(units)))
	if m == nil {
		return
	}
	var in *adSession
	for _, s := range a.open {
		if !s.begun {
			continue
		}
		if in != nil {
			return
		}
		in = s
	}
	if in != nil {
		a.sink.Event(ToolAnyDesk, in.id, event.FileTransferred, map[string]string{"name": m[1]})
	}
}

// adOver tells whether a message ends a session.
func adOver(msg string) bool {
	return strings.HasPrefix(msg, "Session stopped") || strings.HasPrefix(msg, "Session closed by ") || strings.HasPrefix(msg, "The socket was closed remotely")
}

// request notes who asks to come in. The service and the program write the same
// line into their own files.
func (a *anyDesk) request(s *adSession) {
	for _, x := range a.open {
		if x.id == s.id {
			return
		}
	}
	if len(a.open) >= maxOpen {
		a.end(a.open[0])
	}
	a.open = append(a.open, s)
}

// waiting is the request that a process has answered: its own newest one, or the
// only one there is. nil: it cannot be told.
func (a *anyDesk) waiting(process string) *adSession {
	var own, any *adSession
	n := 0
	for _, s := range a.open {
		if s.begun {
			if s.process == process {
				return nil // the other file says it again
			}
			continue
		}
		any = s
		n++
		if s.process == process {
			own = s
		}
	}
	if own == nil && n == 1 {
		return any
	}
	return own
}

// over ends what a process had open. Its lines do not say which of several
// sessions is over; then all are, since none can be said to go on. A process
// that nothing is known of ends the only session there is; one whose session is
// over already says it a second time.
func (a *anyDesk) over(process string) {
	var own []*adSession
	for _, s := range a.open {
		if s.process == process {
			own = append(own, s)
		}
	}
	if len(own) == 0 && len(a.open) == 1 && !slices.Contains(a.done, process) {
		own = append(own, a.open[0])
	}
	for _, s := range own {
		a.end(s)
	}
}

func (a *anyDesk) end(s *adSession) {
	for i, x := range a.open {
		if x == s {
			a.open = append(a.open[:i:i], a.open[i+1:]...)
			break
		}
	}
	if a.done = append(a.done, s.process); len(a.done) > maxOpen {
		a.done = a.done[1:]
	}
	if s.begun {
		a.sink.End(ToolAnyDesk, s.id, Left)
	}
}
