//go:build e2e

package systemd

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packages are what the scripts need beside the base, the same for all, since
// each set is a system of its own to keep.
const packages = "openssh-server openssh-client xvfb x11-utils zenity jq xdotool rpm"

// TestService runs guest.sh in the container and reports each of its checks.
// (To see it fail: take Restart=always out of the unit, CAP_NET_ADMIN out of
// its capabilities, or the terminal out of guest.sh's ssh.)
func TestService(t *testing.T) {
	needContainer(t)
	var files []string
	for _, p := range []string{"aval", "aval-desktop", "aval-summarizer"} {
		file, err := filepath.Abs(filepath.Join("../../bin", p))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%s is not built: make build", p)
		}
		files = append(files, file+":/usr/bin/"+p)
	}
	inside(t, guest{script: "guest.sh", files: files, least: 40})
}

// needContainer skips where no container can be made.
func needContainer(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("the container needs root: run make e2e as root")
	}
	for _, p := range []string{"debootstrap", "systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is missing: apt-get install debootstrap systemd-container util-linux", p)
		}
	}
}

// guest says what runs inside a container.
type guest struct {
	script  string   // of this folder
	files   []string // FROM:TO
	install []string // .deb files that are there when it boots
	least   int      // so many checks have to be made
}

// inside runs a script in a container, and reports each of its checks.
func inside(t *testing.T, g guest) {
	t.Helper()
	args := []string{"-p", packages}
	for _, f := range g.files {
		args = append(args, "-c", f)
	}
	for _, f := range g.install {
		args = append(args, "-i", f)
	}
	for _, name := range []string{g.script, "checks.sh"} {
		file, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "-c", file+":/"+name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "./nspawn-debian.sh", append(args, "--", "/bin/bash", "/"+g.script)...)
	cmd.Env = append(os.Environ(), "CACHE="+filepath.Join(cache, "aval-test"), "LIMIT=590")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var trouble strings.Builder
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	checks := 0
	var rest []string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		line := sc.Text()
		name, isOK := strings.CutPrefix(line, "ok ")
		failure, isBad := strings.CutPrefix(line, "FAIL ")
		switch {
		case isOK:
			checks++
			t.Run(name, func(*testing.T) {})
		case isBad:
			checks++
			name, why, _ := strings.Cut(failure, ": ")
			t.Run(name, func(t *testing.T) { t.Error(why) })
		default:
			rest = append(rest, line)
		}
	}
	err = cmd.Wait()
	t.Log(strings.Join(rest, "\n"))
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 99:
		t.Skipf("no container here: %s", strings.TrimSpace(trouble.String()))
	case err != nil:
		t.Errorf("%v: %s", err, trouble.String())
	}
	if checks < g.least {
		t.Errorf("only %d checks were made", checks)
	}
}
