package watch

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const homesPattern = "/Users/*"

// systemLogs: TeamViewer's and AnyDesk's services, and what syslog(3) writes
// (asl.conf(5)).
func systemLogs() []LogFile {
	out := []LogFile{
		{Tool: ToolTeamViewer, Path: "/Library/Logs/TeamViewer/TeamViewer15_Logfile.log"},
		{Tool: ToolAnyDesk, Path: "/var/log/anydesk.trace"},
		{Tool: ToolChrome, Path: "/var/log/system.log", Shared: true},
	}
	for _, p := range expand("/var/log/anydesk_ad_*.trace") {
		out = append(out, LogFile{Tool: ToolAnyDesk, Path: p})
	}
	return out
}

// JournalTools: there is no journal.
func JournalTools() []string { return nil }

// Feeds: all that is read here are files.
func Feeds([]string, <-chan struct{}) []Feed { return nil }

// chromeHosts are the users whose host of Chrome Remote Desktop runs
// (remoting/host/mac/me2me_host.sh in chromium/chromium starts
// remoting_me2me_host; the kernel shortens the name).
func chromeHosts() []uint32 {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	var out []uint32
	for _, p := range all {
		uid := p.Eproc.Ucred.Uid
		if strings.HasPrefix(unix.ByteSliceToString(p.Proc.P_comm[:]), "remoting_me2me_") && !slices.Contains(out, uid) {
			out = append(out, uid)
		}
	}
	return out
}

// homeLogs are below the user's folder.
var homeLogs = map[string][]string{
	ToolTeamViewer: {"Library/Logs/TeamViewer/TeamViewer15_Logfile.log"},
	ToolAnyDesk:    {".anydesk/*.trace", ".anydesk_ad_*/*.trace"},
	ToolRustDesk:   {"Library/Logs/RustDesk/server/RustDesk_rCURRENT.log"},
}
