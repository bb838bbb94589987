// Package shield keeps a window of this process out of pictures of the screen,
// so that whoever sees the screen from afar does not see it.
//
// The one rule that must not be broken: it hides, it does not protect; what an
// answer is worth never rests on it (Microsoft Learn, SetWindowDisplayAffinity,
// gives no guarantee either).
package shield

import (
	"errors"
	"fmt"
)

// Where the content of a window may be shown (Microsoft Learn, SetWindowDisplayAffinity).
const (
	monitorOnly = 0x01 // WDA_MONITOR: elsewhere it is there, and empty
	excluded    = 0x11 // WDA_EXCLUDEFROMCAPTURE: elsewhere it is not there; since Windows 10, version 2004
)

// Kept says how well a window is kept out of pictures.
type Kept string

// The zero value is none of them.
const (
	Absent Kept = "absent" // the window is not in them
	Empty  Kept = "empty"  // its place is in them, without content
)

// exclude tries the ways, best first, with the two calls of the system. What
// counts is what the system says afterwards: older ones take the better way for
// the other.
func exclude(set func(uint32) error, get func() (uint32, error)) (Kept, error) {
	var failed error
	for _, way := range []uint32{excluded, monitorOnly} {
		if err := set(way); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		now, err := get()
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case now == excluded:
			return Absent, nil
		case now == monitorOnly:
			return Empty, nil
		default:
			failed = errors.Join(failed, fmt.Errorf("the system made %#x of %#x", now, way))
		}
	}
	return "", fmt.Errorf("keep window out of pictures: %w", failed)
}
