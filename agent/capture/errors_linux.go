package capture

import (
	"context"
	"log/slog"

	"aval/agent/journal"
)

// runErrors tells of the errors that services and the kernel write into the
// system's journal: priority err and worse (syslog(3)). What Aval itself writes
// is left out.
func runErrors(ctx context.Context, g *gate, _ *work) error {
	l := newErrorLog(g)
	return journal.Follow(ctx, journal.Options{
		Matches: []string{"PRIORITY=0", "PRIORITY=1", "PRIORITY=2", "PRIORITY=3"},
		Fields:  []string{"MESSAGE", "SYSLOG_IDENTIFIER", "_COMM"},
		Log:     slog.New(slog.DiscardHandler),
	}, l.entry)
}

func (l *errorLog) entry(e journal.Entry) {
	program := e.Fields["SYSLOG_IDENTIFIER"]
	if program == "" {
		program = e.Fields["_COMM"]
	}
	if !own(e.Fields["_COMM"]) {
		l.add(e.At, program, e.Fields["MESSAGE"])
	}
}
