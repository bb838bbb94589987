package consent_test

import (
	"testing"

	"aval/agent/consent"
)

// TestWeigh is the whole table. Let any line of Weigh be more generous and a
// line here fails; P2 comes out of two cells alone.
func TestWeigh(t *testing.T) {
	neither, proven, tests := consent.Surroundings{}, consent.Surroundings{Proven: true}, consent.Surroundings{Tests: true}
	both := consent.Surroundings{Proven: true, Tests: true}
	all := []consent.Surroundings{neither, proven, tests, both}
	const no, p0, p2 = "does not count", "P0", "P2"
	for origin, want := range map[consent.Origin][4]string{ // neither, proven, tests, both
		consent.FromHardware: {p0, p2, p0, p2},
		consent.FromTest:     {p0, no, p2, p2},
		consent.FromRemote:   {p0, p0, p0, p0},
		consent.FromUnknown:  {p0, no, no, no},
		consent.FromAbsent:   {p0, no, no, no},
		consent.FromInjected: {no, no, no, no},
		consent.FromNothing:  {no, no, no, no},
		"":                   {no, no, no, no},
		"Hardware":           {no, no, no, no},
	} {
		for i, s := range all {
			p, counts := consent.Weigh(origin, false, s)
			got := string(p)
			if !counts {
				got = no
			}
			if got != want[i] {
				t.Errorf("%q in %+v: %s, want %s", origin, s, got, want[i])
			}
			if injected := origin == consent.FromInjected || origin == consent.FromNothing; injected != (p == consent.PX) {
				t.Errorf("%q in %+v is %s", origin, s, p)
			}
			if p, counts := consent.Weigh(origin, true, s); counts && p != consent.P0 {
				t.Errorf("%q in %+v with a doubt counts as %s", origin, s, p)
			}
		}
	}
}
