package watch

import (
	"os"
	"path/filepath"
)

// systemLogs are those of the services; what a portable program writes into a
// user's folder is not read: there is no way yet to hold it to that user's desktop.
func systemLogs() []LogFile {
	var out []LogFile
	for _, v := range []string{"ProgramFiles", "ProgramFiles(x86)"} {
		if dir := os.Getenv(v); dir != "" {
			out = append(out, LogFile{Tool: ToolTeamViewer, Path: filepath.Join(dir, "TeamViewer", "TeamViewer15_Logfile.log")})
		}
	}
	if dir := os.Getenv("ProgramData"); dir != "" {
		for _, name := range []string{"ad_svc.trace", adTransfers} {
			out = append(out, LogFile{Tool: ToolAnyDesk, Path: filepath.Join(dir, "AnyDesk", name)})
			for _, p := range expand(filepath.Join(dir, "AnyDesk", "ad_*", name)) {
				out = append(out, LogFile{Tool: ToolAnyDesk, Path: p})
			}
		}
	}
	if dir := os.Getenv("SystemRoot"); dir != "" {
		out = append(out, LogFile{Tool: ToolRustDesk, Path: filepath.Join(dir, "ServiceProfiles", "LocalService", "AppData", "Roaming", "RustDesk", "log", "server", "RustDesk_rCURRENT.log")})
	}
	return out
}

var homeLogs map[string][]string

func homes() []home { return nil }
