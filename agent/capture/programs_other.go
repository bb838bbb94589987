//go:build !linux

package capture

import (
	"context"
	"fmt"
)

// programsThere are what the desktop's helper gives, where it gives any; nothing
// else of the system is captured here yet.
var (
	programsThere = desktopKinds
	sources       []source
)

type programWatch struct{}

func newProgramWatch(Scope, func(program), func(ending), func(int)) (*programWatch, error) {
	return nil, fmt.Errorf("programs: %w: not supported on this system yet", ErrUnavailable)
}

func (*programWatch) tell(*work) {}

func (*programWatch) run(context.Context) error { return ErrUnavailable }
