//go:build e2e

package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// folder is the packages' for all tests here, next/ in it holding those of a later version.
var folder string

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// made makes the packages, and once more as a later version.
var made = sync.OnceValue(func() error {
	var err error
	if folder, err = os.MkdirTemp("", "aval-packages-"); err != nil {
		return err
	}
	for _, step := range []struct {
		to   string
		args []string
	}{{"", nil}, {"next", []string{"-version", "0.99.0"}}} {
		bin, err := os.MkdirTemp("", "aval-bin-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(bin)
		args := append([]string{"run", "-trimpath", "-tags", "x11,migrated_fynedo,no_emoji", "./installer/build",
			"-quick", "-out", bin, "-packages", filepath.Join(folder, step.to)}, step.args...)
		cmd := exec.Command("go", args...)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make packages: %w: %s", err, out)
		}
	}
	return nil
})

// packagesOf are the packages that match, of this version.
func packagesOf(t *testing.T, pattern string) []string {
	t.Helper()
	if err := made(); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(all) == 0 {
		t.Fatalf("packages: %v, %v", all, err)
	}
	return all
}

// TestPackages installs, upgrades, removes and purges the deb packages by
// packages.sh in the container. (To see it fail: take the restart out of postinst,
// the comparison out of preinst, or the count out of prerm.)
func TestPackages(t *testing.T) {
	needContainer(t)
	all := packagesOf(t, "aval*")
	t.Run("lint", func(t *testing.T) {
		for _, p := range []string{"lintian", "rpmlint", "cpio"} {
			if _, err := exec.LookPath(p); err != nil {
				t.Skipf("%s is not installed: make deps-e2e", p)
			}
		}
		if len(all) != 4 {
			t.Fatalf("packages: %v", all)
		}
		if out, err := exec.CommandContext(t.Context(), "../lintpackages.sh", all...).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	rollOut := filepath.Join(t.TempDir(), "roll-out.sh")
	if err := example("script.md", "sh", rollOut); err != nil {
		t.Fatal(err)
	}
	inside(t, guest{script: "packages.sh", files: []string{folder + ":/packages", rollOut + ":/roll-out.sh"}, least: 60})
}

// TestRPM does the same with the rpm packages, by rpm.sh, with bash as /bin/sh. It
// is a Debian all the same: what needs is met by other names there, so rpm is told
// not to look for it. Planted once: the preset left out of post (the service is not
// enabled, and the computer not enrolled).
func TestRPM(t *testing.T) {
	needContainer(t)
	packagesOf(t, "*.rpm")
	scripts, err := filepath.Abs("../../installer/linux/rpm")
	if err != nil {
		t.Fatal(err)
	}
	inside(t, guest{script: "rpm.sh", files: []string{folder + ":/packages", scripts + ":/scripts"}, least: 50})
}

// TestImage boots an image in which the package is already, and then does to it
// what image.sh says: what an ordinary user of the computer, or a careless set-up,
// could do to an installation. (To see it fail: let postinst copy the token file itself
// and leave the folder as it is, take PATH out of it, or the comparison out of preinst.)
func TestImage(t *testing.T) {
	needContainer(t)
	deb := packagesOf(t, "aval_*.deb")[0]
	inside(t, guest{script: "image.sh", files: []string{folder + ":/packages"}, install: []string{deb}, least: 20})
}

// TestDeviceManagement rolls the package out by Ansible and by Puppet, with the
// playbook and the manifest of their pages, by mdm.sh.
func TestDeviceManagement(t *testing.T) {
	needContainer(t)
	packagesOf(t, "*.deb")
	dir := filepath.Join(t.TempDir(), "roll-out")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct{ name, kind, to string }{{"ansible.md", "yaml", "playbook.yml"}, {"puppet.md", "puppet", "aval.pp"}} {
		if err := example(page.name, page.kind, filepath.Join(dir, page.to)); err != nil {
			t.Fatal(err)
		}
	}
	inside(t, guest{script: "mdm.sh", files: []string{folder + ":/packages", dir + ":/roll-out"}, least: 14})
}

// example writes the first block of a kind on a page of docs/mdm.
func example(page, kind, to string) error {
	raw, err := os.ReadFile(filepath.Join("../../docs/mdm", page))
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(string(raw), "```"+kind+"\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		return fmt.Errorf("%s has no block of %s", page, kind)
	}
	return os.WriteFile(to, []byte(text), 0o755)
}
