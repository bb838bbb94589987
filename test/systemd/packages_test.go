//go:build e2e

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackages makes the packages, and once more as a later version, and runs
// packages.sh in the container. (To see it fail: take the restart out of postinst,
// the comparison out of preinst, or the count out of prerm.)
func TestPackages(t *testing.T) {
	needContainer(t)
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for to, args := range map[string][]string{"packages": nil, "next": {"-version", "0.99.0"}} {
		args = append([]string{"run", "-trimpath", "-tags", "x11,migrated_fynedo", "./installer/build",
			"-quick", "-out", filepath.Join(dir, to+"-bin"), "-packages", filepath.Join(dir, to)}, args...)
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make packages: %v\n%s", err, out)
		}
	}
	if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "packages", "next")); err != nil {
		t.Fatal(err)
	}
	t.Run("lint", func(t *testing.T) {
		for _, p := range []string{"lintian", "rpmlint", "cpio"} {
			if _, err := exec.LookPath(p); err != nil {
				t.Skipf("%s is not installed: make deps-e2e", p)
			}
		}
		all, err := filepath.Glob(filepath.Join(dir, "packages", "aval*"))
		if err != nil || len(all) != 4 {
			t.Fatalf("packages: %v, %v", all, err)
		}
		if out, err := exec.CommandContext(t.Context(), "../lintpackages.sh", all...).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	page, err := os.ReadFile("../../docs/mdm/script.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```sh\n")
	script, _, ok := strings.Cut(script, "```")
	rollOut := filepath.Join(dir, "roll-out.sh")
	if err := os.WriteFile(rollOut, []byte(script), 0o755); err != nil || !ok {
		t.Fatalf("the script of the page: %v, %v", ok, err)
	}
	inside(t, "packages.sh", packages, []string{filepath.Join(dir, "packages") + ":/packages", rollOut + ":/roll-out.sh"}, 60)
}
