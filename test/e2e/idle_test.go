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
	w.following("tigervnc", "xrdp")
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

	for _, p := range []struct {
		name string
		proc *rig.Proc
		most int64 // bytes
	}{{"aval", w.agent.Proc, 16 << 20}, {"aval-desktop", d.helper, 12 << 20}} {
		// A program that polls does so in every minute; what settles after a
		// session does not. A Go program that does nothing but wake once a second
		// makes 320 (measured); what is left is the connection's sign of life and
		// Go's own housekeeping.
		quiet := false
		for range 3 {
			before, err := p.proc.Usage()
			w.must(err)
			<-time.After(60 * time.Second)
			after, err := p.proc.Usage()
			w.must(err)
			n := after.Switches - before.Switches
			t.Logf("%s on %s: %.1f MB resident, %d context switches in 60 s (and %d forced)", p.name, runtime.GOARCH, float64(after.RSS)/(1<<20), n, after.Forced-before.Forced)
			if quiet = n <= 120 && after.RSS <= p.most; quiet {
				break
			}
		}
		if !quiet {
			t.Errorf("%s is never at rest: at most %d MB and 120 context switches a minute", p.name, p.most>>20)
		}
	}
}
