package consent

// Origin says where an answer came from, as far as the desktop could hear.
type Origin string

// The origins. The zero value is none of them, and never counts.
const (
	FromHardware Origin = "hardware" // an input device of the kernel
	FromTest     Origin = "test"     // a device that a policy names for tests
	FromRemote   Origin = "remote"   // the device of a remote desktop that is itself the display
	FromUnknown  Origin = "unknown"  // a device of which nothing is known
	FromInjected Origin = "injected" // a program that made a press
	FromNothing  Origin = "none"     // no device pressed: a program sent the event
	FromAbsent   Origin = "absent"   // nothing can be heard on this desktop
)

// Proven tells whether a hand at the computer is known to have done it.
func (p Provenance) Proven() bool { return p == P1 || p == P2 || p == P3 }

// Surroundings is how much the word of a desktop is worth.
type Surroundings struct {
	// Proven: the display is the one that the system's session list names, and
	// the programs that ask and hear are ones that nobody but root can change.
	Proven bool
	// Tests: a policy names devices that count in tests.
	Tests bool
}

// Weigh says what an answer is worth, and whether a yes counts at all. doubt is
// a press that is good by itself, in a window that was covered or moved.
//
// What is known to be made by a program never counts. Where evidence can be had
// nothing else counts; where it cannot, a yes is P0: nobody knows whose it was.
func Weigh(o Origin, doubt bool, s Surroundings) (p Provenance, counts bool) {
	demanded := s.Proven || s.Tests
	switch {
	case o == FromInjected || o == FromNothing:
		return PX, false
	case o == FromTest && s.Tests || o == FromHardware && s.Proven:
		if doubt {
			return P0, false
		}
		return P2, true
	case o == FromHardware:
		return P0, !doubt
	case o == FromRemote:
		return P0, true
	case o == FromTest || o == FromUnknown || o == FromAbsent:
		return P0, !demanded
	}
	return P0, false
}
