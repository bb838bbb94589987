//go:build !linux && !windows

package capture

import (
	"context"
	"fmt"
	"time"

	"aval/agent/event"
	"aval/agent/record"
)

// StartWindows is not built for this system yet and returns ErrUnavailable.
func StartWindows(_ context.Context, _ Windows, emit Emit, grants ...record.Verified) (*Running, error) {
	if _, err := newGate(emit, grants, windowKinds, time.Now()); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("watch windows: %w: not supported on this system yet", ErrUnavailable)
}

// desktopKinds are none.
var desktopKinds []event.Kind
