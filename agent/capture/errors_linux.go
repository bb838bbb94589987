package capture

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/journal"
)

// maxErrors is how many errors of one program are told one by one within
// alikeFor; more are one event with a count.
const maxErrors = 3

// errorLog joins what one program says over and over.
type errorLog struct {
	by   map[string]*errorsOf
	tell func(at time.Time, program, text string, count int)
}

type errorsOf struct {
	since time.Time
	n     int
	held  int
	last  string
}

// runErrors tells of the errors that services and the kernel write into the
// system's journal: priority err and worse (syslog(3)). What Aval itself writes
// is left out.
func runErrors(ctx context.Context, g *gate, _ *work) error {
	l := &errorLog{by: map[string]*errorsOf{}, tell: func(at time.Time, program, text string, count int) {
		f := map[string]string{"program": program, "text": text}
		if count > 1 {
			f["count"] = strconv.Itoa(count)
		}
		g.pass(event.ErrorLogged, at, f)
	}}
	return journal.Follow(ctx, journal.Options{
		Matches: []string{"PRIORITY=0", "PRIORITY=1", "PRIORITY=2", "PRIORITY=3"},
		Fields:  []string{"MESSAGE", "SYSLOG_IDENTIFIER", "_COMM"},
		Log:     slog.New(slog.DiscardHandler),
	}, func(e journal.Entry) { l.entry(e) })
}

func (l *errorLog) entry(e journal.Entry) {
	program := e.Fields["SYSLOG_IDENTIFIER"]
	if program == "" {
		program = e.Fields["_COMM"]
	}
	text := e.Fields["MESSAGE"]
	if program == "" || text == "" || own(program) || own(e.Fields["_COMM"]) {
		return
	}
	text, _, _ = strings.Cut(text, "\n") // the rest is a trace
	o := l.by[program]
	if o == nil || e.At.Sub(o.since) > alikeFor {
		if o != nil && o.held > 0 {
			l.tell(e.At, program, o.last, o.held)
		}
		if len(l.by) > 256 {
			clear(l.by)
		}
		o = &errorsOf{since: e.At}
		l.by[program] = o
	}
	if o.n++; o.n > maxErrors {
		o.held, o.last = o.held+1, text
		return
	}
	l.tell(e.At, program, text, 1)
}
