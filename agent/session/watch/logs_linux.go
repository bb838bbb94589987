package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"aval/agent/journal"
)

const homesPattern = "/home/*"

// systemLogs: TeamViewer's daemon; AnyDesk's service, also where a company has
// its own build of it; the system's log, where no journal has the same lines.
func systemLogs() []LogFile {
	out := []LogFile{
		{Tool: ToolTeamViewer, Path: "/var/log/teamviewer15/TeamViewer15_Logfile.log"},
		{Tool: ToolAnyDesk, Path: "/var/log/anydesk.trace"},
	}
	for _, p := range expand("/var/log/anydesk_ad_*.trace") {
		out = append(out, LogFile{Tool: ToolAnyDesk, Path: p})
	}
	if !journal.Available() {
		out = append(out, LogFile{Tool: ToolChrome, Path: syslogFile(), Shared: true})
	}
	return out
}

// syslogFile is where messages of programs go: Debian's and its relatives' file,
// else that of the others.
func syslogFile() string {
	const most, others = "/var/log/syslog", "/var/log/messages"
	_, err1 := os.Stat(most)
	if _, err2 := os.Stat(others); err1 != nil && err2 == nil {
		return others
	}
	return most
}

// Programs of the tools whose lines are in the journal, and the folders that
// appear with them.
var journalPrograms = map[string][]string{
	ToolChrome: {"/opt/google/chrome-remote-desktop/chrome-remote-desktop-host"},
	ToolGNOME:  {"/usr/libexec/gnome-remote-desktop-daemon", "/usr/lib/gnome-remote-desktop-daemon", "/usr/lib/gnome-remote-desktop/gnome-remote-desktop-daemon"},
}

// JournalTools are the tools on this computer that are heard by the journal.
func JournalTools() []string {
	var out []string
	for tool, programs := range journalPrograms {
		for _, p := range programs {
			if _, err := os.Stat(p); err == nil {
				out = append(out, tool)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// Feeds are the system's logs that tell of these tools: the journal.
func Feeds(tools []string, _ <-chan struct{}) []Feed {
	tools = slices.DeleteFunc(slices.Clone(tools), func(t string) bool { return journalPrograms[t] == nil })
	if len(tools) == 0 || !journal.Available() {
		return nil
	}
	return []Feed{{Name: "journal", Tools: tools, run: func(ctx context.Context, log *slog.Logger, sink Sink, take func(func())) error {
		if err := untilInstalled(ctx, tools); err != nil || ctx.Err() != nil {
			return err
		}
		return followJournal(ctx, log, sink, take, tools, "", nil)
	}}}
}

func followJournal(ctx context.Context, log *slog.Logger, sink Sink, take func(func()), tools []string, namespace string, ready func()) error {
	j := newJournalReader(sink, tools)
	return journal.Follow(ctx, journal.Options{Matches: journalMatches, Fields: journalFields, Namespace: namespace, Log: log, Ready: ready},
		func(e journal.Entry) {
			now := time.Now()
			take(func() { j.entry(e, now) })
		})
}

// untilInstalled waits until one of the tools is installed, so that nothing runs
// on the computers that have none.
func untilInstalled(ctx context.Context, tools []string) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch for remote tools: %w", err)
	}
	defer w.Close()
	for {
		// First the watch, then the look: what comes between is not missed. A
		// folder that appears is watched in its turn.
		for _, t := range tools {
			for _, p := range journalPrograms[t] {
				dir := filepath.Dir(p)
				for w.Add(dir) != nil && dir != "/" {
					dir = filepath.Dir(dir)
				}
			}
		}
		if slices.ContainsFunc(JournalTools(), func(t string) bool { return slices.Contains(tools, t) }) {
			return nil
		}
		for e := (fsnotify.Event{}); !e.Has(fsnotify.Create); {
			select {
			case <-ctx.Done():
				return nil
			case e = <-w.Events:
			case <-w.Errors: // notices were lost: look
				e.Op = fsnotify.Create
			}
		}
	}
}

// chromeHosts are the users whose host of Chrome Remote Desktop runs.
func chromeHosts() []uint32 {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []uint32
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		comm, err := readProc(pid, "comm")
		if err != nil || strings.TrimSpace(string(comm)) != "chrome-remote-de" { // chrome-remote-desktop-host, as proc(5) shortens it
			continue
		}
		if status, err := readProc(pid, "status"); err == nil {
			if uid, _, ok := parseOwner(status); ok && !slices.Contains(out, uid) {
				out = append(out, uid)
			}
		}
	}
	return out
}

// homeLogs are below the user's folder. RustDesk's server process runs as the
// user whose desktop it shows.
var homeLogs = map[string][]string{
	ToolTeamViewer: {".local/share/teamviewer15/logfiles/TeamViewer15_Logfile.log"},
	ToolAnyDesk:    {".anydesk/*.trace", ".anydesk_ad_*/*.trace"},
	ToolRustDesk:   {".local/share/logs/RustDesk/server/RustDesk_rCURRENT.log"},
}
