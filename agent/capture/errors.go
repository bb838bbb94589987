package capture

import (
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
)

// maxErrors is how many errors of one program are told one by one within
// alikeFor; more are one event with a count.
const maxErrors = 3

// errorLog joins what one program says over and over. It belongs to one goroutine.
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

// newErrorLog tells of errors by a gate.
func newErrorLog(g *gate) *errorLog {
	return &errorLog{by: map[string]*errorsOf{}, tell: func(at time.Time, program, text string, count int) {
		f := map[string]string{"program": program, "text": text}
		if count > 1 {
			f["count"] = strconv.Itoa(count)
		}
		g.pass(event.ErrorLogged, at, f)
	}}
}

// add takes one error; what Aval itself writes is left out.
func (l *errorLog) add(at time.Time, program, text string) {
	if program == "" || text == "" || own(strings.ToLower(program)) {
		return
	}
	text, _, _ = strings.Cut(text, "\n") // the rest is a trace
	o := l.by[program]
	if o == nil || at.Sub(o.since) > alikeFor {
		if o != nil && o.held > 0 {
			l.tell(at, program, o.last, o.held)
		}
		if len(l.by) > 256 {
			clear(l.by)
		}
		o = &errorsOf{since: at}
		l.by[program] = o
	}
	if o.n++; o.n > maxErrors {
		o.held, o.last = o.held+1, text
		return
	}
	l.tell(at, program, text, 1)
}
