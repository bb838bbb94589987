package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
)

// TestRDPOnce: the session changes and the event log tell of the same connections,
// in either order and late; each is one session. Faults planted once: came without
// its look at open (two sessions, which the story refuses); left without the time
// (a late event ended the next session); came without gone (a late event began one
// that was over).
func TestRDPOnce(t *testing.T) {
	t0 := time.Date(2026, 2, 11, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	in, out := wtsSession{active: true, remote: true, user: "support", domain: "DESK01", client: "HELPDESK01", address: "192.0.2.7"}, wtsSession{user: "support"}
	list := func(s wtsSession, sec int) func(*rdp) {
		return func(r *rdp) { r.state(map[uint32]wtsSession{1: {active: true, user: "person"}, 3: s}, at(sec)) }
	}
	event := func(id, sec int) func(*rdp) {
		return func(r *rdp) {
			e, err := decodeEvent(fmt.Sprintf(`<Event><System><EventID>%d</EventID><TimeCreated SystemTime="%s"/></System><UserData><EventXML><User>DESK01\support</User>`+
				`<SessionID>3</SessionID><Session>3</Session><Address>192.0.2.7</Address></EventXML></UserData></Event>`, id, at(sec).Format(time.RFC3339Nano)))
			if err != nil {
				t.Fatal(err)
			}
			r.event(e)
		}
	}
	loggingOn := in
	loggingOn.user, loggingOn.domain = "", ""
	for name, tt := range map[string]struct {
		signs []func(*rdp)
		want  string
	}{
		"list first":            {[]func(*rdp){list(in, 2), event(21, 1), list(out, 60), event(24, 60), event(40, 60)}, "HELPDESK01@2 end"},
		"event first":           {[]func(*rdp){event(21, 1), list(in, 2), event(24, 60), list(out, 60)}, "192.0.2.7@1 end"},
		"log-on screen":         {[]func(*rdp){list(loggingOn, 1), list(loggingOn, 2)}, ""},
		"events late":           {[]func(*rdp){list(in, 2), list(out, 60), event(21, 1), event(24, 59)}, "HELPDESK01@2 end"},
		"end late, next is in":  {[]func(*rdp){list(in, 2), list(out, 60), list(in, 70), event(24, 59)}, "HELPDESK01@2 end HELPDESK01@70"},
		"list older than end":   {[]func(*rdp){event(21, 1), event(24, 60), list(in, 59)}, "192.0.2.7@1 end"},
		"list misses a change":  {[]func(*rdp){list(in, 2), event(24, 60), event(25, 61), list(in, 62), list(out, 90)}, "HELPDESK01@2 end 192.0.2.7@61 end"},
		"session gone":          {[]func(*rdp){list(in, 2), func(r *rdp) { r.state(nil, at(9)) }}, "HELPDESK01@2 end"},
		"moved to the console":  {[]func(*rdp){list(in, 2), list(wtsSession{active: true, user: "support"}, 5)}, "HELPDESK01@2 end"},
		"back on the same desk": {[]func(*rdp){event(21, 1), event(24, 5), event(25, 9)}, "192.0.2.7@1 end 192.0.2.7@9"},
	} {
		s := newStory(t)
		r := newRDP(s)
		for _, sign := range tt.signs {
			sign(r)
		}
		var got []string
		for _, line := range s.lines {
			if strings.HasPrefix(line, "end") {
				got = append(got, "end")
				continue
			}
			f := strings.Fields(line)
			when, err := time.Parse(time.RFC3339Nano, f[3])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s@%d", strings.Trim(f[2], `"`), int(when.Sub(t0).Seconds())))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestRDPDesktop: the desktop session is the one that the event names, and a
// client's address is read as Microsoft describes it.
func TestRDPDesktop(t *testing.T) {
	var got Found
	r := newRDP(beginOnly(func(f Found) { got = f }))
	r.state(map[uint32]wtsSession{7: {active: true, remote: true, user: "support", address: "192.0.2.7"}}, later)
	if got.Display != "7" || got.User != "support" || got.Supporter != "192.0.2.7" || !slices.Equal(got.Kinds, []string{View, Control}) {
		t.Errorf("%+v", got)
	}
	addr := append([]byte{2, 0, 0, 0, 0, 0, 192, 0, 2, 7}, make([]byte, 14)...)
	for want, b := range map[string][]byte{"192.0.2.7": addr, "": addr[:9]} {
		if got := wtsAddress(b); got != want {
			t.Errorf("%v: %q", b, got)
		}
	}
	if got := wtsAddress(append([]byte{23}, addr[1:]...)); got != "" {
		t.Errorf("IPv6: %q", got)
	}
}

// beginOnly takes what begins.
type beginOnly func(Found)

func (b beginOnly) Begin(f Found)                                     { b(f) }
func (beginOnly) Kinds(string, string, []string)                      {}
func (beginOnly) Event(string, string, event.Kind, map[string]string) {}
func (b beginOnly) End(string, string, string)                        {}

// TestClassicFlood: who writes events into the channel that is open to all cannot
// wear the person down, and what did not begin does not end. Fault planted once:
// calmed without its limit.
func TestClassicFlood(t *testing.T) {
	line, _, _ := strings.Cut(sample(t, "screenconnect.events"), "\n")
	s := newStory(t)
	w := newWinEvents(s, ToolNames)
	send := func(from, to int, end bool) {
		for i := from; i < to; i++ {
			text := strings.NewReplacer("Example Support", fmt.Sprintf("Helper %d", i), "12:00:05.", fmt.Sprintf("12:00:%02d.", i%60)).Replace(line)
			if end {
				text = strings.NewReplacer(" Connected", " Disconnected", ">100<", ">101<").Replace(text)
			}
			w.event(text, later)
		}
	}
	send(0, 50, false)
	send(0, 50, true)
	if len(s.lines) != 2*maxClassic || len(s.open) != 0 {
		t.Errorf("%d lines: %q", len(s.lines), s.lines)
	}
}

// TestScreenConnectClients: two companies' clients on one computer do not end each
// other's sessions, and an end of the host ends those of its client alone. Fault
// planted once: the key without the path.
func TestScreenConnectClients(t *testing.T) {
	text := sample(t, "screenconnect.events")
	lines := slices.Collect(strings.Lines(text))
	other := func(s string) string {
		return strings.NewReplacer("0123456789abcdef", "fedcba9876543210", "12:00:05", "12:00:06").Replace(s)
	}
	for name, tt := range map[string]struct {
		lines []string
		want  int
	}{
		"both":            {[]string{lines[0], other(lines[0])}, 2},
		"one leaves":      {[]string{lines[0], other(lines[0]), lines[2]}, 3},
		"its host ends":   {[]string{lines[0], other(lines[0]), lines[3]}, 3},
		"another error":   {[]string{lines[0], strings.Replace(lines[3], "Your host", "The host", 1)}, 1},
		"literal newline": {[]string{strings.ReplaceAll(lines[0], "&#10;", "\r\n"), lines[2]}, 2},
	} {
		s := newStory(t)
		w := newWinEvents(s, ToolNames)
		for _, l := range tt.lines {
			w.event(l, later)
		}
		if len(s.lines) != tt.want {
			t.Errorf("%s: %q", name, s.lines)
		}
	}
}

// TestEventQueries: every event of the samples that counts is asked for.
func TestEventQueries(t *testing.T) {
	for _, r := range replays {
		if r.tool != "events" {
			continue
		}
		asked := without(sample(t, r.file), "no such mark")
		var kept strings.Builder
		for line := range strings.Lines(asked) {
			e, err := decodeEvent(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("%s: %v", r.file, err)
			}
			for _, q := range eventQueries {
				if q.Channel == e.System.Channel && (strings.Contains(q.Query, fmt.Sprintf("EventID=%d ", e.System.EventID)) || strings.Contains(q.Query, fmt.Sprintf("EventID=%d]", e.System.EventID))) {
					kept.WriteString(line)
				}
			}
		}
		if got := hear(t, "events", kept.String(), later); !slices.Equal(got, r.want) {
			t.Errorf("%s: %q", r.file, got)
		}
	}
}
