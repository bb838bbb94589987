package watch

import (
	"fmt"
	"slices"
)

// Hearing is one remote tool on this computer, for whoever looks after it: what
// of it is here, what Aval hears of its sessions, what it does not hear and what
// can be done about that.
type Hearing struct {
	Tool    string   `json:"tool"`
	Found   string   `json:"found,omitempty"` // "on :0 (process 7)"; empty: it is not here
	Hears   []string `json:"hears"`           // empty: its sessions are not heard
	Missing string   `json:"missing,omitempty"`
	Do      string   `json:"do,omitempty"`
	// Chosen: only what a policy names counts, so that silence is no fault.
	Chosen bool `json:"-"`
}

// facts are what a tool lets be known, kept beside its watcher.
type facts struct {
	hears []string
	// missing is what nothing tells; do is what would help, where something does.
	missing, do string
}

// toolFacts are those of every tool that some watcher hears. What a tool is not
// heard by on this system is not in hearable.
var toolFacts = map[string]facts{
	ToolMeshCentral: meshFacts, ToolX11VNC: x11vncFacts, ToolTigerVNC: tigerVNCFacts, ToolXrdp: xrdpFacts, ToolSSH: sshFacts,
	ToolTeamViewer: teamViewerFacts, ToolAnyDesk: anyDeskFacts, ToolRustDesk: rustDeskFacts, ToolChrome: chromeFacts, ToolGNOME: gnomeFacts,
	ToolSplashtop: splashtopFacts, ToolScreenConnect: screenConnectFacts, ToolRDP: rdpFacts,
}

// here is a tool that is on this computer, and that is heard.
func here(tool, found string) Hearing {
	f := toolFacts[tool]
	return Hearing{Tool: tool, Found: found, Hears: slices.Clone(f.hears), Missing: f.missing, Do: f.do}
}

// deaf is one that is not heard.
func deaf(tool, found, missing, do string) Hearing {
	return Hearing{Tool: tool, Found: found, Hears: []string{}, Missing: missing, Do: do}
}

// Hearings lists the tools that can be heard on this system, those that are here
// first: each program that runs, each log that was written. Without root, programs
// of other users are not seen.
func Hearings() []Hearing {
	out := runningTools()
	for _, f := range WrittenLogs() {
		out = append(out, here(f.Tool, "log "+f.Path))
	}
	for _, f := range Feeds(JournalTools(), nil) {
		for _, t := range f.Tools {
			out = append(out, here(t, "by the "+f.Name))
		}
	}
	slices.SortStableFunc(out, func(x, y Hearing) int { return slices.Index(hearable, x.Tool) - slices.Index(hearable, y.Tool) })
	for _, t := range hearable {
		if !slices.ContainsFunc(out, func(h Hearing) bool { return h.Tool == t }) {
			out = append(out, Hearing{Tool: t, Hears: []string{}})
		}
	}
	return out
}

// at names a program that runs.
func at(display string, pid int) string {
	if display == "" {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("on %s (process %d)", display, pid)
}
