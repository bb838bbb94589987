//go:build !windows

package winput

import (
	"context"
	"errors"
	"fmt"
)

// Open hears nothing: there are no such hooks here.
func Open(context.Context) (*Witness, error) {
	return nil, fmt.Errorf("listen for presses: %w", errors.ErrUnsupported)
}
