//go:build e2e

package torture

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aval/test/rig"
)

// edit is a fault that is planted in a copy of a source file.
type edit struct{ file, old, new string }

// Everything that stands between a button and a grant, taken away: where a press
// came from, what lies in front of the window, and the second in which nothing counts.
var openDoors = []edit{
	{"agent/consent/provenance.go", "	demanded := s.Proven || s.Tests\n", "	if true {\n\t\treturn P2, true\n\t}\n	demanded := s.Proven || s.Tests\n"},
	{"ui/viewmodel/arming.go", "	return a.inSight && now.Sub(a.from) >= ArmingDelay\n", "	return true\n"},
	{"ui/consentview/sight_linux.go", "painted && s.mapped && s.visibility == xproto.VisibilityUnobscured", "painted && s.mapped"},
}

// A window that is lost is a yes.
var lostIsYes = []edit{
	{"agent/consent/next.go", "	case EventUILost:\n		return q.end(e, OutcomeCouldNotAsk, EndingUILost)\n",
		"	case EventUILost:\n		q.Granted = q.Offered\n		return q.end(e, OutcomeAllowed, EndingAnsweredYes)\n"},
}

// A bar that is gone stops nothing.
var barIsNothing = []edit{
	{"agent/recording.go", "		case !ok:\n			return whyIndicator\n", "		case !ok:\n			continue\n"},
}

// plant builds the programs with faults in them, into a folder of the test's own;
// the source files stay as they are (go help build: -overlay).
func plant(t *testing.T, edits []edit) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for _, e := range edits {
		path := filepath.Join(root, filepath.FromSlash(e.file))
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if strings.Count(text, e.old) != 1 {
			t.Fatalf("%s holds %q %d times, not once: this control no longer fits", e.file, e.old, strings.Count(text, e.old))
		}
		copied := filepath.Join(dir, strings.ReplaceAll(e.file, "/", "_"))
		if err := os.WriteFile(copied, []byte(strings.Replace(text, e.old, e.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = copied
	}
	overlay := filepath.Join(dir, "overlay.json")
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "x11,migrated_fynedo,no_emoji", "-overlay", overlay, "-o", bin+"/",
		"./cmd/aval", "./cmd/aval-desktop", "./cmd/aval-ui", "./cmd/aval-summarizer")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build with planted faults: %v\n%s", err, out)
	}
	return bin
}

// The negative controls: with the doors open, every attack that is aimed at the
// button is granted, and the campaign says so; and a death that counts as a yes,
// or that stops no capture, is found.
func TestControls(t *testing.T) {
	t.Run("doors open", func(t *testing.T) {
		t.Setenv("AVAL_BIN", plant(t, openDoors))
		f := open(t, "")
		for _, v := range Vectors {
			// No entry of the tray's menu can allow: there is no door to open. And the real
			// helper takes its desktop back from one that plays it (its own control is at
			// TestPlayedDesktop of test/e2e).
			if v.Hand || v.Name == "tray" || v.Installed {
				continue
			}
			t.Run(v.Name, func(t *testing.T) {
				if err := rig.Need(v.Needs...); err != nil {
					t.Skip(err)
				}
				attempts := 4
				if v.Name == "typing" { // some windows by hand and some by a program
					attempts = 200
				}
				tally, err := Fight(f, v, attempts)
				if err != nil {
					t.Fatal(err)
				}
				if tally.Grants == 0 || tally.Wrong() == "" {
					t.Errorf("the campaign does not notice: %+v", tally)
				}
			})
		}
	})
	t.Run("a lost window is a yes", func(t *testing.T) {
		t.Setenv("AVAL_BIN", plant(t, lostIsYes))
		d, err := Die(open(t, ""), 10)
		if err != nil {
			t.Fatal(err)
		}
		if d.Grants == 0 || len(d.Problems) == 0 {
			t.Errorf("the campaign does not notice: %+v", d)
		}
	})
	t.Run("capture outlives the bar", func(t *testing.T) {
		t.Setenv("AVAL_BIN", plant(t, barIsNothing))
		d, err := Die(open(t, ""), 16)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Problems) == 0 {
			t.Errorf("the campaign does not notice: %+v", d)
		}
	})
}
