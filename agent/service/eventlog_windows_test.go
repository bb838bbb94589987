package service

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestEventLogOfWindows: warnings and errors are taken by the system's event log, as
// long as they may be, and nothing less than a warning is given to it.
func TestEventLogOfWindows(t *testing.T) {
	write, err := eventWriter()
	if err != nil {
		t.Fatal(err)
	}
	given := map[slog.Level]int{}
	h := &systemLog{next: slog.DiscardHandler, write: func(level slog.Level, text string) error {
		given[level]++
		err := write(level, text)
		if err != nil {
			t.Errorf("%v, %d bytes: %v", level, len(text), err)
		}
		return err
	}}
	log := slog.New(h).With("session", "t/1")
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		log.Log(context.Background(), level, "a test of the event log", "at", time.Now(), "long", strings.Repeat("ü", maxEventText))
	}
	if len(given) != 2 || given[slog.LevelWarn] != 1 || given[slog.LevelError] != 1 {
		t.Errorf("given: %v", given)
	}
}
