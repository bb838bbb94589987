//go:build !windows

package service

import "log/slog"

// SystemLog returns next: the service manager keeps what is written here.
func SystemLog(next slog.Handler) slog.Handler { return next }
