package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aval/agent/policy"
)

func TestVersion(t *testing.T) {
	for _, tt := range []struct{ toml, want string }{
		{"[Details]\nVersion = \"1.20.3\"\n", "1.20.3"},
		{"  Version=\"0.1.0-rc.1\"", "0.1.0-rc.1"},
		{"", ""}, {"Version = \"\"", ""}, {"Version = \"1.2\"", ""}, {"Version = \"01.2.3\"", ""},
		{"Version = \"1.2.3 -X main.evil=1\"", ""}, {"Version = \"1.2.3\"\nVersion = \"1.2.4\"", ""},
	} {
		got, err := Version(tt.toml)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.toml, got, err)
		}
	}
}

// TestBuild makes one program the way a release does; it tells the version of
// FyneApp.toml, and is no larger than it must be.
func TestBuild(t *testing.T) {
	t.Chdir("../..")
	out := t.TempDir()
	if err := build(context.Background(), "FyneApp.toml", out, "aval", ""); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("FyneApp.toml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Version(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(filepath.Join(out, "aval", ""), "--version").Output()
	if err != nil || strings.TrimSpace(string(said)) != "aval "+want {
		t.Errorf("--version: %q, %v; FyneApp.toml has %s", said, err, want)
	}
	// The limit is what a call of text/template costs: see command.Version.
	if fi, err := os.Stat(filepath.Join(out, "aval")); err != nil || fi.Size() > 15_700_000 {
		t.Errorf("aval has grown to %d bytes, %v: is something in it that calls methods by name, so that the linker keeps all? (go build -ldflags=-dumpdep, then look for ReflectMethod)", fi.Size(), err)
	}
	if err := build(context.Background(), "FyneApp.toml", out, "nothing", ""); err == nil {
		t.Error("a program that is not there was built")
	}
}

// TestOneID: the id of FyneApp.toml is the one that everything goes by. Managed
// preferences lie under it on macOS, and a desktop knows windows by it: another id would lose both.
// Fault planted once: another id in FyneApp.toml.
func TestOneID(t *testing.T) {
	t.Chdir("../..")
	read := func(path string) string {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	m := regexp.MustCompile(`(?m)^ID = "([^"]+)"$`).FindStringSubmatch(read("FyneApp.toml"))
	if m == nil || m[1] != policy.PreferenceDomain {
		t.Fatalf("the id is %v; managed preferences are those of %s", m, policy.PreferenceDomain)
	}
	for path, want := range map[string]string{
		"cmd/aval-ui/show.go":                       `app.NewWithID("` + m[1] + `")`,
		"installer/mdm/macos/Aval.mobileconfig":     "<string>" + m[1] + "</string>",
		"installer/linux/" + m[1] + ".desktop":      "Icon=" + m[1],
		"installer/linux/" + m[1] + ".metainfo.xml": "<id>" + m[1] + "</id>",
	} {
		if !strings.Contains(read(path), want) {
			t.Errorf("%s has no %s", path, want)
		}
	}
}

// TestLinuxFiles: what is laid beside the programs names programs that exist.
func TestLinuxFiles(t *testing.T) {
	for file, want := range map[string]string{
		"aval-desktop.desktop": "Exec=/usr/bin/aval-desktop",
		"aval-desktop.service": "ExecStart=/usr/bin/aval-desktop",
		"aval.Aval.desktop":    "Exec=/usr/bin/aval-ui",
		"pam-sshd":             "session optional pam_exec.so quiet /usr/bin/aval session pam-hook",
		"pam-config":           "Default: no",
	} {
		raw, err := os.ReadFile(filepath.Join("..", "linux", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+string(raw), "\n"+want+"\n") {
			t.Errorf("%s has no line %q", file, want)
		}
	}
}
