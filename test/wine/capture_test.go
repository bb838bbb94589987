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
	"unicode/utf16"

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
// it by programs, installers, files, services and settings, as it left the computer;
// and one that a tool's log tells of, with a file that it transferred.
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
	m.sent("test/1", "program-started", "program", "editor-setup")
	m.run("wine", "reg", "add", list+`\Editor`, "/v", "DisplayVersion", "/d", "1.0", "/f")
	m.run("wine", "reg", "add", list+`\Editor`, "/v", "DisplayName", "/d", "Example Editor", "/f")
	m.must(os.WriteFile(m.disk("work/report.txt"), []byte("CANARY-CONTENT"), 0o644))
	m.sent("test/1", "package-changed", "action", "installed", "name", "Example Editor", "version", "1.0")
	m.sent("test/1", "file-changed", "action", "created", "name", `C:\work\report.txt`)
	install()
	m.sent("test/1", "program-ended", "program", "editor-setup", "status", "3")

	services := m.hold(m.disk("work"), `C:\work\psservice.exe`)
	m.sent("test/1", "program-started", "program", "psservice")
	m.run("wine", "net", "start", "Spooler")
	m.sent("test/1", "service-changed", "action", "started")
	m.run("wine", "net", "stop", "Spooler")
	m.sent("test/1", "service-changed", "action", "stopped")
	services()

	m.must(os.WriteFile(m.disk("work/net.reg"), []byte("REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters]\r\n\"NameServer\"=\"CANARY-192.0.2.53\"\r\n"), 0o644))
	m.run("wine", "reg", "import", `C:\work\net.reg`)
	m.sent("test/1", "setting-changed", "setting", "network")
	out := m.aval("session", "end", "--id", "1")
	m.sent("test/1", "session-ended")
	if all := m.aval("sent", "test/1", "--json"); strings.Contains(all, "CANARY") || strings.Count(all, "source-lost") > 1 { // Wine has no event log
		t.Errorf("a content, or more than one source was lost: %s\n%s", all, out)
	}
	m.anyDesk(t)
}

// anyDesk has AnyDesk's service write of a session with a transferred file, as its
// logs have it.
func (m *machine) anyDesk(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile("../../agent/session/watch/testdata/anydesk.trace")
	m.must(err)
	login, end, found := strings.Cut(string(raw), "Authenticated ")
	if !found {
		t.Fatal("the sample has no login")
	}
	rest, end, _ := strings.Cut(end, "\n")
	trace, list := m.disk("ProgramData/AnyDesk/ad_svc.trace"), m.disk("ProgramData/AnyDesk/file_transfer_trace.txt")
	m.must(os.MkdirAll(filepath.Dir(trace), 0o755))
	write := func(path, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		m.must(err)
		_, err = f.WriteString(text)
		m.must(errors.Join(err, f.Close()))
	}
	const name = "anydesk/100000001-20240216T202904.298"
	write(trace, login+"Authenticated "+rest+"\n")
	m.wait("AnyDesk's session is recorded", func() (bool, error) {
		out := m.aval("session", "list", "--json")
		return strings.Contains(out, name) && strings.Contains(strings.ReplaceAll(out, " ", ""), `"recording":true`), errors.New(out)
	})
	var wide []byte
	for _, u := range utf16.Encode([]rune("Clipboard\t\t2026-02-16, 20:31\tstart \tdownload\t'driver für Ana.zip' (~0 B out of 4.20 MiB)\r\n")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	write(list, string(wide))
	m.sent(name, "file-transferred", "name", "driver für Ana.zip")
	write(trace, end)
	m.sent(name, "session-ended")
}

// sent waits until an event of a session with these fields has left the computer.
func (m *machine) sent(session, kind string, fields ...string) {
	m.t.Helper()
	m.wait(fmt.Sprintf("%s %v", kind, fields), func() (bool, error) {
		out := m.aval("sent", session, "--json")
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
