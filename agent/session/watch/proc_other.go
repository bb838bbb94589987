//go:build !linux

package watch

import (
	"context"
	"time"
)

// ProcStart knows no process on this system yet.
func ProcStart(int) (ticks uint64, ok bool) { return 0, false }

// WaitExit cannot follow a process on this system yet, and a process that
// cannot be followed counts as ended: the channel is closed.
func WaitExit(context.Context, int, uint64) <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func terminal(int) (string, uint32, []uint32) { return "", 0, nil }

func started(uint64) time.Time { return time.Now().UTC() }
