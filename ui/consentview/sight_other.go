//go:build !linux && !windows

package consentview

import "fmt"

// Probe tells whether a window can be shown at all.
func Probe() (Screen, error) {
	return Screen{}, fmt.Errorf("%w: following a window on the screen is not supported on this system yet", ErrCannotShow)
}

func watch(uintptr) (sight, error) {
	return nil, fmt.Errorf("%w: following a window on the screen is not supported on this system yet", ErrCannotShow)
}
