//go:build e2e

package torture

import (
	"cmp"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

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

// lanes are fields side by side: a campaign mostly waits for the second in which
// nothing counts.
const lanes = 4

// Each vector as often as AVAL_TORTURE says, or the shard's share of it.
func TestAttacks(t *testing.T) { fight(t, "attacks", "", Times(), lanes) }

// The same a tenth as often under a compositor, where the X server does not tell
// what is in front.
func TestAttacksComposited(t *testing.T) {
	if err := rig.Need("picom"); err != nil {
		t.Skip(err)
	}
	fight(t, "composited", "picom", max(1, Times()/10), 2)
}

// Programs around a question and around a recording die at random moments.
func TestDeaths(t *testing.T) {
	i, n, err := Shard()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	sum := &Deaths{}
	t.Run("lanes", func(t *testing.T) {
		for lane := range 2 {
			t.Run(fmt.Sprint(lane+1), func(t *testing.T) {
				t.Parallel()
				d, err := Die(open(t, ""), Share(Share(Times(), i, n), lane+1, 2))
				if err != nil {
					t.Error(err)
				}
				for _, p := range d.Problems {
					t.Error(p)
				}
				mu.Lock()
				defer mu.Unlock()
				sum.add(d)
			})
		}
	})
	report := Report{At: time.Now().UTC(), Programs: programs(t), Shard: fmt.Sprintf("%d/%d", i, n), Kills: sum}
	if err := report.Save("../../out/torture", fmt.Sprintf("deaths-%d-of-%d", i, n)); err != nil {
		t.Error(err)
	}
	t.Log("\n" + Table([]Report{report}))
}
