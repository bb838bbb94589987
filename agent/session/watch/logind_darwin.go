package watch

import (
	"context"
	"errors"
	"log/slog"
)

var errNoLogind = errors.New("logind: not supported on this system")

// Logind is a connection to systemd-logind, which only Linux has.
type Logind struct{}

// NewLogind always fails on this system.
func NewLogind(*slog.Logger, <-chan struct{}) (*Logind, error) { return nil, errNoLogind }

// Close does nothing.
func (*Logind) Close() error { return nil }

// Sessions always fails on this system.
func (*Logind) Sessions(context.Context) ([]LogindSession, error) { return nil, errNoLogind }

// Watch always fails on this system.
func (*Logind) Watch(context.Context, func()) error { return errNoLogind }
