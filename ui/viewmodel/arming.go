package viewmodel

import "time"

// ArmingDelay is how long an answer does not count after the question came into
// sight or was disturbed: nobody has read it yet, and what is typed or clicked
// was meant for something else.
const ArmingDelay = time.Second

// Arming tells from when on an answer counts. Its zero value is a window that
// is not in sight: nothing counts. It is a value; the window's owner keeps it.
type Arming struct {
	inSight bool
	from    time.Time // when the delay began
}

// Seen returns the state after the window came into sight at now: its first
// frame, or uncovered again. A window that was in sight already is not disturbed.
func (a Arming) Seen(now time.Time) Arming {
	if a.inSight {
		return a
	}
	return Arming{inSight: true, from: now}
}

// Covered returns the state after the window was covered or taken off the screen.
func (a Arming) Covered() Arming { return Arming{} }

// Disturbed returns the state after the window moved or lost the focus at now:
// the delay begins anew.
func (a Arming) Disturbed(now time.Time) Arming {
	if a.inSight {
		a.from = now
	}
	return a
}

// Ready tells whether an answer given at now counts.
func (a Arming) Ready(now time.Time) bool {
	// A clock that was set back makes Sub negative: not ready.
	return a.inSight && now.Sub(a.from) >= ArmingDelay
}

// Left is how long until Ready, when nothing disturbs: at least 0, and negative
// for a window that is not in sight.
func (a Arming) Left(now time.Time) time.Duration {
	if !a.inSight {
		return -1
	}
	return max(0, ArmingDelay-now.Sub(a.from))
}
