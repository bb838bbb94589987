//go:build !linux

package capture

import (
	"context"
	"fmt"
)

type programWatch struct{}

func newProgramWatch(Scope) (*programWatch, error) {
	return nil, fmt.Errorf("programs: %w: not supported on this system yet", ErrUnavailable)
}

func (*programWatch) Close() {}

func (*programWatch) run(context.Context, func(program)) error { return ErrUnavailable }
