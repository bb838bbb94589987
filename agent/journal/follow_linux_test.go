package journal_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"aval/agent/journal"
	"aval/agent/journal/journaltest"
)

// TestFollow reads a real journal: what was before is left out, another program's
// lines are not delivered, and nothing is lost or doubled when the journal is
// rotated. Faults planted once: --no-tail without the place of the newest entry
// (the old line came); no matches (the other program's line came).
func TestFollow(t *testing.T) {
	j := journaltest.Start(t)
	ns, write := j.Namespace, j.Write
	write("chromoting", "before")
	j.Control("--sync")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan journal.Entry, 16)
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- journal.Follow(ctx, journal.Options{Namespace: ns, Matches: []string{"SYSLOG_IDENTIFIER=chromoting", "+", "SYSLOG_IDENTIFIER=other"},
			Fields: []string{"MESSAGE", "SYSLOG_IDENTIFIER", "_UID", "_PID"}, Log: slog.New(slog.DiscardHandler), Ready: func() { close(ready) }},
			func(e journal.Entry) { got <- e })
	}()
	<-ready
	want := func(text string) {
		t.Helper()
		select {
		case e := <-got:
			uid, ok := e.UID()
			if e.Fields["MESSAGE"] != text || uid != 0 || !ok || e.PID() != os.Getpid() || time.Since(e.At) > time.Hour {
				t.Fatalf("%+v, want %q", e, text)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q was not heard", text)
		}
	}
	write("nobody", "not asked for")
	write("chromoting", "one")
	want("one")
	j.Control("--rotate")
	write("other", "two")
	want("two")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
