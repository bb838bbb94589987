package watch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// TestSessionListOfWindows: the list is asked for and read without an error; each entry
// is one that logind's words can say, and what is not known to be unlocked is locked.
func TestSessionListOfWindows(t *testing.T) {
	l, err := NewLogind(slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.ID == "" || s.User == "" || s.Type != TypeWindows || s.Display != "session-"+s.ID {
			t.Errorf("%+v", s)
		}
	}
	t.Logf("%d sessions", len(all))
	var own uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &own); err != nil {
		t.Fatal(err)
	}
	w := queryWTS(own)
	if w.remote {
		t.Errorf("this computer's own session is said to be remote: %+v", w)
	}
	if lockState(nil) != true {
		t.Error("an answer that is missing counts as unlocked")
	}
}

// TestEventLogOfWindows: a channel is followed until it is told to end, or is said not
// to be followed; nothing hangs and nothing is made up.
func TestEventLogOfWindows(t *testing.T) {
	for _, q := range eventQueries {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- FollowEvents(ctx, q, func(raw string) { t.Errorf("%s: %q", q.Channel, raw) }) }()
		select {
		case err := <-ended: // the system cannot
			if err == nil || !errors.Is(err, errChannelNotFound) && !strings.Contains(err.Error(), q.Channel) {
				t.Errorf("%s: %v", q.Channel, err)
			}
			t.Logf("%s: %v", q.Channel, err)
		case <-time.After(time.Second):
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("%s: told to end: %v", q.Channel, err)
			}
		}
		cancel()
	}
}
