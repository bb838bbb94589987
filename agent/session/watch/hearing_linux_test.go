package watch

import (
	"os"
	"path/filepath"
	"testing"
)

// TestHearings: every tool that is heard on this system is listed with what is
// heard of it, whether it is here or not. Planted once: a tool without facts.
func TestHearings(t *testing.T) {
	listed := map[string]bool{}
	for _, h := range Hearings() {
		listed[h.Tool] = true
		if h.Hears == nil {
			t.Errorf("%+v: no list is no JSON list", h)
		}
		if len(h.Hears) == 0 && h.Found != "" && (h.Missing == "" || h.Do == "") {
			t.Errorf("%+v says not what to do", h)
		}
	}
	for _, tool := range append([]string{ToolSSH, ToolX11VNC}, ToolNames...) {
		if len(toolFacts[tool].hears) == 0 {
			t.Errorf("nothing is known of %s", tool)
		}
	}
	for _, tool := range hearable {
		if !listed[tool] {
			t.Errorf("%s is not listed", tool)
		}
	}
}

func TestServerHearing(t *testing.T) {
	log := filepath.Join(t.TempDir(), "x.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		s     Server
		heard bool
	}{
		"an agent with its socket":  {Server{Tool: ToolMeshCentral, PID: 7, Socket: "DAIPC"}, true},
		"an agent without":          {Server{Tool: ToolMeshCentral, PID: 7}, false},
		"a log":                     {Server{Tool: ToolXrdp, PID: 7, Log: log}, true},
		"a log that is not there":   {Server{Tool: ToolXrdp, PID: 7, Log: log + ".1"}, false},
		"a server that writes none": {Server{Tool: ToolTigerVNC, PID: 7, Display: ":1"}, false},
	} {
		h := serverHearing(tt.s)
		if (len(h.Hears) > 0) != tt.heard || h.Found == "" || !tt.heard && (h.Missing == "" || h.Do == "") {
			t.Errorf("%s: %+v", name, h)
		}
	}
	if h := serverHearing(Server{Tool: ToolTigerVNC, PID: 7, Display: ":1", Log: log}); h.Found != "on :1 (process 7), log "+log {
		t.Error(h.Found)
	}
}

func TestSSHHearing(t *testing.T) {
	dir := t.TempDir()
	pam, none := filepath.Join(dir, "sshd"), filepath.Join(dir, "none")
	if err := os.WriteFile(pam, []byte(HookLine+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h := sshHearing(none, dir, pam); h != nil {
		t.Errorf("not installed: %+v", h)
	}
	for name, tt := range map[string]struct {
		logind, pam string
		heard, do   bool
	}{"hook": {none, pam, true, false}, "logind": {dir, none, true, true}, "neither": {none, none, false, true}} {
		h := sshHearing(pam, tt.logind, tt.pam)
		if len(h) != 1 || (len(h[0].Hears) > 0) != tt.heard || (h[0].Do != "") != tt.do || !h[0].Chosen {
			t.Errorf("%s: %+v", name, h)
		}
	}
}
