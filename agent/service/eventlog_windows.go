package service

import (
	"context"
	"io"
	"log/slog"

	"golang.org/x/sys/windows/svc/eventlog"
)

// eventSource is Aval's name in the system's event log; the installer registers it
// (installer/windows/aval.wxs).
const eventSource = "Aval"

// eventID is that of every entry: EventCreate.exe, whose messages are used, has one
// text for each number from 1 to 1000, and it is what is given to it.
const eventID = 1

// SystemLog returns the logger of the service, which writes to w, and what is wrong also
// into the system's event log, where an administrator looks first. A log that cannot be
// opened leaves it at w.
func SystemLog(w io.Writer) slog.Handler {
	next := slog.NewTextHandler(w, nil)
	if interactive() {
		return next
	}
	write, err := eventWriter()
	if err != nil {
		return next
	}
	return &systemLog{next: next, write: write}
}

// eventWriter opens the event log for what is wrong, and leaves it open.
func eventWriter() (func(level slog.Level, text string) error, error) {
	log, err := eventlog.Open(eventSource)
	if err != nil {
		return nil, err
	}
	return func(level slog.Level, text string) error {
		if level >= slog.LevelError {
			return log.Error(eventID, text)
		}
		return log.Warning(eventID, text)
	}, nil
}

// systemLog is the handler. What it writes has no captured text, as no entry of the
// log has.
type systemLog struct {
	next  slog.Handler
	attrs []slog.Attr
	write func(level slog.Level, text string) error
}

func (h *systemLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.next.Enabled(ctx, level)
}

func (h *systemLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		_ = h.write(r.Level, eventText(r, h.attrs)) // a full event log ends nothing
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h *systemLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &systemLog{next: h.next.WithAttrs(attrs), attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...), write: h.write}
}

func (h *systemLog) WithGroup(name string) slog.Handler {
	return &systemLog{next: h.next.WithGroup(name), attrs: h.attrs, write: h.write}
}
