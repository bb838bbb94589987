package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/session/watch"
	"aval/cmd/internal/command"
)

// healthy is a checkup that finds nothing wrong.
func healthy() *checkup {
	return &checkup{app: &app{}, now: time.Now(), client: nil,
		status: ipc.Status{Build: version, Company: "Example Support", Server: "https://127.0.0.1:1", Link: "connected",
			Desktops: []ipc.DesktopStatus{{Desktop: "2", User: "maria", State: consent.DesktopAvailable, Helper: true}}},
		policy: ipc.PolicyResult{State: consent.PolicyFresh},
		newest: ipc.ConsentEntry{At: time.Now().Add(-time.Hour)},
		tools:  []watch.Hearing{{Tool: "x11vnc", Found: "on :0 (process 7)", Hears: []string{"begin", "end"}}, {Tool: "xrdp"}}}
}

// TestChecks: each thing that can be wrong is found, said with what to do, and
// nothing else is said to be wrong. Fault planted once: checkDesktops without
// its look at Helper; both desktops were missed.
func TestChecks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*checkup)
		look   func(*checkup) []command.Finding
		state  string
		says   []string
	}{
		{"no service", func(c *checkup) { c.dial = errors.New("the service is not running") }, checkService, command.StateWrong, []string{"not running", "aval start"}},
		{"service", func(*checkup) {}, checkService, command.StateOK, nil},
		{"other version", func(c *checkup) { c.status.Build = "0.0.1" }, checkService, command.StateNote, []string{"0.0.1", "restart"}},
		{"connected", func(*checkup) {}, checkServer, command.StateOK, []string{"Example Support"}},
		{"no company", func(c *checkup) { c.status.Company = "" }, checkServer, command.StateNote, []string{"nobody can ask", "aval enroll"}},
		{"turned away", func(c *checkup) { c.status.Link, c.status.LinkError = "refused", "unknown device" }, checkServer, command.StateWrong, []string{"turns this computer away", "unknown device"}},
		{"no way there", func(c *checkup) { c.status.Link, c.status.LinkError, c.status.Waiting = "connecting", "no route", 42 }, checkServer, command.StateWrong, []string{"no route", "42 events wait"}},
		{"complaint", func(c *checkup) { c.status.LinkError = "a stream was rejected" }, checkServer, command.StateWrong, []string{"a stream was rejected"}},
		{"another audit log", func(c *checkup) {
			c.status.AuditBreak = &ipc.AuditBreak{At: c.now, SeenAt: c.now, Seen: 120, ShownAt: c.now, Shown: 97}
		}, checkAudit, command.StateNote, []string{"does not continue", "120 entries", "of 97 entries", "put back from a backup", "aval-summarizer audit verify"}},
		{"clock set back", func(c *checkup) { c.newest.At = c.now.Add(time.Hour) }, checkClock, command.StateWrong, []string{"1h0m0s in the future"}},
		{"policy", func(*checkup) {}, checkPolicy, command.StateOK, nil},
		{"policy unreadable", func(c *checkup) { c.policy.State, c.policy.Problem = consent.PolicyUnreadable, "x.json: line 1" }, checkPolicy, command.StateWrong, []string{"nothing is recorded", "x.json", "aval policy validate"}},
		{"policy stale", func(c *checkup) { c.policy.State, c.policy.Problem = consent.PolicyStale, "x.json: line 1" }, checkPolicy, command.StateWrong, []string{"last good one"}},
		{"nobody", func(c *checkup) { c.status.Desktops = nil }, checkDesktops, command.StateNote, []string{"nobody can be asked"}},
		{"helped", func(*checkup) {}, checkDesktops, command.StateOK, []string{"2 of maria: available"}},
		{"Wayland", func(c *checkup) {
			c.status.Desktops[0].Type, c.status.Desktops[0].Gone = "wayland", []event.Group{event.Windows, event.Commands}
		}, checkDesktops, command.StateNote, []string{"2 of maria: available", "changed from X11 to Wayland", "any more: windows, commands", "X11 (Xorg)"}},
		{"i3", func(c *checkup) {
			c.status.Desktops[0] = ipc.DesktopStatus{Desktop: "3", Display: ":1", User: "maria", State: consent.DesktopUnreachable, StartFile: "~/.config/i3/config", StartLine: "exec --no-startup-id aval-desktop"}
		}, checkDesktops, command.StateWrong, []string{"3 (:1) of maria: unreachable", "add to ~/.config/i3/config of maria: exec --no-startup-id aval-desktop"}},
		{"xinit", func(c *checkup) {
			c.status.Desktops[0] = ipc.DesktopStatus{Desktop: "3", User: "maria", State: consent.DesktopUnreachable, StartFile: "~/.xinitrc", StartLine: "aval-desktop &"}
		}, checkDesktops, command.StateWrong, []string{"in ~/.xinitrc of maria, before the line that starts the window manager: aval-desktop &"}},
		{"tools", func(*checkup) {}, checkTools, command.StateOK, []string{"heard of x11vnc\n"}},
		{"deaf to a tool", func(c *checkup) {
			c.tools = append(c.tools, watch.Hearing{Tool: "tigervnc", Found: "on :1 (process 8)", Missing: "it writes no log file", Do: "let it write one"})
		}, checkTools, command.StateWrong, []string{"heard of x11vnc\n", "tigervnc, on :1 (process 8): its sessions are not heard: it writes no log file", "let it write one"}},
		{"deaf where a policy chooses", func(c *checkup) {
			c.tools = []watch.Hearing{{Tool: "ssh", Found: "/usr/sbin/sshd", Missing: "nothing announces its logins", Do: "add a line", Chosen: true}}
		}, checkTools, command.StateNote, []string{"not heard", "add a line"}},
		{"no tools", func(c *checkup) { c.tools = c.tools[1:] }, checkTools, command.StateNote, []string{"no remote tool"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := healthy()
			tt.change(c)
			found := tt.look(c)
			worst := command.StateOK
			for _, f := range found {
				if f.State == command.StateWrong || worst == command.StateOK {
					worst = f.State
				}
				if f.State == command.StateWrong && len(f.Do) == 0 {
					t.Errorf("%q says not what to do", f.Found)
				}
			}
			if worst != tt.state {
				t.Errorf("%+v, want %s", found, tt.state)
			}
			var page bytes.Buffer
			command.WriteFindings(&page, found)
			for _, s := range tt.says {
				if !strings.Contains(page.String(), s) {
					t.Errorf("%q is not said:\n%s", s, page.String())
				}
			}
		})
	}
}

func TestCheckSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	c := healthy()
	c.app.socket = path
	want := func(what, state string) {
		t.Helper()
		if got := checkSocket(c); len(got) != 1 || got[0].State != state {
			t.Errorf("%s: %+v, want %s", what, got, state)
		}
	}
	want("nothing there", command.StateWrong)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for mode, state := range map[os.FileMode]string{0o666: command.StateOK, 0o600: command.StateWrong} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		want(mode.String(), state)
	}
	for mode, state := range map[os.FileMode]string{0o777: command.StateWrong, 0o777 | os.ModeSticky: command.StateOK} {
		if err := errors.Join(os.Chmod(path, 0o666), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		want("folder "+mode.String(), state)
	}
	c.app.socket = filepath.Join(dir, "file")
	if err := os.WriteFile(c.app.socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want("a file", command.StateWrong)
}

// TestPrintTools: what is here in lines, what is not in one. Fault planted once:
// what is missing printed for tools that are heard alone.
func TestPrintTools(t *testing.T) {
	var b bytes.Buffer
	printTools(&b, []watch.Hearing{
		{Tool: "meshcentral", Found: "process 7", Hears: []string{"begin", "end"}},
		{Tool: "xrdp", Found: "process\x1b[31m 8", Missing: "it writes no log file", Do: "let it write one"},
		{Tool: "anydesk"}, {Tool: "rustdesk"},
	})
	want := `meshcentral  found    process 7
             hears    begin, end
xrdp         found    process�[31m 8
             hears    nothing
             missing  it writes no log file
             do       let it write one
Not here, but would be heard: anydesk, rustdesk.
`
	if got := b.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestCompareFiles: what is not as it was packed is found: bytes, mode, group, a
// link in its place, nothing there, a list that is damaged.
// Faults planted once: no comparison of the mode, none of the sum.
func TestCompareFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("packed files belong to root")
	}
	dir := t.TempDir()
	file, list := filepath.Join(dir, "program"), filepath.Join(dir, "files")
	line := func(sum, mode, group string) string { return sum + " " + mode + " " + group + " " + file + "\n" }
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // hello
	for name, tt := range map[string]struct {
		list   string
		change func() error
		want   string
	}{
		"as packed":  {line(sum, "755", "root"), nil, ""},
		"bytes":      {line(sum, "755", "root"), func() error { return os.WriteFile(file, []byte("hellp"), 0o755) }, "changed since"},
		"mode":       {line(sum, "755", "root"), func() error { return os.Chmod(file, 0o777) }, "mode 777"},
		"no group":   {line(sum, "2755", "root"), nil, "mode 755"},
		"its group":  {line(sum, "755", "daemon"), nil, "root:root"},
		"missing":    {line(sum, "755", "root"), func() error { return os.Remove(file) }, "missing"},
		"a link":     {line(sum, "755", "root"), func() error { return errors.Join(os.Remove(file), os.Symlink("/bin/sh", file)) }, "no regular file"},
		"a bad list": {"x\n", nil, "not what the package wrote"},
		"an empty":   {"", nil, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(file)
			if err := errors.Join(os.WriteFile(file, []byte("hello"), 0o755), os.Chmod(file, 0o755), os.WriteFile(list, []byte(tt.list), 0o644)); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				if err := tt.change(); err != nil {
					t.Fatal(err)
				}
			}
			got := compareFiles(list)
			if tt.want == "" && got[0].State != command.StateOK || tt.want != "" && (got[0].State != command.StateWrong || !strings.Contains(got[0].Found, tt.want) || len(got[0].Do) == 0) {
				t.Errorf("%+v, want %q", got, tt.want)
			}
		})
	}
	if got := compareFiles(filepath.Join(dir, "none")); got[0].State != command.StateNote {
		t.Errorf("without a package: %+v", got)
	}
}

// TestBundle: it holds what doctor found, is for its maker alone, takes no file's
// place, and has nothing in it of sessions or of guests, which name people.
// Fault planted once: the status with its guests.
func TestBundle(t *testing.T) {
	c := healthy()
	c.status.Guests = []ipc.GuestStatus{{Company: "Example Guests", Supporter: "canary"}}
	c.newest.Supporter = "canary"
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := c.app.bundle(path, c, map[string]bool{"ok": true}, []byte("Nothing is wrong.")); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"aval-doctor/doctor.json", "aval-doctor/doctor.txt", "Nothing is wrong.", "aval-doctor/system.json", "Example Support"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if strings.Contains(string(raw), "canary") {
		t.Error("it names people of sessions")
	}
	if err := c.app.bundle(path, c, nil, nil); err == nil {
		t.Error("it took another file's place")
	}
}
