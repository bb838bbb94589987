package torture

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/test/rig"
)

// few is how many attempts of each vector make test makes: two windows.
const few = 20

// open makes a field of its own that ends with the test.
func open(t *testing.T, compositor string) *Field {
	t.Helper()
	if err := rig.Need("Xvfb", "Xephyr", "openbox"); err != nil {
		t.Skip(err)
	}
	r, err := rig.New(t.Context(), cmp.Or(os.Getenv("AVAL_BIN"), "../../bin"), "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	var f *Field
	t.Cleanup(func() {
		if t.Failed() && f != nil {
			_ = f.Person.SavePicture(filepath.Join("../../out/torture", t.Name()+".png"))
		}
		if t.Failed() || os.Getenv("AVAL_KEEP_LOGS") != "" {
			keepLogs(t, r)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.CheckBin(); err != nil {
		t.Skip(err)
	}
	if f, err = NewField(r, compositor); err != nil {
		t.Fatal(err)
	}
	return f
}

// fight makes attempts of each vector, on several fields side by side, keeps the
// report, and judges it: what the lanes did together. AVAL_VECTORS=a,b leaves out
// the others.
func fight(t *testing.T, name, compositor string, attempts, lanes int) {
	i, n, err := Shard()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	reports := make([]Report, lanes) // guarded by mu
	// Saved after each vector: a campaign that is ended early has found something, too.
	save := func() Report {
		all := Report{At: time.Now().UTC(), Programs: programs(t), Shard: fmt.Sprintf("%d/%d", i, n), Compositor: compositor, Tallies: Sum(reports)}
		if err := all.Save("../../out/torture", fmt.Sprintf("%s-%d-of-%d", name, i, n)); err != nil {
			t.Error(err)
		}
		return all
	}
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane+1), func(t *testing.T) {
				if lanes > 1 {
					t.Parallel()
				}
				f := open(t, compositor)
				for _, v := range Vectors {
					if only := os.Getenv("AVAL_VECTORS"); only != "" && !strings.Contains(","+only+",", ","+v.Name+",") {
						continue
					}
					t.Run(v.Name, func(t *testing.T) {
						if err := rig.Need(v.Needs...); err != nil {
							t.Skip(err)
						}
						if v.Installed && f.Group == "" {
							t.Skip("only root can give programs to a group")
						}
						share := Share(Share(attempts, i, n), lane+1, lanes)
						if share == 0 {
							return // the lanes before this one do all of it
						}
						tally, err := Fight(f, v, share)
						mu.Lock()
						reports[lane].Tallies = append(reports[lane].Tallies, tally)
						save()
						mu.Unlock()
						if err != nil {
							t.Error(err)
						}
					})
				}
			})
		}
	})
	all := save()
	for _, tally := range all.Tallies {
		if w := tally.Wrong(); w != "" {
			t.Errorf("%s: %s", tally.Vector, w)
		}
	}
	t.Log("\n" + Table([]Report{all}))
}

// programs tells the programs of this run from those of another.
func programs(t *testing.T) string {
	sum, err := Programs(cmp.Or(os.Getenv("AVAL_BIN"), "../../bin"))
	if err != nil {
		t.Skip(err)
	}
	return sum
}

// Nothing that a program or a supporter does is an answer, and what a hand does is.
func TestFewAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	fight(t, "few", "", few, 2)
}

// keepLogs copies what the programs wrote to out/torture.
func keepLogs(t *testing.T, r *rig.Rig) {
	dir := filepath.Join("../../out/torture", t.Name()+"-log")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return
	}
	logs, _ := filepath.Glob(r.Path("log", "*"))
	for _, l := range logs {
		if raw, err := os.ReadFile(l); err == nil {
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(l)), raw, 0o644)
		}
	}
	t.Logf("what the programs wrote is in %s", dir)
}
