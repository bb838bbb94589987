package watch

const homesPattern = "/home/*"

// systemLogs: TeamViewer's daemon; AnyDesk's service, also where a company has
// its own build of it.
func systemLogs() []LogFile {
	out := []LogFile{
		{ToolTeamViewer, "/var/log/teamviewer15/TeamViewer15_Logfile.log", 0},
		{ToolAnyDesk, "/var/log/anydesk.trace", 0},
	}
	for _, p := range expand("/var/log/anydesk_ad_*.trace") {
		out = append(out, LogFile{ToolAnyDesk, p, 0})
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
