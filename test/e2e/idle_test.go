//go:build e2e

package e2e

import (
	"runtime"
	"testing"
	"time"

	"aval/test/rig"
)

// Idle, enrolled and connected: what the resident programs cost. The minute is
// measured, not waited for.
func TestIdle(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	// After one whole session, so that nothing is measured before it was used.
	s := w.connect(d)
	w.must(w.question(d).Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	w.must(s.Leave())
	w.arrived(row.Session)
	w.must(d.WaitNoWindow("the bar", 30*time.Second, rig.OfDesktop))

	programs := []struct {
		name   string
		proc   *rig.Proc
		most   int64 // bytes
		before rig.Usage
	}{{name: "aval", proc: w.agent.Proc, most: 16 << 20}, {name: "aval-desktop", proc: d.helper, most: 12 << 20}}
	var err error
	for i := range programs {
		programs[i].before, err = programs[i].proc.Usage()
		w.must(err)
	}
	<-time.After(60 * time.Second)
	for _, p := range programs {
		after, err := p.proc.Usage()
		w.must(err)
		n := after.Switches - p.before.Switches
		t.Logf("%s on %s: %.1f MB resident, %d context switches in 60 s (and %d forced)", p.name, runtime.GOARCH, float64(after.RSS)/(1<<20), n, after.Forced-p.before.Forced)
		if after.RSS > p.most {
			t.Errorf("%s: %.1f MB resident, at most %d MB", p.name, float64(after.RSS)/(1<<20), p.most>>20)
		}
		// A Go program that does nothing but wake once a second makes 320 (measured);
		// what is left is the connection's sign of life and Go's own housekeeping.
		if n > 120 {
			t.Errorf("%s: %d context switches in 60 s of doing nothing", p.name, n)
		}
	}
}
