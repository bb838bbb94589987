package watch

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ToolTeamViewer is the name of sessions that TeamViewer's log tells of.
const ToolTeamViewer = "teamviewer"

var teamViewerFacts = facts{hears: []string{"begin", "end", "name and number", "what it allows"}, missing: "the desktop: every unlocked one is asked"}

// teamViewer reads TeamViewer15_Logfile.log. The format is that of a log of
// 15.50.5 in the test data of log2timeline/plaso
// (test_data/teamviewer/TeamViewer15_Logfile.log, Apache-2.0).
//
// A session is incoming once "Connection incoming" has named its number; it
// begins when somebody with the role of a supporter was added to it, which is
// after the password. Connections_incoming.txt is not read: it names a session
// when it is over.
type teamViewer struct {
	sink     Sink
	zone     *time.Location // out of the log's header; nil: this computer's
	sessions []*tvSession   // oldest first
	// own is the session that a process named last as that of this device.
	own map[string]string
}

type tvSession struct {
	number string
	pid    int
	begun  bool
	// people are the supporters by their numbers; false: they have left. Three
	// processes write the same lines, and some of them late.
	people map[string]bool
	kinds  []string // as its access control says; nil: it has not yet
}

func newTeamViewer(s Sink) logReader { return &teamViewer{sink: s, own: map[string]string{}} }

var (
	// Date, time, process, thread, which of TeamViewer's programs, message. Older
	// versions leave the year out.
	tvLine = regexp.MustCompile(`^(?:(\d{4})/)?(\d\d/\d\d \d\d:\d\d:\d\d\.\d{3})\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*)$`)
	// The header: "Start:              2024/02/16 06:05:19.548 (UTC-8:00)".
	tvStart    = regexp.MustCompile(`^Start:\s+\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3} \(UTC([+-])(\d{1,2}):(\d\d)\)$`)
	tvIncoming = regexp.MustCompile(`^SessionManagerDesktop::IncomingConnection: Connection incoming, sessionID = (-?\d{1,20})$`)
	tvAdded    = regexp.MustCompile(`^CParticipantManagerBase participant (.+) \(ID \[(-?\d{1,20}),(-?\d{1,20})\]\) was added with the role (\d+)$`)
	tvRemoved  = regexp.MustCompile(`^CPersistentParticipantManager::RemoveParticipant: \[(-?\d{1,20}),(-?\d{1,20})\]`)
	// What the settings of this device let the supporter do: "RCAccessControl:
	// RemoteControl='Allowed', FileTransfer='Denied', ExecuteScripts = 'After confirmation', …".
	// Older versions have a word and an arrow before it.
	tvAccess = regexp.MustCompile(`^(?:\w{1,64} => )?RCAccessControl: (.*)$`)
	tvRight  = regexp.MustCompile(`(\w{1,64}) ?= ?'([A-Za-z ]{1,40})'`)
	tvEnded  = regexp.MustCompile(`^SessionManagerDesktop::SessionTerminate: removing session with tvsessionprotocol::TVSessionID = (-?\d{1,20})$`)
)

// The roles of participants.
const (
	tvDevice    = "3"
	tvSupporter = "6"
)

func (t *teamViewer) line(_, text string, now time.Time) {
	if m := tvStart.FindStringSubmatch(text); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		east := hours*3600 + minutes*60
		if m[1] == "-" {
			east = -east
		}
		if hours <= 14 && minutes < 60 {
			t.zone = time.FixedZone("", east)
		}
		return
	}
	m := tvLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	process, msg := m[3], strings.TrimRight(m[6], " ")
	if f := tvIncoming.FindStringSubmatch(msg); f != nil {
		t.incoming(f[1], process)
		return
	}
	if f := tvAdded.FindStringSubmatch(msg); f != nil {
		switch f[4] {
		case tvDevice:
			if t.find(f[3]) != nil {
				if len(t.own) >= maxOpen {
					clear(t.own)
				}
				t.own[process] = f[3]
			}
		case tvSupporter:
			at, derived := t.when(m[1], m[2], now)
			t.added(process, f[1], f[2], f[3], at, derived)
		}
		return
	}
	if f := tvRemoved.FindStringSubmatch(msg); f != nil {
		t.removed(f[1] + "," + f[2])
		return
	}
	if f := tvAccess.FindStringSubmatch(msg); f != nil {
		t.allowed(process, tvKinds(f[1]))
		return
	}
	if f := tvEnded.FindStringSubmatch(msg); f != nil {
		if s := t.find(f[1]); s != nil {
			t.end(s)
		}
	}
}

// when reads a line's time: local, in the zone of the header.
func (t *teamViewer) when(year, rest string, now time.Time) (at time.Time, derived bool) {
	zone := t.zone
	if zone == nil {
		zone, derived = now.Location(), true
	}
	if year == "" {
		derived = true
		year = strconv.Itoa(now.In(zone).Year())
	}
	at, err := time.ParseInLocation("2006/01/02 15:04:05.000", year+"/"+rest, zone)
	if err != nil {
		return now, true
	}
	if derived && at.Sub(now) > 24*time.Hour { // a December that is read of in January
		at = at.AddDate(-1, 0, 0)
	}
	return earlier(at, now), derived
}

func (t *teamViewer) find(number string) *tvSession {
	for _, s := range t.sessions {
		if s.number == number {
			return s
		}
	}
	return nil
}

func (t *teamViewer) incoming(number, process string) {
	if t.find(number) != nil {
		return
	}
	if len(t.sessions) >= maxOpen {
		t.end(t.sessions[0])
	}
	pid, _ := strconv.Atoi(process)
	t.sessions = append(t.sessions, &tvSession{number: number, pid: pid, people: map[string]bool{}})
}

// added puts a supporter into the session that the same process named last as
// its own; where none did, into the only one there is.
func (t *teamViewer) added(process, name, id, own string, at time.Time, derived bool) {
	who := id + "," + own
	for _, s := range t.sessions {
		if _, known := s.people[who]; known {
			return
		}
	}
	s := t.of(process)
	if s == nil || len(s.people) >= maxOpen {
		return
	}
	s.people[who] = true
	if s.begun {
		return
	}
	s.begun = true
	t.sink.Begin(Found{Tool: ToolTeamViewer, ID: s.number, Supporter: name + " (" + id + ")", Leader: s.pid, Kinds: s.kinds, StartedAt: at, TimeDerived: derived})
}

// of is the session that a process named last as its own; where it named none, the
// only one there is. nil: it cannot be told.
func (t *teamViewer) of(process string) *tvSession {
	s := t.find(t.own[process])
	if s == nil && len(t.sessions) == 1 {
		s = t.sessions[0]
	}
	return s
}

// tvKinds is what a line of access control comes to. What is denied is left out;
// what is only allowed after a confirmation may be done.
func tvKinds(rights string) []string {
	may := map[string]bool{}
	for _, m := range tvRight.FindAllStringSubmatch(rights, -1) {
		may[m[1]] = m[2] != "Denied"
	}
	kinds := []string{}
	if view, said := may["AllowPartnerViewDesktop"]; view || !said && may["RemoteControl"] {
		kinds = append(kinds, View)
		if may["RemoteControl"] {
			kinds = append(kinds, Control)
		}
	}
	if may["FileTransfer"] {
		kinds = append(kinds, Files)
	}
	return kinds
}

// allowed takes what the supporter of a process's session may do.
func (t *teamViewer) allowed(process string, kinds []string) {
	s := t.of(process)
	if s == nil || len(kinds) == 0 || slices.Equal(s.kinds, kinds) {
		return
	}
	s.kinds = kinds
	if s.begun {
		t.sink.Kinds(ToolTeamViewer, s.number, slices.Clone(kinds))
	}
}

func (t *teamViewer) removed(who string) {
	for _, s := range t.sessions {
		if !s.people[who] {
			continue
		}
		s.people[who] = false
		for _, here := range s.people {
			if here {
				return
			}
		}
		t.end(s)
		return
	}
}

func (t *teamViewer) end(s *tvSession) {
	for i, x := range t.sessions {
		if x == s {
			t.sessions = append(t.sessions[:i:i], t.sessions[i+1:]...)
			break
		}
	}
	for process, number := range t.own {
		if number == s.number {
			delete(t.own, process)
		}
	}
	if s.begun {
		t.sink.End(ToolTeamViewer, s.number, Left)
	}
}
