//go:build !windows

package main

import (
	"context"

	"aval/agent/x11/witness"
)

// openHearer hears this desktop; devices are those that count in tests, by name.
func openHearer(ctx context.Context, where session, devices []string) (hearer, error) {
	w, err := witness.Open(ctx, where.display, devices)
	if err != nil {
		return nil, err // not w: a nil Witness in the interface is not nil
	}
	return w, nil
}
