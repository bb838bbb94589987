package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/x11/xtest"
)

func start(t *testing.T, o xtest.Options, env ...string) (*xtest.Server, *service, *desk) {
	t.Helper()
	x := xtest.Start(t, o)
	s := newService(t)
	s.start()
	d := runDesk(t, x, "", s.socket, env...)
	xtest.Wait(t, "the registration", s.registered)
	return x, s, d
}

func recorded(rev uint64) ipc.Indicator {
	return ipc.Indicator{Revision: rev, Sessions: []ipc.IndicatorSession{{Session: "test/1", Supporter: "Ana Souza", Since: time.Now()}}}
}

func alive(s *service) int { return len(all[ipc.Empty](s, ipc.MethodDesktopAlive)) }

// visible waits until the service knows that a revision can be seen.
func visible(t *testing.T, s *service, rev uint64) {
	t.Helper()
	xtest.Wait(t, fmt.Sprintf("revision %d to be visible", rev), func() bool {
		for _, r := range all[ipc.DesktopIndicator](s, ipc.MethodDesktopIndicator) {
			if r.Revision == rev && r.Visible {
				return true
			}
		}
		return false
	})
}

func TestRegister(t *testing.T) {
	x, s, _ := start(t, xtest.Options{}, "XDG_SESSION_ID=c7")
	r := all[ipc.DesktopRegister](s, ipc.MethodDesktopRegister)[0]
	if r.Display != x.Display || r.Type != "x11" || r.LogindID != "c7" || r.Locale != "pt_BR.UTF-8" || !slices.Equal(r.Offers, event.Groups) {
		t.Errorf("%+v", r)
	}
}

// TestOffers: a desktop offers only what it can deliver. Under Wayland no program
// sees another one's windows, and without an X display none is known by it.
func TestOffers(t *testing.T) {
	for _, c := range []struct {
		s    session
		want []event.Group
	}{
		{session{kind: "x11", display: ":1"}, event.Groups},
		{session{kind: "wayland", display: ":1"}, []event.Group{event.Commands, event.Files, event.System, event.Chat}},
		{session{kind: "wayland"}, []event.Group{event.Chat}},
	} {
		if got := c.s.offers(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c.s, got)
		}
		if got := c.s.register(false).Offers; len(got) != 0 {
			t.Errorf("without a bar: %q", got)
		}
	}
}

// The bar is reported as visible, gives signs of life while it shows a session,
// and none when the program hangs, the display hangs, or nothing is recorded.
// Planted bug: send desktop.alive from a timer of its own, and the frozen
// display does not show.
func TestSignsOfLife(t *testing.T) {
	x, s, d := start(t, xtest.Options{WM: true})
	if alive(s) != 0 {
		t.Fatal("a sign of life with nothing recorded")
	}
	s.push(ipc.PushIndicator, recorded(1))
	visible(t, s, 1)
	xtest.Wait(t, "signs of life", func() bool { return alive(s) >= 3 })

	still := func(what string) {
		t.Helper()
		<-time.After(300 * time.Millisecond) // what was under way
		n := alive(s)
		<-time.After(2 * time.Second) // the service stops recording after this long
		if alive(s) != n {
			t.Errorf("signs of life although %s", what)
		}
	}
	d.cmd.Process.Signal(syscall.SIGSTOP)
	still("the program hangs")
	d.cmd.Process.Signal(syscall.SIGCONT)
	n := alive(s)
	xtest.Wait(t, "life after SIGCONT", func() bool { return alive(s) > n })
	x.Freeze()
	still("the display hangs")
	x.Thaw()
	n = alive(s)
	xtest.Wait(t, "life after the display's hang", func() bool { return alive(s) > n })
	s.push(ipc.PushIndicator, ipc.Indicator{Revision: 2})
	still("nothing is recorded")
	if d.text() == "" {
		t.Error("no log")
	}
}

// A click on Stop reaches the service.
func TestStop(t *testing.T) {
	x, s, _ := start(t, xtest.Options{WM: true})
	s.push(ipc.PushIndicator, recorded(1))
	visible(t, s, 1)
	<-time.After(700 * time.Millisecond) // clicks count 600 ms after the buttons came
	id := strings.Fields(x.Run(t, "xdotool", "search", "--onlyvisible", "--classname", "aval-indicator"))[0]
	v := map[string]int{}
	for line := range strings.Lines(x.Run(t, "xdotool", "getwindowgeometry", "--shell", id)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		v[name], _ = strconv.Atoi(value)
	}
	x.Run(t, "xdotool", "mousemove", strconv.Itoa(v["X"]+v["WIDTH"]-80), strconv.Itoa(v["Y"]+23), "click", "1")
	xtest.Wait(t, "the stop", func() bool {
		c := all[ipc.RecordingControl](s, ipc.MethodRecordingControl)
		return len(c) == 1 && c[0].Session == "test/1" && c[0].Action == "stop" && c[0].Press != nil
	})
}

// Windows are watched with verified grants only, under the epoch that was given,
// and no longer than the service is there.
func TestCapture(t *testing.T) {
	xtest.Need(t, "xterm")
	x, s, d := start(t, xtest.Options{WM: true})
	s.push(ipc.PushIndicator, recorded(1))
	visible(t, s, 1)
	term := func(class, title string) {
		t.Helper()
		x.Spawn(t, "xterm", "-class", class, "-T", title, "-e", "sleep", "600")
		xtest.Wait(t, title, func() bool {
			id, err := x.Try("xdotool", "search", "--onlyvisible", "--name", "^"+title+"$")
			if err != nil {
				return false
			}
			_, err = x.Try("xdotool", "windowactivate", "--sync", id)
			return err == nil
		})
	}
	has := func(epoch uint64, app, title string) bool {
		for _, e := range all[ipc.DesktopEvent](s, ipc.MethodDesktopEvent) {
			if e.Epoch == epoch && e.Kind == event.WindowFocused && e.Fields["app"] == app && e.Fields["title"] == title {
				return true
			}
		}
		return false
	}
	term("Before", "CANARY-4410")

	// A grant by another key is none; nor is one for other groups.
	_, foreign, _ := ed25519.GenerateKey(nil)
	s.push(ipc.PushCapture, ipc.Capture{Epoch: 6, Grants: []json.RawMessage{s.grant("f", foreign, event.Windows), s.grant("c", s.key, event.Chat)}})
	xtest.Wait(t, "the refusal of both", func() bool {
		return strings.Contains(d.text(), "a grant was not accepted") && strings.Contains(d.text(), "no valid grant")
	})

	s.push(ipc.PushCapture, ipc.Capture{Epoch: 7, Grants: []json.RawMessage{s.grant("g1", s.key, event.Windows)}})
	xtest.Wait(t, "the window from before", func() bool { return has(7, "Before", event.TitleBefore) })
	term("After", "Notes")
	xtest.Wait(t, "the window from after", func() bool { return has(7, "After", "Notes") })

	// The same grant under a new epoch goes on without a new beginning.
	s.push(ipc.PushCapture, ipc.Capture{Epoch: 8, Grants: []json.RawMessage{s.grant("g1", s.key, event.Windows)}})
	term("Later", "More notes")
	xtest.Wait(t, "the new epoch", func() bool { return has(8, "Later", "More notes") })

	s.push(ipc.PushCapture, ipc.Capture{Epoch: 9})
	<-time.After(300 * time.Millisecond)
	n := len(all[ipc.DesktopEvent](s, ipc.MethodDesktopEvent))
	term("Never", "Not covered")
	<-time.After(time.Second)
	if got := len(all[ipc.DesktopEvent](s, ipc.MethodDesktopEvent)); got != n {
		t.Errorf("%d events without a grant", got-n)
	}

	// Service gone: nothing is watched, the bar goes, and it is looked for again.
	s.push(ipc.PushCapture, ipc.Capture{Epoch: 10, Grants: []json.RawMessage{s.grant("g2", s.key, event.Windows)}})
	xtest.Wait(t, "the watch", func() bool { return has(10, "Never", event.TitleBefore) })
	s.stop()
	xtest.Wait(t, "the end of the bar", func() bool {
		_, err := x.Try("xdotool", "search", "--onlyvisible", "--classname", "aval-indicator")
		return err != nil
	})
	s.start()
	xtest.Wait(t, "the new registration", s.registered)
	n = len(all[ipc.DesktopEvent](s, ipc.MethodDesktopEvent))
	term("Again", "Not covered either")
	<-time.After(500 * time.Millisecond)
	if got := len(all[ipc.DesktopEvent](s, ipc.MethodDesktopEvent)); got != n {
		t.Errorf("%d events after a new connection without a grant", got-n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if bytes.Contains(c.raw, []byte("CANARY")) {
			t.Fatalf("a title from before the answer went out: %s %s", c.method, c.raw)
		}
	}
	if strings.Contains(d.text(), "CANARY") {
		t.Error("a title is in the log")
	}
}

func question() ipc.Question {
	return ipc.Question{
		Question: "q1", Rung: "native", Session: "test/1", Tool: "x11vnc", Supporter: "Ana Souza", Address: "192.0.2.7",
		ConnectedAt: time.Now().Add(-12 * time.Second), AnswerSeconds: 30,
		Companies: []ipc.QuestionCompany{{ID: "c", Name: "Example Support", Verified: true, Engine: "rules", RetentionDays: 90}},
		Offered:   []event.Group{event.Windows, event.Commands, event.Chat},
	}
}

func TestNativeQuestion(t *testing.T) {
	xtest.Need(t, "/usr/bin/zenity")
	for _, c := range []struct {
		name  string
		keys  []string
		allow bool
	}{{"no", []string{"Escape"}, false}, {"yes", []string{"Tab", "Return"}, true}} {
		t.Run(c.name, func(t *testing.T) {
			x, s, _ := start(t, xtest.Options{WM: true})
			s.ask = question()
			s.push(ipc.PushPromptOpen, ipc.PromptOpen{Question: "q1", Rung: "native", Nonce: "nonce-1"})
			xtest.Wait(t, "the dialog", func() bool { return len(all[ipc.QuestionShown](s, ipc.MethodQuestionShown)) == 1 })
			<-time.After(1700 * time.Millisecond) // an earlier answer is not believed
			x.Shot(t, "desktop-native")
			x.Run(t, "xdotool", append([]string{"key", "--delay", "150"}, c.keys...)...)
			xtest.Wait(t, "the answer", func() bool { return len(all[ipc.QuestionAnswer](s, ipc.MethodQuestionAnswer)) == 1 })
			a, shown := all[ipc.QuestionAnswer](s, ipc.MethodQuestionAnswer)[0], all[ipc.QuestionShown](s, ipc.MethodQuestionShown)[0]
			if a.Allow != c.allow || (len(a.Groups) == 3) != c.allow || shown.Locale != "pt-BR" || len(shown.TextSHA256) != 64 || a.TextSHA256 != shown.TextSHA256 {
				t.Errorf("shown %+v, answer %+v", shown, a)
			}
		})
	}
}

// The service closes the question: the dialog goes, nothing is answered.
func TestNativeQuestionClosed(t *testing.T) {
	xtest.Need(t, "/usr/bin/zenity")
	x, s, _ := start(t, xtest.Options{WM: true})
	s.ask = question()
	s.push(ipc.PushPromptOpen, ipc.PromptOpen{Question: "q1", Rung: "native", Nonce: "nonce-1"})
	xtest.Wait(t, "the dialog", func() bool { return len(all[ipc.QuestionShown](s, ipc.MethodQuestionShown)) == 1 })
	s.push(ipc.PushPromptClose, ipc.PromptClose{Question: "q1"})
	xtest.Wait(t, "the end of the dialog", func() bool {
		_, err := x.Try("xdotool", "search", "--onlyvisible", "--class", "zenity")
		return err != nil
	})
	if n := len(all[ipc.QuestionAnswer](s, ipc.MethodQuestionAnswer)); n != 0 {
		t.Errorf("%d answers", n)
	}
}

// beside makes a copy of the program with a script in the place of aval-ui beside
// it, and one in that of its copy that draws by software where a line divides them,
// and returns its path.
func beside(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	script, soft, _ := strings.Cut(script, "-- softgl --\n")
	if err := os.Mkdir(filepath.Join(dir, "softgl"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"aval-desktop": raw, "aval-ui": []byte(script), "softgl/aval-ui": []byte(soft)} {
		if len(text) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "aval-desktop")
}

// The rung that cannot be climbed is reported at once, with the reason. A program that
// finds no OpenGL has a second one tried, with the same question and told to draw by
// software; every other end has not. Planted once: 75 taken for no OpenGL.
func TestWindowRung(t *testing.T) {
	for _, c := range []struct{ name, script, why string }{
		{"absent", "", whyNotInstalled},
		{"no window", "#!/bin/sh\nexit 75\n", whyNoWindow},
		{"no OpenGL", "#!/bin/sh\nexit 69\n", whyNoOpenGL},
		{"no OpenGL twice", "#!/bin/sh\nexit 69\n-- softgl --\n#!/bin/sh\nexit 69\n", whyNoOpenGL},
		{"no window, and a copy", "#!/bin/sh\nexit 75\n-- softgl --\n#!/bin/sh\nexit 2\n", whyNoWindow},
		{"the copy", "#!/bin/sh\nexit 69\n-- softgl --\n#!/bin/sh\nread nonce <&3; [ \"$nonce $4 $5 $GALLIUM_DRIVER\" = 'nonce-1 --question q1 llvmpipe' ] && exit 2\nexit 0\n", whyExited},
		{"crash", "#!/bin/sh\nread nonce <&3; [ \"$nonce\" = nonce-1 ] && [ \"$1 $4 $5\" = 'consent --question q1' ] && exit 2\nexit 0\n", whyExited},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := beside(t, c.script)
			x := xtest.Start(t, xtest.Options{})
			s := newService(t)
			s.start()
			runDesk(t, x, path, s.socket)
			xtest.Wait(t, "the registration", s.registered)
			s.push(ipc.PushPromptOpen, ipc.PromptOpen{Question: "q1", Rung: "window", Nonce: "nonce-1"})
			xtest.Wait(t, "the report", func() bool { return len(all[ipc.DesktopPrompt](s, ipc.MethodDesktopPrompt)) == 1 })
			if r := all[ipc.DesktopPrompt](s, ipc.MethodDesktopPrompt)[0]; r != (ipc.DesktopPrompt{Question: "q1", Rung: "window", Why: c.why}) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The socket is found when it appears, also in a folder that is made with it.
func TestWaitsForTheService(t *testing.T) {
	x := xtest.Start(t, xtest.Options{})
	s := newService(t)
	d := runDesk(t, x, "", s.socket)
	xtest.Wait(t, "the waiting", func() bool { return strings.Contains(d.text(), "waiting for the service") })
	s.start()
	xtest.Wait(t, "the registration", s.registered)
}

func TestEndsWithTheDisplay(t *testing.T) {
	x, _, d := start(t, xtest.Options{})
	x.Kill()
	select {
	case err := <-d.done:
		if err == nil || !strings.Contains(d.text(), "the display is gone") {
			t.Errorf("%v: %s", err, d.text())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it lives on without its display")
	}
}

func TestOncePerDisplay(t *testing.T) {
	x, s, d := start(t, xtest.Options{})
	var dir string
	for _, kv := range d.cmd.Env {
		if v, ok := strings.CutPrefix(kv, "XDG_RUNTIME_DIR="); ok {
			dir = v
		}
	}
	second := exec.Command(program, "--socket", s.socket)
	second.Env = []string{"DISPLAY=" + x.Display, "XDG_RUNTIME_DIR=" + dir, "HOME=/nonexistent"}
	out, err := second.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "already running on this display") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWrongCalls(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--nonsense"}, exitUsage, "--help says what there is"},
		{[]string{"extra"}, exitUsage, "is not expected"},
		{[]string{"--socket", ""}, exitUsage, "--socket is empty"},
		{[]string{"--version"}, exitDone, "aval-desktop 0"},
		{[]string{"--help"}, exitDone, "Your desktop starts it by itself"},
		{nil, exitFailed, "DISPLAY is not set"},
	} {
		cmd := exec.Command(program, c.args...)
		cmd.Env = []string{"HOME=" + t.TempDir(), "XDG_RUNTIME_DIR=" + t.TempDir()}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) || strings.Count(string(out), "\n") != 1 && c.want[0] != 'Y' {
			t.Errorf("%q: status %d: %s", c.args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// At rest: under 12 MB, and next to no wake-ups. AVAL_IDLE sets for how long it
// is watched (the figures of the notes are for 60s).
func TestIdle(t *testing.T) {
	address := bus(t)
	newHost(t, address)
	_, s, d := start(t, xtest.Options{WM: true}, "DBUS_SESSION_BUS_ADDRESS="+address)
	s.push(ipc.PushIndicator, recorded(1)) // a bar that was there leaves nothing behind
	visible(t, s, 1)
	s.push(ipc.PushIndicator, ipc.Indicator{Revision: 2})
	watch := 5 * time.Second
	if v, err := time.ParseDuration(os.Getenv("AVAL_IDLE")); err == nil {
		watch = v
	}
	// A program that polls is never at rest; one that does not may still be
	// settling, on a busy machine for a while: some window must be a quiet one.
	quiet := false
	for end := time.Now().Add(90 * time.Second); !quiet && time.Now().Before(end); {
		before := status(t, d.cmd.Process.Pid)
		<-time.After(watch)
		after := status(t, d.cmd.Process.Pid)
		switches := after["switches"] - before["switches"]
		t.Logf("RSS %d kB (anonymous %d kB, file %d kB), %d voluntary context switches in %v, %d threads",
			after["VmRSS"], after["RssAnon"], after["RssFile"], switches, watch, after["Threads"])
		quiet = after["VmRSS"] < 12<<10 && float64(switches)/watch.Seconds() <= 1
	}
	if !quiet {
		t.Error("never at rest: at most 12 MB and one wake-up a second")
	}
}

// status reads /proc/PID/status, the switches summed over all threads.
func status(t *testing.T, pid int) map[string]int {
	t.Helper()
	out := map[string]int{}
	dir := "/proc/" + strconv.Itoa(pid)
	tasks, err := os.ReadDir(dir + "/task")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{dir + "/status"}
	for _, task := range tasks {
		files = append(files, dir+"/task/"+task.Name()+"/status")
	}
	for i, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that has ended
		}
		for line := range strings.Lines(string(raw)) {
			name, value, _ := strings.Cut(line, ":")
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			switch {
			case i == 0:
				out[name] = n
			case name == "voluntary_ctxt_switches":
				out["switches"] += n
			}
		}
	}
	return out
}

// TestStartsAnew: after an upgrade the helper runs its file anew, once, in place
// of itself; where that is no better it waits for a service of its version and is
// nobody's helper meanwhile.
// Fault planted once: renewable always false.
func TestStartsAnew(t *testing.T) {
	x := xtest.Start(t, xtest.Options{})
	s := newService(t)
	s.build = "9.9.9"
	s.start()
	d := runDesk(t, x, "", s.socket)
	pid := d.cmd.Process.Pid
	xtest.Wait(t, "the helper to start anew", func() bool {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		return err == nil && strings.Contains(string(raw), "AVAL_RENEWED_FOR=9.9.9\x00")
	})
	xtest.Wait(t, "it to look for the service again", func() bool { return strings.Count(d.text(), "of version 9.9.9") >= 1 })
	if s.registered() {
		t.Error("it is the helper of a service of another version")
	}
	s.stop()
	s.build = ""
	s.start()
	xtest.Wait(t, "the registration", s.registered)
}
