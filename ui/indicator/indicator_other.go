//go:build !linux && !windows

package indicator

import "fmt"

// Open is not built for this system yet and returns ErrUnavailable.
func Open(Options) (Indicator, error) {
	return nil, fmt.Errorf("%w: not supported on this system yet", ErrUnavailable)
}
