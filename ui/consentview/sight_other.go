//go:build !linux && !windows

package consentview

import "fmt"

// Probe knows nothing of the screen. A window can be shown, but not followed: so none
// that asks is (watch).
func Probe() (Screen, error) { return Screen{}, nil }

func watch(uintptr) (sight, error) {
	return nil, fmt.Errorf("%w: following a window on the screen is not supported on this system yet", ErrCannotShow)
}
