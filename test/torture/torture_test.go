//go:build e2e

package torture

import (
	"cmp"
	"fmt"
	"os"
	"testing"

	"aval/test/rig"
)

func TestKill(t *testing.T) {
	r, err := rig.New(t.Context(), cmp.Or(os.Getenv("AVAL_BIN"), "../../bin"), "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.CheckBin(); err != nil {
		t.Fatal(err)
	}
	s, err := r.StartSummarizer("summarizer", "en")
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.StartAgent("agent")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Enroll(s); err != nil {
		t.Fatal(err)
	}
	outer, err := r.StartXvfb("outer", 1000, 700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.StartWM(outer); err != nil {
		t.Fatal(err)
	}
	if _, err := a.StartDesktop(outer); err != nil {
		t.Fatal(err)
	}
	Kill(t, r, a, s, outer, Times())
}

// Each vector as often as AVAL_TORTURE says, or the shard's share of it.
func TestAttacks(t *testing.T) {
	fight(t, open(t, os.Getenv("AVAL_COMPOSITOR")), cmp.Or(os.Getenv("AVAL_COMPOSITOR"), "attacks"), Times())
}

// Programs around a question and around a recording die at random moments.
func TestDeaths(t *testing.T) {
	f := open(t, "")
	i, n, err := Shard()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Die(f, Share(Times(), i, n))
	if err != nil {
		t.Error(err)
	}
	for _, p := range d.Problems {
		t.Error(p)
	}
	report := Report{Shard: fmt.Sprintf("%d/%d", i, n), Kills: d}
	if err := report.Save("../../out/torture", fmt.Sprintf("deaths-%d-of-%d", i, n)); err != nil {
		t.Error(err)
	}
	t.Log("\n" + Table([]Report{report}))
}
