package watch

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
)

// rules of an operating system with processes that can log in and end.
type world struct {
	mu    sync.Mutex // guards what follows: the watcher looks while the test changes it
	start map[int]uint64
	tty   map[int]string
	gone  map[int]chan struct{}
}

func (w *world) system() system {
	return system{
		procStart: func(pid int) (uint64, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			s, ok := w.start[pid]
			return s, ok
		},
		waitExit: func(ctx context.Context, pid int, start uint64) <-chan struct{} {
			done := make(chan struct{})
			w.mu.Lock()
			gone := w.gone[pid]
			w.mu.Unlock()
			go func() {
				defer close(done)
				select {
				case <-gone:
				case <-ctx.Done():
				}
			}()
			return done
		},
		terminal: func(leader int) (string, uint32, []uint32) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.tty[leader], 1000, []uint32{1000, 27}
		},
		started: func(ticks uint64) time.Time { return time.Unix(int64(ticks), 0).UTC() },
	}
}

func (w *world) login(pid int, start uint64, tty string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start[pid], w.tty[pid], w.gone[pid] = start, tty, make(chan struct{})
}

// opens gives a login its terminal.
func (w *world) opens(pid int, tty string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tty[pid] = tty
}

// told notes what a sink is told.
type told struct{ lines []string }

func (s *told) Begin(f Found) {
	s.lines = append(s.lines, fmt.Sprintf("begin %s/%s %s@%s %s %s", f.Tool, f.ID, f.User, f.Address, f.TTY, f.KeyFingerprint))
}
func (s *told) Kinds(tool, id string, kinds []string) {
	s.lines = append(s.lines, fmt.Sprintf("kinds %s/%s %v", tool, id, kinds))
}
func (s *told) Event(string, string, event.Kind, map[string]string) {}

func (s *told) End(tool, id, reason string) {
	s.lines = append(s.lines, fmt.Sprintf("end %s/%s %s", tool, id, reason))
}

// scene runs a watcher in a bubble: time stands still until all wait.
func scene(t *testing.T, watched func(Found) bool, play func(t *testing.T, s *SSH, w *world)) []string {
	t.Helper()
	sink := &told{}
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: map[int]uint64{}, tty: map[int]string{}, gone: map[int]chan struct{}{}}
		s := NewSSH(slog.New(slog.DiscardHandler), sink, watched)
		s.sys = w.system()
		s.noTerminals = true
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx, nil) }()
		synctest.Wait()
		play(t, s, w)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return sink.lines
}

const authInfo = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN0Wv5qng1h0SowJoGTNIG4c5Iuy1uSzg0FrQi5ZLQ20"
const key = "SHA256:RMjw1Ifx4UPitCaOuNZvT6MAj8YqmC5eEzLY+5RKkEI"

func hook(typ string, pid int) ipc.SessionPAM {
	return ipc.SessionPAM{Type: typ, User: "maria", Service: "sshd", TTY: "ssh", RHost: "client.example.com",
		AuthInfo: authInfo, Connection: "192.0.2.7 5555 192.0.2.1 22", LogindID: "4", ParentPID: pid}
}

func entry(pid int) LogindSession {
	return LogindSession{ID: "4", UID: 1000, User: "maria", Class: "user", Type: "tty", Remote: true, RemoteHost: "192.0.2.7",
		Service: "sshd", State: "active", Leader: pid}
}

func all(Found) bool { return true }

func TestSSH(t *testing.T) {
	const begin = "begin ssh/70-500 maria@192.0.2.7 pts/3 "
	for name, c := range map[string]struct {
		watched func(Found) bool
		play    func(t *testing.T, s *SSH, w *world)
		want    []string
	}{
		"one session of both sources": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "")
			s.post(func() { s.listed([]LogindSession{entry(70)}) })
			s.PAM(hook("open_session", 70))
			time.Sleep(30 * time.Millisecond)
			w.opens(70, "pts/3")
			time.Sleep(5 * time.Second)
			s.post(func() { s.listed([]LogindSession{entry(70)}) })
			s.PAM(hook("close_session", 70))
			s.post(func() { s.listed(nil) })
			close(w.gone[70])
		}, []string{begin + key, "end ssh/70-500 closed"}},
		"logind alone, removed": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			s.post(func() { s.listed([]LogindSession{entry(70)}) })
			s.post(func() { s.listed(nil) })
		}, []string{begin, "end ssh/70-500 removed"}},
		"hook alone, process ends": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			s.PAM(hook("open_session", 70))
			synctest.Wait()
			close(w.gone[70])
		}, []string{begin + key, "end ssh/70-500 exited"}},
		"closing counts as over": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			s.post(func() { s.listed([]LogindSession{entry(70)}) })
			e := entry(70)
			e.State = "closing"
			s.post(func() { s.listed([]LogindSession{e}) })
		}, []string{begin, "end ssh/70-500 removed"}},
		"no terminal, no session": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "")
			s.PAM(hook("open_session", 70))
			time.Sleep(time.Minute)
			close(w.gone[70])
		}, nil},
		"not watched": {nil, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			s.PAM(hook("open_session", 70))
			time.Sleep(time.Minute)
		}, nil},
		"watched by key, which comes later": {func(f Found) bool { return f.KeyFingerprint == key }, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			s.post(func() { s.listed([]LogindSession{entry(70)}) })
			time.Sleep(time.Second)
			s.PAM(hook("open_session", 70))
		}, []string{begin + key}},
		"the number is used again": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			s.PAM(hook("open_session", 70))
			synctest.Wait()
			w.login(70, 900, "pts/4")
			s.PAM(hook("open_session", 70))
		}, []string{begin + key, "end ssh/70-500 exited", "begin ssh/70-900 maria@192.0.2.7 pts/4 " + key}},
		"other services and classes": {all, func(t *testing.T, s *SSH, w *world) {
			w.login(70, 500, "pts/3")
			m := hook("open_session", 70)
			m.Service = "sudo"
			s.PAM(m)
			e := entry(70)
			e.Class = "manager"
			s.post(func() { s.listed([]LogindSession{e}) })
		}, nil},
		"a process that is not there": {all, func(t *testing.T, s *SSH, w *world) {
			s.PAM(hook("open_session", 71))
			s.post(func() { s.listed([]LogindSession{entry(71)}) })
			s.PAM(hook("close_session", 71))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := scene(t, c.watched, c.play)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestRefresh: a policy that comes later reaches a login that goes on.
func TestRefresh(t *testing.T) {
	allowed := false
	got := scene(t, func(Found) bool { return allowed }, func(t *testing.T, s *SSH, w *world) {
		w.login(70, 500, "pts/3")
		s.PAM(hook("open_session", 70))
		synctest.Wait()
		allowed = true
		s.Refresh()
	})
	if len(got) != 1 {
		t.Errorf("got %q", got)
	}
}
