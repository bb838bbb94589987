package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"aval/agent/journal/journaltest"
)

// TestJournalFollowed plays lines of Chrome Remote Desktop's host into a real
// journal, which is rotated and emptied in between: one session, this process's user's, and
// nothing of what was there before. Fault planted once: Follow without the place
// of the last entry began the old session.
func TestJournalFollowed(t *testing.T) {
	j := journaltest.Start(t)
	j.Write(chromeIdent, "Client connected: before@example.com/1")
	j.Control("--sync")
	told := make(chan string, 16)
	s := newStory(t)
	s.each = func(line string) { told <- line }
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	feed := Feed{Name: "journal", run: func(ctx context.Context, log *slog.Logger, sink Sink, take func(func())) error {
		return followJournal(ctx, log, sink, take, ToolNames, j.Namespace, func() { close(ready) })
	}}
	go func() { ended <- NewLogs(slog.New(slog.DiscardHandler), s, nil, []Feed{feed}).Run(ctx) }()
	<-ready
	want := func(part string) {
		t.Helper()
		select {
		case got := <-told:
			if !strings.Contains(got, part) {
				t.Fatalf("%q, want %q", got, part)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q was not heard", part)
		}
	}
	j.Write("someone", "Client connected: other@example.com/1")
	j.Write(chromeIdent, "Client connected: helper@example.com/1")
	want("begin chrome-remote-desktop/")
	j.Control("--rotate")
	j.Control("--vacuum-files=1") // what was read is deleted under the reader
	j.Write(chromeIdent, "Client disconnected: other@example.com/1")
	j.Write(chromeIdent, "Client disconnected: helper@example.com/1")
	want("end chrome-remote-desktop/")
	if len(s.lines) != 2 || !strings.Contains(s.lines[0], `"helper@example.com"`) {
		t.Errorf("%q", s.lines)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestJournalMatches: what is asked of the journal is what the reader reads.
func TestJournalMatches(t *testing.T) {
	j := newJournalReader(newStory(t), []string{ToolGNOME})
	if fmt.Sprint(journalMatches) != "[SYSLOG_IDENTIFIER=chromoting + _COMM=gnome-remote-de]" || j.tools[ToolChrome] || !j.tools[ToolGNOME] {
		t.Error(journalMatches, j.tools)
	}
	if got := Feeds([]string{ToolAnyDesk}, nil); got != nil {
		t.Errorf("%+v: AnyDesk writes no journal", got)
	}
}

// TestUntilInstalled: the folder of a tool may appear in steps.
func TestUntilInstalled(t *testing.T) {
	dir := t.TempDir()
	journalPrograms["example"] = []string{dir + "/opt/tool/host"}
	defer delete(journalPrograms, "example")
	done := make(chan error, 1)
	go func() { done <- untilInstalled(t.Context(), []string{"example"}) }()
	for _, f := range []func() error{
		func() error { return os.WriteFile(dir+"/other", nil, 0o600) },
		func() error { return os.MkdirAll(dir+"/opt/tool", 0o700) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-done:
		t.Fatal("nothing is installed")
	default:
	}
	if err := os.WriteFile(dir+"/opt/tool/host", nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestOneSource: where there is a journal, the syslog file with the same lines is
// not read.
func TestOneSource(t *testing.T) {
	for _, f := range LogFiles() {
		if f.Tool == ToolChrome && len(Feeds([]string{ToolChrome}, nil)) > 0 {
			t.Errorf("%+v and the journal", f)
		}
	}
}
