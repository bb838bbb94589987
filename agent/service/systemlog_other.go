//go:build !windows && !darwin

package service

import (
	"io"
	"log/slog"
)

// SystemLog returns the logger of the service, which writes to w: the service manager
// keeps that, and keeps it small.
func SystemLog(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }
