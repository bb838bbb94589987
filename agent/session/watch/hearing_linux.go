package watch

import (
	"fmt"
	"os"
	"strings"
)

// hearable are the tools that are heard on this system, in the order in which
// they are listed.
var hearable = []string{ToolMeshCentral, ToolX11VNC, ToolTigerVNC, ToolXrdp, ToolSSH, ToolTeamViewer, ToolAnyDesk, ToolRustDesk, ToolChrome, ToolGNOME}

// runningTools lists the programs that run, and OpenSSH where it is installed.
func runningTools() []Hearing {
	var out []Hearing
	for _, s := range X11VNCServers() {
		if s.Hooked {
			out = append(out, here(ToolX11VNC, at(s.Display, s.PID)))
		} else {
			out = append(out, deaf(ToolX11VNC, at(s.Display, s.PID), "it tells nobody of its clients", "start it with the -accept and -gone lines of docs/remote-tools.md"))
		}
	}
	for _, s := range Servers() {
		out = append(out, serverHearing(s))
	}
	return append(out, sshHearing("/usr/sbin/sshd", "/run/systemd/seats", "/etc/pam.d/sshd")...)
}

func serverHearing(s Server) Hearing {
	found := at(s.Display, s.PID)
	switch _, err := os.Stat(s.Log); {
	case s.Tool == ToolMeshCentral && s.Socket == "":
		return deaf(s.Tool, found, "its local socket is not there: it opens it once it has reached its server", "see that it reaches its server")
	case s.Tool == ToolMeshCentral:
		return here(s.Tool, found)
	case s.Log == "":
		return deaf(s.Tool, found, "it writes no log file", "let it write its log to a file, as docs/remote-tools.md says")
	case err != nil:
		return deaf(s.Tool, found, fmt.Sprintf("its log %s cannot be found", s.Log), "see section Logging of xrdp.ini, or where its standard error goes")
	}
	return here(s.Tool, found+", log "+s.Log)
}

// sshHearing looks for OpenSSH's server and for what announces its logins.
func sshHearing(program, logind, pam string) []Hearing {
	if _, err := os.Stat(program); err != nil {
		return nil
	}
	_, err := os.Stat(logind) // logind's folder (sd-login)
	b, _ := os.ReadFile(pam)
	h := here(ToolSSH, program)
	switch hook := strings.Contains(string(b), "session pam-hook"); {
	case hook:
		h.Missing, h.Do = "", ""
	case err != nil:
		h = deaf(ToolSSH, program, "nothing announces its logins: there is no logind and no hook", sshFacts.do)
	}
	h.Chosen = true
	return []Hearing{h}
}
