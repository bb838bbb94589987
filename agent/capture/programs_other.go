//go:build !linux

package capture

import (
	"context"
	"fmt"
)

type programWatch struct{}

func newProgramWatch(Scope, func(program), func(ending), func(int)) (*programWatch, error) {
	return nil, fmt.Errorf("programs: %w: not supported on this system yet", ErrUnavailable)
}

func (*programWatch) Close() {}

func (*programWatch) run(context.Context) error { return ErrUnavailable }
