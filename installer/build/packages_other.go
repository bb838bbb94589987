//go:build !linux

package main

import (
	"context"
	"errors"
)

// pack: the packages for Linux are made on Linux.
func pack(context.Context, string, string, string, packing) error {
	return errors.New("packages for Linux are made on Linux")
}
