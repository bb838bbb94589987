package watch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/journal"
)

// story notes what a sink is told, and fails where a watcher tells nonsense.
type story struct {
	t     testing.TB
	lines []string
	open  map[string]bool
	each  func(string)
}

var ofUser = regexp.MustCompile(`^u(\d+):`)

func newStory(t testing.TB) *story { return &story{t: t, open: map[string]bool{}} }

func (s *story) tell(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	s.lines = append(s.lines, line)
	if s.each != nil {
		s.each(line)
	}
}

func (s *story) Begin(f Found) {
	if s.open[f.ID] || f.ID == "" || f.StartedAt.IsZero() {
		s.t.Errorf("begin of %+v", f)
	}
	s.open[f.ID] = true
	whose := uint32(0) // their own name space of ids is that of their own desktops, too
	if m := ofUser.FindStringSubmatch(f.ID); m != nil {
		n, _ := strconv.ParseUint(m[1], 10, 32)
		whose = uint32(n)
	}
	if f.Owner != whose {
		s.t.Errorf("%s is user %d's word", f.ID, f.Owner)
	}
	derived := ""
	if f.TimeDerived {
		derived = " derived"
	}
	s.tell("begin %s/%s %q %s%s", f.Tool, f.ID, f.Supporter, f.StartedAt.UTC().Format(time.RFC3339Nano), derived)
}

func (s *story) Kinds(tool, id string, kinds []string) {
	if !s.open[id] {
		s.t.Errorf("kinds of %s/%s, which never began", tool, id)
	}
	s.tell("kinds %s/%s %s", tool, id, strings.Join(kinds, "+"))
}

func (s *story) Event(tool, id string, kind event.Kind, fields map[string]string) {
	if !s.open[id] {
		s.t.Errorf("an event of %s/%s, which never began", tool, id)
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		parts = append(parts, k+"="+fields[k])
	}
	s.tell("%s %s/%s %s", kind, tool, id, strings.Join(parts, " "))
}

func (s *story) End(tool, id, reason string) {
	if !s.open[id] {
		s.t.Errorf("end of %s/%s, which never began", tool, id)
	}
	delete(s.open, id)
	s.tell("end %s/%s %s", tool, id, reason)
}

// later is after everything in the samples.
var later = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// hear gives a reader lines and returns what came of them.
func hear(t testing.TB, tool, text string, now time.Time) []string {
	s := newStory(t)
	line := func(string) {}
	if read, ok := logTools[tool]; ok {
		r := read(s)
		line = func(text string) { r.line("log", text, now) }
	} else if by, ok := feedTools[tool]; ok {
		line = by(s, now)
	} else {
		t.Fatalf("nothing reads %s", tool)
	}
	for text := range strings.Lines(text) {
		line(strings.TrimRight(text, "\r\n"))
	}
	return s.lines
}

// feedTools read the samples of what is no file of lines, an entry on each.
var feedTools = map[string]func(s Sink, now time.Time) func(string){
	"journal": func(s Sink, now time.Time) func(string) {
		j := newJournalReader(s, ToolNames)
		return func(text string) {
			if e, err := journal.Decode([]byte(text)); err == nil {
				j.entry(e, now)
			}
		}
	},
	"events": func(s Sink, now time.Time) func(string) {
		w := newWinEvents(s, ToolNames)
		return func(raw string) { w.event(raw, now) }
	},
}

// The host of Chrome Remote Desktop runs as user 1000 in these tests.
func init() {
	logTools[ToolChrome] = func(s Sink) logReader {
		return &chromeSyslog{chrome{sink: s}, func() []uint32 { return []uint32{1000} }}
	}
}

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replays are the samples, with what is heard in them.
var replays = []struct {
	tool, file string
	want       []string
}{
	{ToolTeamViewer, "teamviewer.log", []string{
		`begin teamviewer/126302903 "Example Support (1000000001)" 2024-02-16T14:16:47.499Z`, `end teamviewer/126302903 left`}},
	{ToolAnyDesk, "anydesk.trace", []string{
		`begin anydesk/100000001-20240216T202904.298 "Example Support (100000001)" 2024-02-16T20:29:04.298Z`, `end anydesk/100000001-20240216T202904.298 left`}},
	{ToolRustDesk, "rustdesk.log", []string{
		`begin rustdesk/1362-1735736648350 "192.0.2.7" 2025-01-01T13:04:08.350802Z`, `end rustdesk/1362-1735736648350 left`}},
	{ToolChrome, "chrome.syslog", []string{
		`begin chrome-remote-desktop/u1000:1770812140501877000 "helper@example.com" 2026-02-11T12:15:40.501877Z`, `end chrome-remote-desktop/u1000:1770812140501877000 left`}},
	{"journal", "chrome.journal", []string{
		`begin chrome-remote-desktop/u1001:1770811298501877000 "helper@example.com" 2026-02-11T12:01:38.501877Z`, `end chrome-remote-desktop/u1001:1770811298501877000 left`}},
	{"events", "rdp.events", []string{
		`begin rdp/3-1770811205921290000 "192.0.2.7" 2026-02-11T12:00:05.92129Z`, `end rdp/3-1770811205921290000 left`,
		`begin rdp/3-1770811800000000000 "192.0.2.8" 2026-02-11T12:10:00Z`, `end rdp/3-1770811800000000000 left`}},
	{"events", "splashtop.events", []string{
		`begin splashtop/1770811205500000000 "helper@example.com" 2026-02-11T12:00:05.5Z`, `file-transferred splashtop/1770811205500000000 name=driver.zip`, `end splashtop/1770811205500000000 left`}},
	{"events", "screenconnect.events", []string{
		`begin screenconnect/1770811205679134700 "Example Support" 2026-02-11T12:00:05.6791347Z`, `file-transferred screenconnect/1770811205679134700 direction=to-computer name=tool.exe`,
		`end screenconnect/1770811205679134700 left`}},
	{"events", "chrome.events", []string{
		`begin chrome-remote-desktop/1770811205250000000 "helper@example.com" 2026-02-11T12:00:05.25Z`, `end chrome-remote-desktop/1770811205250000000 left`}},
	{"journal", "gnome.journal", []string{
		`begin gnome-remote-desktop/u1001:2338-1770811209500123 "" 2026-02-11T12:00:09.500123Z`, `end gnome-remote-desktop/u1001:2338-1770811209500123 left`}},
}

// TestReplay: one session in each sample, though several processes write of it,
// and only after the login. Fault planted once: a supporter was taken into the
// process's own session alone, and a late line had none.
func TestReplay(t *testing.T) {
	for _, r := range replays {
		t.Run(r.file, func(t *testing.T) {
			if got := hear(t, r.tool, sample(t, r.file), later); !slices.Equal(got, r.want) {
				t.Errorf("%q\nwant %q", got, r.want)
			}
		})
	}
}

// TestLoginProven: what is before the login begins nothing, and where a line does
// not say whose login it is, nobody's session begins. Faults planted once: anyDesk
// began at the request, or took any of several that wait; teamViewer took the first of
// several sessions; rustDesk let the last connection in.
func TestLoginProven(t *testing.T) {
	for name, tt := range map[string]struct{ tool, text string }{
		"teamviewer, password not given": {ToolTeamViewer, upTo(sample(t, "teamviewer.log"), "AuthenticationPasswordLogin")},
		"teamviewer, outgoing":           {ToolTeamViewer, without(sample(t, "teamviewer.log"), "Connection incoming")},
		"anydesk, request alone":         {ToolAnyDesk, upTo(sample(t, "anydesk.trace"), "Authenticated")},
		"anydesk, refused":               {ToolAnyDesk, without(sample(t, "anydesk.trace"), "Authenticated")},
		"anydesk, no request":            {ToolAnyDesk, without(sample(t, "anydesk.trace"), "Incoming session")},
		"anydesk, two wait": {ToolAnyDesk, strings.NewReplacer("   info 2024-02-16 20:29:04.310",
			"   info 2024-02-16 20:29:04.305       back   4700   4701                   app.backend_session - Incoming session request: Other (100000009)\n   info 2024-02-16 20:29:04.310",
			"4668   6440                   app.session -", "9999   6440                   app.session -").Replace(sample(t, "anydesk.trace"))},
		"teamviewer, two sessions": {ToolTeamViewer, upTo(sample(t, "teamviewer.log"), "CParticipantManagerBase") +
			"2024/02/16 06:16:40.000  1084       3644 D1   SessionManagerDesktop::IncomingConnection: Connection incoming, sessionID = 126302904\n" +
			"2024/02/16 06:16:47.499  2216       2492 S0   CParticipantManagerBase participant Example Support (ID [1000000001,115469523]) was added with the role 6\n"},
		"chrome, refused":              {ToolChrome, without(sample(t, "chrome.syslog"), "Client connected")},
		"gnome, never logged in":       {"journal", without(sample(t, "gnome.journal"), "CapsAdvertise")},
		"chrome, nobody's word":        {"journal", strings.ReplaceAll(sample(t, "chrome.journal"), `"_UID"`, `"UID"`)},
		"gnome, another program":       {"journal", strings.ReplaceAll(sample(t, "gnome.journal"), `"_COMM": "gnome-remote-de"`, `"_COMM": "logger"`)},
		"rdp, at the console":          {"events", strings.NewReplacer("192.0.2.7", "LOCAL", "192.0.2.8", "LOCAL").Replace(sample(t, "rdp.events"))},
		"screenconnect, other channel": {"events", strings.ReplaceAll(sample(t, "screenconnect.events"), "Application<", "Setup<")},
		"chrome, refused, event":       {"events", without(sample(t, "chrome.events"), "<EventID Qualifiers='16384'>1<")},
		"rustdesk, connection alone":   {ToolRustDesk, without(sample(t, "rustdesk.log"), "supported_encoding")},
		"rustdesk, two wait": {ToolRustDesk, "[2025-01-01 13:04:08.000000 +00:00] DEBUG [src\\server\\connection.rs:983] #1361 Connection opened from 192.0.2.8:6075.\n" +
			sample(t, "rustdesk.log")},
	} {
		if got := hear(t, tt.tool, tt.text, later); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// oldSyslog writes the times as RFC 3164 has them.
func oldSyslog(s string) string {
	return regexp.MustCompile(`(?m)^2026-02-11T(..:..:..)\S+`).ReplaceAllString(s, "Feb 11 $1")
}

func upTo(s, mark string) string {
	s, _, _ = strings.Cut(s, mark)
	return s[:strings.LastIndexByte(s, '\n')+1]
}

func without(s, mark string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if !strings.Contains(line, mark) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestLogZones: TeamViewer's times are local in the zone of the header; without
// it, or without the year, they are derived and say so. AnyDesk's are UTC,
// RustDesk's bring their zone. No session begins in the future. Fault planted
// once: the header's sign read as east; the first case was 16 hours off.
func TestLogZones(t *testing.T) {
	tv := sample(t, "teamviewer.log")
	noYear := strings.ReplaceAll(without(tv, "Start:"), "2024/02/", "12/")
	for name, tt := range map[string]struct {
		tool, text string
		now        time.Time
		want       string
	}{
		"header":         {ToolTeamViewer, tv, later, "2024-02-16T14:16:47.499Z"},
		"header, east":   {ToolTeamViewer, strings.Replace(tv, "UTC-8:00", "UTC+5:30", 1), later, "2024-02-16T00:46:47.499Z"},
		"no header":      {ToolTeamViewer, without(tv, "Start:"), later.In(time.FixedZone("", -3*3600)), "2024-02-16T09:16:47.499Z derived"},
		"broken header":  {ToolTeamViewer, strings.Replace(tv, "UTC-8:00", "UTC-99:00", 1), later, "2024-02-16T06:16:47.499Z derived"},
		"no year":        {ToolTeamViewer, noYear, time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC), "2025-12-16T06:16:47.499Z derived"},
		"no year, later": {ToolTeamViewer, noYear, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "2025-12-16T06:16:47.499Z derived"},
		"clock ahead":    {ToolTeamViewer, tv, time.Date(2024, 2, 16, 14, 0, 0, 0, time.UTC), "2024-02-16T14:00:00Z"},
		"utc":            {ToolAnyDesk, sample(t, "anydesk.trace"), later.In(time.FixedZone("", 7*3600)), "2024-02-16T20:29:04.298Z"},
		"syslog":         {ToolChrome, sample(t, "chrome.syslog"), later.In(time.FixedZone("", 7*3600)), "2026-02-11T12:15:40.501877Z"},
		"syslog, old":    {ToolChrome, oldSyslog(sample(t, "chrome.syslog")), later.In(time.FixedZone("", -3*3600)), "2026-02-11T12:15:40Z derived"},
		"old, last year": {ToolChrome, oldSyslog(sample(t, "chrome.syslog")), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), "2026-02-11T09:15:40Z derived"},
		"old, ahead":     {ToolChrome, oldSyslog(sample(t, "chrome.syslog")), time.Date(2026, 2, 11, 9, 0, 0, 0, time.UTC), "2026-02-11T09:00:00Z derived"},
		"journal, ahead": {"journal", sample(t, "gnome.journal"), time.Date(2026, 2, 11, 12, 0, 0, 0, time.UTC), "2026-02-11T12:00:00Z"},
		"event, ahead":   {"events", sample(t, "splashtop.events"), time.Date(2026, 2, 11, 12, 0, 0, 0, time.UTC), "2026-02-11T12:00:00Z"},
		"event, zone":    {"events", strings.ReplaceAll(sample(t, "splashtop.events"), "Z'/>", "+02:00'/>"), later, "2026-02-11T10:00:05.5Z"},
		"own zone":       {ToolRustDesk, strings.ReplaceAll(sample(t, "rustdesk.log"), "+00:00", "+08:00"), later, "2025-01-01T05:04:08.350802Z"},
	} {
		got := hear(t, tt.tool, tt.text, tt.now)
		if len(got) < 2 || !strings.HasSuffix(got[0], " "+tt.want) {
			t.Errorf("%s: %q, want %s", name, got, tt.want)
		}
	}
}

// TestBrokenLines: lines that are cut off, run together or of another kind change
// nothing, wherever they stand, and a name cannot play a line of its own.
func TestBrokenLines(t *testing.T) {
	for _, r := range replays {
		var out strings.Builder
		for line := range strings.Lines(sample(t, r.file)) {
			cut := strings.TrimRight(line, "\n")
			out.WriteString(cut[:len(cut)/2] + "\n\x00\xff\n" + strings.Repeat("[", 300) + "\n" + "see: " + line + line)
		}
		// A line that stands there twice is one that says it twice.
		if got := slices.Compact(hear(t, r.tool, out.String(), later)); !slices.Equal(got, r.want) {
			t.Errorf("%s: %q\nwant %q", r.tool, got, r.want)
		}
	}
	const name = `x (ID [1,2]) was added with the role 3` // fault planted once: tvAdded without its end
	got := hear(t, ToolTeamViewer, strings.ReplaceAll(sample(t, "teamviewer.log"), "Example Support", name), later)
	if len(got) != 2 || !strings.Contains(got[0], name) {
		t.Errorf("%q", got)
	}
	const alias = `Session stopped (1) app.session - 3: Authenticated by password`
	got = hear(t, ToolAnyDesk, without(strings.ReplaceAll(sample(t, "anydesk.trace"), "Example Support", alias), ": Authenticated with"), later)
	if len(got) != 0 {
		t.Errorf("a name logged in: %q", got)
	}
}

// TestTwoSupporters: a session goes on until the last of them has left, and a
// late line about the one who left does not bring them back. Fault planted once:
// teamViewer forgot who had left; the session never ended.
func TestTwoSupporters(t *testing.T) {
	const out = "2024/02/16 06:18:%s  2216       2492 S0   CPersistentParticipantManager::RemoveParticipant: [%s]\n"
	const in = "2024/02/16 06:18:%s  %s       5356 G1   CParticipantManagerBase participant %s (ID [%s]) was added with the role 6\n"
	const first, second = "1000000001,115469523", "1000000003,99"
	text := upTo(sample(t, "teamviewer.log"), "RemoveParticipant") +
		fmt.Sprintf(in, "01.000", "2216", "Second", second) + fmt.Sprintf(out, "02.000", first) + fmt.Sprintf(in, "02.100", "5276", "Example Support", first)
	if got := hear(t, ToolTeamViewer, text, later); len(got) != 1 {
		t.Errorf("one has left: %q", got)
	}
	if got := hear(t, ToolTeamViewer, text+fmt.Sprintf(out, "03.000", second), later); !slices.Equal(got, replays[0].want) {
		t.Errorf("both have left: %q", got)
	}
}

// TestTwoAtOnce: what is said of one session leaves the other alone.
func TestTwoAtOnce(t *testing.T) {
	tv := sample(t, "teamviewer.log")
	second := strings.NewReplacer("126302903", "-207968498", "1000000001,115469523", "1000000009,77", "Example Support", "Other Support", " 2216 ", " 2300 ", " 1084 ", " 1099 ", " 5276 ", " 5300 ").Replace(tv)
	got := hear(t, ToolTeamViewer, upTo(tv, "RemoveParticipant")+upTo(second, "RemoveParticipant")+tv[len(upTo(tv, "RemoveParticipant")):], later)
	want := []string{replays[0].want[0], `begin teamviewer/-207968498 "Other Support (1000000009)" 2024-02-16T14:16:47.499Z`, replays[0].want[1]}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	ad := sample(t, "anydesk.trace")
	other := strings.NewReplacer(" 4668 ", " 992 ", "100000001", "100000002").Replace(ad)
	got = hear(t, ToolAnyDesk, upTo(ad, "The socket was closed remotely.\n   info 2024-02-16 20:35")+upTo(other[strings.Index(other, "Incoming")-90:], "20:35")+ad[strings.Index(ad, "   info 2024-02-16 20:35"):], later)
	if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "end") })); n != 1 || strings.Contains(got[len(got)-1], "100000002") {
		t.Errorf("anydesk: %q", got)
	}
}

// TestLogsFollowed plays each sample into a file: its second half comes after the
// file was rotated, or emptied. What stood in it before is not heard, and what an
// ordinary user's file says stays apart from what the system's says. Faults
// planted once: OpenTail given an empty position (the old session was heard);
// owned without its prefix (the user's file ended the system's session).
func TestLogsFollowed(t *testing.T) {
	for _, how := range []string{"rotated", "emptied"} {
		for _, r := range replays {
			if logTools[r.tool] == nil {
				continue // no file
			}
			t.Run(how+"/"+r.tool, func(t *testing.T) {
				dir := t.TempDir()
				path, users := filepath.Join(dir, "tool.log"), filepath.Join(dir, "users.log")
				text := sample(t, r.file)
				write := func(path, s string) {
					t.Helper()
					f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
					if err == nil {
						_, err = f.WriteString(s)
					}
					if err == nil {
						err = f.Close()
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				write(path, text) // from before
				write(users, "")
				told := make(chan string, 64)
				s := newStory(t)
				s.each = func(line string) { told <- line }
				ctx, cancel := context.WithCancel(t.Context())
				w := NewLogs(slog.New(slog.DiscardHandler), s, []LogFile{{Tool: r.tool, Path: path}, {Tool: r.tool, Path: users, Owner: 1000}}, nil)
				ended := make(chan error, 1)
				ready := make(chan struct{})
				w.started = func() { close(ready) }
				go func() { ended <- w.Run(ctx) }()
				defer func() {
					cancel()
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}()
				<-ready
				want := func(part string) {
					t.Helper()
					select {
					case got := <-told:
						if !strings.HasPrefix(got, part) {
							t.Fatalf("%q, want %q", got, part)
						}
					case <-time.After(time.Minute):
						t.Fatalf("%q was not heard", part)
					}
				}
				begin, _, _ := strings.Cut(r.want[0], " \"")
				end := r.want[1]
				usersOwn := strings.NewReplacer(r.tool+"/", r.tool+"/u1000:")
				half := text[:strings.LastIndex(text[:strings.Index(text, lastBefore[r.tool])], "\n")+1]
				write(path, half)
				want(begin)
				write(users, half)
				want(usersOwn.Replace(begin))
				write(users, text[len(half):])
				want(usersOwn.Replace(end))
				if how == "rotated" {
					if err := os.Rename(path, filepath.Join(dir, "tool_OLD.log")); err != nil {
						t.Fatal(err)
					}
				} else if err := os.Truncate(path, 0); err != nil {
					t.Fatal(err)
				}
				write(path, text[len(half):])
				want(end)
			})
		}
	}
}

// lastBefore marks the first line of a sample's end.
var lastBefore = map[string]string{ToolTeamViewer: "RemoveParticipant", ToolAnyDesk: "2024-02-16 20:35:10.700", ToolRustDesk: "#1362 Connection closed", ToolChrome: "Client disconnected"}

// TestLogFiles: every place is one of a tool that is read, and a log below the own
// folder is found once its tool has a folder there, as that user's.
func TestLogFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	if err := os.Mkdir(filepath.Join(dir, ".anydesk"), 0o700); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, ".anydesk", "ad.trace")
	if err := os.WriteFile(trace, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(homeLogs) > 0 { // not on Windows
		want := LogFile{Tool: ToolAnyDesk, Path: trace, Owner: uint32(os.Getuid())}
		if !slices.Contains(LogFiles(), want) || !slices.Contains(WrittenLogs(), want) {
			t.Errorf("%+v is not among %+v", want, LogFiles())
		}
	}
	for _, f := range LogFiles() {
		if _, ok := logTools[f.Tool]; !ok || !filepath.IsAbs(f.Path) {
			t.Errorf("%+v", f)
		}
	}
}

func fuzzLog(f *testing.F, tool, file string) {
	f.Add(sample(f, file))
	for line := range strings.Lines(sample(f, file)) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hear(t, tool, text, later) // the story fails where it makes no sense
		once := hear(t, tool, text, later)
		if again := hear(t, tool, text, later); !slices.Equal(once, again) {
			t.Errorf("%q, then %q", once, again)
		}
	})
}

// What TeamViewer's access control lets a supporter do, in the forms of its
// versions. Planted: with "Denied" taken for allowed the rows that deny had it.
func TestTeamViewerKinds(t *testing.T) {
	tv := sample(t, "teamviewer.log")
	after := "2024/02/16 06:16:47.601"
	for rights, want := range map[string]string{
		"RemoteControl='Allowed', FileTransfer='Denied', AllowPartnerViewDesktop='Allowed'": "view+control",
		"RemoteControl='Denied', FileTransfer='Denied', AllowPartnerViewDesktop='Allowed'":  "view",
		"RemoteControl='Denied', FileTransfer='Allowed', AllowPartnerViewDesktop='Denied'":  "files",
		"RemoteControl = 'After confirmation', FileTransfer = 'After confirmation'":         "view+control+files",
		"RemoteControl='Denied', FileTransfer='Denied', AllowPartnerViewDesktop='Denied'":   "",
		"something else": "",
	} {
		for _, before := range []string{"", "ConnectionAccessControl => "} {
			got := hear(t, ToolTeamViewer, strings.Replace(tv, after, "2024/02/16 06:16:47.580  1084       1436 D1   "+before+"RCAccessControl: "+rights+"\n"+after, 1), later)
			kinds := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "kinds ") })
			if want == "" && len(kinds) != 0 || want != "" && !slices.Equal(kinds, []string{"kinds teamviewer/126302903 " + want}) {
				t.Errorf("%s%s: %q", before, rights, kinds)
			}
		}
	}
}

func FuzzTeamViewer(f *testing.F) { fuzzLog(f, ToolTeamViewer, "teamviewer.log") }
func FuzzAnyDesk(f *testing.F)    { fuzzLog(f, ToolAnyDesk, "anydesk.trace") }
func FuzzAnyDeskTransfers(f *testing.F) {
	f.Add(adTransferLine("driver.zip"), true)
	f.Add("\xFF\xFE"+adTransferLine("a'b.zip"), false)
	f.Fuzz(func(t *testing.T, raw string, open bool) {
		s := newStory(t)
		a := &anyDesk{sink: s}
		if open {
			a.open = []*adSession{{id: "1", begun: true}}
			s.open["1"] = true
		}
		a.line(adTransfers, raw, later)
		if len(s.lines) > 0 && !open {
			t.Errorf("%q: %q", raw, s.lines)
		}
	})
}
func FuzzChrome(f *testing.F)  { fuzzLog(f, ToolChrome, "chrome.syslog") }
func FuzzJournal(f *testing.F) { fuzzLog(f, "journal", "gnome.journal") }
func FuzzEvents(f *testing.F) {
	for _, more := range []string{"splashtop.events", "screenconnect.events", "chrome.events"} {
		f.Add(sample(f, more))
	}
	fuzzLog(f, "events", "rdp.events")
}
func FuzzRustDesk(f *testing.F) { fuzzLog(f, ToolRustDesk, "rustdesk.log") }
