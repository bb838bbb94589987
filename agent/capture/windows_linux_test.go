package capture_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/capture"
	"aval/agent/event"
	"aval/agent/x11/xtest"
)

// seen collects what a capture emits.
type seen struct {
	mu     sync.Mutex
	events []map[string]string
}

func (s *seen) emit(kind event.Kind, at time.Time, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := map[string]string{"kind": string(kind)}
	for k, v := range fields {
		f[k] = v
	}
	s.events = append(s.events, f)
}

func (s *seen) all() []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]map[string]string(nil), s.events...)
}

func (s *seen) has(app, title string) bool {
	for _, e := range s.all() {
		if e["app"] == app && e["title"] == title {
			return true
		}
	}
	return false
}

func (s *seen) text() string { return fmt.Sprint(s.all()) }

// term is a terminal on the server.
type term struct {
	t  *testing.T
	s  *xtest.Server
	id string
}

func openTerm(t *testing.T, s *xtest.Server, class, title string) *term {
	t.Helper()
	xtest.Need(t, "xterm")
	s.Spawn(t, "xterm", "-class", class, "-T", title, "-e", "sleep", "600")
	tm := &term{t: t, s: s}
	xtest.Wait(t, "the terminal "+title, func() bool {
		out, err := s.Try("xdotool", "search", "--onlyvisible", "--name", "^"+title+"$")
		tm.id, _, _ = strings.Cut(out, "\n")
		return err == nil && tm.id != ""
	})
	return tm
}

func (tm *term) title(s string) {
	tm.t.Helper()
	tm.s.Run(tm.t, "xprop", "-id", tm.id, "-f", "_NET_WM_NAME", "8u", "-set", "_NET_WM_NAME", s)
}

func (tm *term) focus(wm bool) {
	tm.t.Helper()
	if wm {
		tm.s.Run(tm.t, "xdotool", "windowactivate", "--sync", tm.id)
	} else {
		tm.s.Run(tm.t, "xdotool", "windowfocus", tm.id)
	}
}

func TestWindows(t *testing.T) {
	for _, wm := range []bool{true, false} {
		t.Run(fmt.Sprintf("wm=%v", wm), func(t *testing.T) {
			s := xtest.Start(t, xtest.Options{WM: wm})
			old := openTerm(t, s, "OldApp", "CANARY-before-7391")
			old.focus(wm)

			var got seen
			r, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display, Type: "x11"}, got.emit,
				grantFor(t, "g1", time.Hour, event.Windows))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Stop()
			xtest.Wait(t, "the window that was there", func() bool { return got.has("OldApp", event.TitleBefore) })

			// A window opened after the answer comes with its title.
			fresh := openTerm(t, s, "NewApp", "Report after")
			fresh.focus(wm)
			xtest.Wait(t, "the new window", func() bool { return got.has("NewApp", "Report after") })
			if e := got.all()[len(got.all())-1]; e["program"] != "xterm" {
				t.Errorf("program %q, want xterm", e["program"])
			}

			// Back on the old one: its title is still from before; a new title is not.
			old.focus(wm)
			xtest.Wait(t, "the old window again", func() bool {
				all := got.all()
				return all[len(all)-1]["app"] == "OldApp"
			})
			old.title("Changed café")
			xtest.Wait(t, "the changed title", func() bool { return got.has("OldApp", "Changed café") })
			old.title("CANARY-before-7391")
			xtest.Wait(t, "the mark again", func() bool {
				all := got.all()
				return all[len(all)-1]["title"] == event.TitleBefore
			})
			// Planted bug: return titles[0] at the end of before.shown always, and
			// the first wait for the mark is in vain.
			if strings.Contains(got.text(), "CANARY") {
				t.Fatalf("a title from before the answer was emitted: %s", got.text())
			}
		})
	}
}

// A window manager that starts while the watch runs is used from then on.
func TestWindowManagerComes(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	var got seen
	r, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display}, got.emit,
		grantFor(t, "g1", time.Hour, event.Windows))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	s.StartWM(t)
	a := openTerm(t, s, "AppA", "Window A")
	b := openTerm(t, s, "AppB", "Window B")
	a.focus(true)
	b.focus(true)
	xtest.Wait(t, "the active window", func() bool { return got.has("AppB", "Window B") })
}

// A spinner in a title gives about one event a second, and the last title wins.
func TestSpinner(t *testing.T) {
	s := xtest.Start(t, xtest.Options{WM: true})
	var got seen
	r, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display}, got.emit,
		grantFor(t, "g1", time.Hour, event.Windows))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	w := openTerm(t, s, "Spin", "start")
	w.focus(true)
	xtest.Wait(t, "the window", func() bool { return got.has("Spin", "start") })
	began := time.Now()
	for i := range 60 {
		w.title(fmt.Sprintf("working %d", i))
	}
	w.title("finished")
	xtest.Wait(t, "the last title", func() bool { return got.has("Spin", "finished") })
	most := int(time.Since(began)/time.Second) + 2
	n := 0
	for _, e := range got.all() {
		if strings.HasPrefix(e["title"], "working") {
			n++
		}
	}
	if n > most {
		t.Errorf("%d titles in %v", n, time.Since(began))
	}
}

// After Stop nothing comes, and Stop is quick even when the X server hangs.
// Planted bug: leave the connection open when ctx ends, and Stop waits for the server.
func TestStopWhileTheServerHangs(t *testing.T) {
	s := xtest.Start(t, xtest.Options{WM: true})
	w := openTerm(t, s, "App", "one")
	w.focus(true)
	var got seen
	r, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display}, got.emit,
		grantFor(t, "g1", time.Hour, event.Windows))
	if err != nil {
		t.Fatal(err)
	}
	xtest.Wait(t, "the first event", func() bool { return len(got.all()) > 0 })
	w.title("two")
	s.Freeze()
	defer s.Thaw()
	<-time.After(1500 * time.Millisecond) // titleEvery is over: by now it asks for the title, and waits
	began := time.Now()
	r.Stop()
	if d := time.Since(began); d > 100*time.Millisecond {
		t.Errorf("Stop took %v", d)
	}
	n := len(got.all())
	s.Thaw()
	w.title("three")
	if len(got.all()) != n {
		t.Error("an event after Stop")
	}
	r.Stop()
	if r.Err() != nil {
		t.Errorf("a stopped watch gives %v", r.Err())
	}
}

func TestServerGone(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	var got seen
	r, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display}, got.emit,
		grantFor(t, "g1", time.Hour, event.Windows))
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	select {
	case <-r.Done():
		if r.Err() == nil {
			t.Error("no reason although the server is gone")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the watch goes on without its server")
	}
}

func TestNoGrantNoWatch(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	emit := func(event.Kind, time.Time, map[string]string) { t.Error("an event without a grant") }
	w := capture.Windows{Display: s.Display}
	if _, err := capture.StartWindows(t.Context(), w, emit); !errors.Is(err, capture.ErrNoGrant) {
		t.Errorf("no grant: %v", err)
	}
	if _, err := capture.StartWindows(t.Context(), w, emit, grantFor(t, "g", time.Hour, event.Chat)); !errors.Is(err, capture.ErrNoGrant) {
		t.Errorf("a grant for chat: %v", err)
	}
	w.Type = "wayland"
	if _, err := capture.StartWindows(t.Context(), w, emit, grantFor(t, "g", time.Hour, event.Windows)); !errors.Is(err, capture.ErrUnavailable) {
		t.Errorf("wayland: %v", err)
	}
}

// The watch ends by itself with the last grant, and Narrow leaves only what is kept.
func TestGrantsEnd(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	var got seen
	r, err := capture.StartWindows(context.Background(), capture.Windows{Display: s.Display}, got.emit,
		grantFor(t, "short", 300*time.Millisecond, event.Windows))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the watch outlives its grant")
	}
	a, b := grantFor(t, "a", time.Hour, event.Windows), grantFor(t, "b", time.Hour, event.Windows)
	r, err = capture.StartWindows(context.Background(), capture.Windows{Display: s.Display}, got.emit, a)
	if err != nil {
		t.Fatal(err)
	}
	r.Narrow(b) // b was never the watch's: nothing is left
	select {
	case <-r.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the watch goes on although none of its grants was kept")
	}
}
