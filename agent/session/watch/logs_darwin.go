package watch

const homesPattern = "/Users/*"

// systemLogs: TeamViewer's and AnyDesk's services.
func systemLogs() []LogFile {
	out := []LogFile{{ToolTeamViewer, "/Library/Logs/TeamViewer/TeamViewer15_Logfile.log", 0}, {ToolAnyDesk, "/var/log/anydesk.trace", 0}}
	for _, p := range expand("/var/log/anydesk_ad_*.trace") {
		out = append(out, LogFile{ToolAnyDesk, p, 0})
	}
	return out
}

// homeLogs are below the user's folder.
var homeLogs = map[string][]string{
	ToolTeamViewer: {"Library/Logs/TeamViewer/TeamViewer15_Logfile.log"},
	ToolAnyDesk:    {".anydesk/*.trace", ".anydesk_ad_*/*.trace"},
	ToolRustDesk:   {"Library/Logs/RustDesk/server/RustDesk_rCURRENT.log"},
}
