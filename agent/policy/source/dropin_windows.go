package source

import (
	"context"
	"errors"
)

var errNoDropIn = errors.New("there is no such folder on Windows: aval enroll --token-file FILE")

// Read finds nothing on Windows.
func (d DropIn) Read() ([]Dropped, error) { return nil, errNoDropIn }

// Remove removes nothing on Windows.
func (d DropIn) Remove(Dropped) error { return errNoDropIn }

// Watch watches nothing on Windows.
func (d DropIn) Watch(context.Context, func()) error { return errNoDropIn }
