//go:build e2e

package wine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aval/test/rig"
)

// build builds one of the programs that need no C code, to where it is installed.
func (m *machine) build(name string, flags ...string) {
	m.t.Helper()
	out := m.disk("Program Files/Aval/" + name + ".exe")
	m.must(os.MkdirAll(filepath.Dir(out), 0o755))
	cmd := exec.CommandContext(m.t.Context(), "go", append(append([]string{"build", "-trimpath"}, flags...), "-o", out, "./cmd/"+name)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if raw, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("build %s: %v\n%s", name, err, raw)
	}
}

// hold starts a program that stands still until end is called: the system's shell
// under the name path, in dir.
func (m *machine) hold(dir, path string) (end func()) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "wine", path, "/c", "set /p x= & exit 3")
	cmd.Dir, cmd.Env = dir, m.env()
	in, err := cmd.StdinPipe()
	m.must(err)
	m.must(cmd.Start())
	return func() {
		_, _ = io.WriteString(in, "\n")
		_ = in.Close()
		_ = cmd.Wait()
	}
}

// TestCapture: a session that a policy allows, behind the bar, with what is done in
// it by programs, installers, files, services and settings, as it left the computer.
//
// Planted and seen caught: the groups commands and system left out of what the
// desktop offers on Windows (nothing but files and windows is granted).
func TestCapture(t *testing.T) {
	m := newMachine(t)
	m.build("aval", "-tags", "wine")
	m.build("aval-desktop", "-ldflags", "-H windowsgui")
	summarizer, err := m.StartSummarizer("summarizer", "en")
	m.must(err)
	token, err := summarizer.FirstStart("enrolment-token")
	m.must(err)
	m.must(os.WriteFile(m.disk("token.json"), []byte(token), 0o600))
	m.run("wine", "reg", "add", `HKLM\SOFTWARE\Policies\Aval`, "/v", "AccessControl", "/d", "allowed", "/f")
	const list = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`
	m.run("wine", "reg", "add", list, "/f")
	for _, dir := range []string{"work", "Users/Public"} {
		m.must(os.MkdirAll(m.disk(dir), 0o755))
	}
	shell, err := os.ReadFile(m.disk("windows/system32/cmd.exe"))
	m.must(err)
	for _, name := range []string{"work/editor-setup.exe", "work/psservice.exe"} { // an installer and a tool for services, by their names
		m.must(os.WriteFile(m.disk(name), shell, 0o755))
	}

	service, err := m.Start(rig.Cmd{Name: "aval.exe", Path: "wine", Args: []string{installed, "run"}, Env: append(m.env(), "AVAL_WINE_TERMINAL=1")})
	m.must(err)
	m.Defer(service.Kill)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(service.Tail())
		}
	})
	m.says("is running since", "status")
	m.run("wine", installed, "enroll", "--server", summarizer.URL, "--token-file", `C:\token.json`)
	m.says("Example Support", "status")
	m.says("available", "status")
	if out := m.aval("session", "begin", "--tool", "test", "--id", "1", "--supporter", "Ana Souza"); !strings.Contains(out, "allowed-by-policy") {
		t.Fatalf("under a policy that allows: %s\n%s", out, service.Tail())
	}
	m.wait("the recording", func() (bool, error) {
		out := m.aval("session", "list", "--json")
		return strings.Contains(strings.ReplaceAll(out, " ", ""), `"recording":true`), errors.New(out)
	})

	install := m.hold(m.disk("work"), `C:\work\editor-setup.exe`)
	m.sent("program-started", "program", "editor-setup")
	m.run("wine", "reg", "add", list+`\Editor`, "/v", "DisplayVersion", "/d", "1.0", "/f")
	m.run("wine", "reg", "add", list+`\Editor`, "/v", "DisplayName", "/d", "Example Editor", "/f")
	m.must(os.WriteFile(m.disk("work/report.txt"), []byte("CANARY-CONTENT"), 0o644))
	m.sent("package-changed", "action", "installed", "name", "Example Editor", "version", "1.0")
	m.sent("file-changed", "action", "created", "name", `C:\work\report.txt`)
	install()
	m.sent("program-ended", "program", "editor-setup", "status", "3")

	services := m.hold(m.disk("work"), `C:\work\psservice.exe`)
	m.sent("program-started", "program", "psservice")
	m.run("wine", "net", "start", "Spooler")
	m.sent("service-changed", "action", "started")
	m.run("wine", "net", "stop", "Spooler")
	m.sent("service-changed", "action", "stopped")
	services()

	m.must(os.WriteFile(m.disk("work/net.reg"), []byte("REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters]\r\n\"NameServer\"=\"CANARY-192.0.2.53\"\r\n"), 0o644))
	m.run("wine", "reg", "import", `C:\work\net.reg`)
	m.sent("setting-changed", "setting", "network")
	out := m.aval("session", "end", "--id", "1")
	m.sent("session-ended")
	if all := m.aval("sent", "test/1", "--json"); strings.Contains(all, "CANARY") || strings.Count(all, "source-lost") > 1 { // Wine has no event log
		t.Errorf("a content, or more than one source was lost: %s\n%s", all, out)
	}
}

// sent waits until an event with these fields has left the computer.
func (m *machine) sent(kind string, fields ...string) {
	m.t.Helper()
	m.wait(fmt.Sprintf("%s %v", kind, fields), func() (bool, error) {
		out := m.aval("sent", "test/1", "--json")
		var all []map[string]any
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			return false, fmt.Errorf("%w: %s", err, out)
		}
		for _, e := range all {
			is := e["kind"] == kind
			for i := 0; i+1 < len(fields); i += 2 {
				is = is && fmt.Sprint(e[fields[i]]) == fields[i+1]
			}
			if is {
				return true, nil
			}
		}
		return false, errors.New(out)
	})
}
