//go:build e2e

package wine

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnits runs the tests that only Windows' own files have, each where it lies.
func TestUnits(t *testing.T) {
	m := newMachine(t)
	for _, c := range []struct{ dir, run string }{
		{"agent/ipc", "Pipe|UserID"},
		{"agent/prompt/native", "Dialog|List|Template"},
		{"agent/session/watch", "LockState|ListedSession"},
		{"agent/policy/source", "Registry"},
		{"agent/store", "OfAnotherComputer"},
		{"agent/capture", "Windows"},
	} {
		t.Run(strings.ReplaceAll(c.dir, "/", "-"), func(t *testing.T) {
			program := m.Path("units.exe")
			build := exec.CommandContext(t.Context(), "go", "test", "-trimpath", "-c", "-o", program, "./"+c.dir)
			build.Dir = "../.."
			build.Env = append(m.env(), "GOOS=windows", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			cmd := exec.CommandContext(t.Context(), "wine", program, "-test.v", "-test.run", c.run)
			cmd.Dir, cmd.Env = filepath.Join("../..", c.dir), m.env()
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
