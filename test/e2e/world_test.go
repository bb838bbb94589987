//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// bin is the folder with the programs: AVAL_BIN, or what make build makes.
var bin = cmp.Or(os.Getenv("AVAL_BIN"), "../../bin")

// world is one company, one computer with an agent, and its desktops.
type world struct {
	*rig.Rig
	t          *testing.T
	summarizer *rig.Summarizer
	agent      *rig.Agent
	wire       *wiretap // nil where it cannot listen
	desks      []*desk  // in their order
}

// desk is one desktop of the computer, with its helper and its VNC server.
type desk struct {
	*rig.Display
	helper *rig.Proc
	vnc    *rig.VNC
}

// newWorld starts summarizer and agent and joins them. policy is the text of a
// managed policy file, or empty.
func newWorld(t *testing.T, policy string) *world { return newWorldOf(t, policy, nil) }

// newWorldOf is newWorld with something done to the rig before anything starts.
func newWorldOf(t *testing.T, policy string, first func(*rig.Rig) error) *world {
	t.Helper()
	w := newStrangers(t, policy, first)
	w.must(w.agent.Enroll(w.summarizer))
	return w
}

// newStrangers is newWorldOf with a computer that the company does not manage.
func newStrangers(t *testing.T, policy string, first func(*rig.Rig) error) *world {
	t.Helper()
	if err := rig.Need("Xvfb", "Xephyr", "openbox", "x11vnc", "xtigervncviewer", "xterm", "xmessage"); err != nil {
		t.Fatal(err)
	}
	r, err := rig.New(t.Context(), bin, "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Rig: r, t: t}
	// t.Context ends before cleanups run: everything is ended there at the latest.
	t.Cleanup(func() {
		if t.Failed() {
			w.keepLogs()
		}
		if err := r.Close(); err != nil {
			t.Error("end what was started:", err)
		}
	})
	w.must(r.CheckBin())
	if first != nil {
		w.must(first(r))
	}
	w.wire = tap(t, r)
	w.summarizer, err = r.StartSummarizer("summarizer", "pt-BR")
	w.must(err)
	w.agent, err = r.StartAgent("agent")
	w.must(err)
	if policy != "" {
		// Before enrolment, so that no session can meet the agent without it; and
		// on a new state folder, so that no earlier good policy is in force.
		w.must(w.agent.SetPolicy("managed", "test.json", policy))
		w.must(w.agent.Stop(5 * time.Second))
		w.must(os.RemoveAll(w.agent.State))
		w.must(w.agent.Restart())
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// keepLogs copies the programs' output to out/e2e/TEST for whoever reads the failure.
func (w *world) keepLogs() {
	dir := filepath.Join("../../out/e2e", strings.ReplaceAll(w.t.Name(), "/", "_"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return
	}
	logs, _ := filepath.Glob(w.Path("log", "*"))
	for _, l := range logs {
		if raw, err := os.ReadFile(l); err == nil {
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(l)), raw, 0o644)
		}
	}
	w.t.Logf("what the programs wrote is in %s", dir)
}

// picture keeps a picture of a display beside the logs.
func (w *world) picture(d *rig.Display, name string) {
	path := filepath.Join("../../out/e2e", strings.ReplaceAll(w.t.Name(), "/", "_"), name+".png")
	if err := d.SavePicture(path); err != nil {
		w.t.Logf("no picture %s: %v", name, err)
	}
}

// desktop opens one desktop: Xephyr in Xvfb, window manager, helper, VNC server.
// wrap is put before aval-desktop's command.
func (w *world) desktop(name, gl string, wrap ...string) *desk {
	w.t.Helper()
	const width, height = 1100, 720
	outer, err := w.StartXvfb(name+"-outer", width, height)
	w.must(err)
	inner, err := w.StartXephyr(name, outer, width, height, gl)
	w.must(err)
	w.must(inner.Background(0x3d5a66))
	_, err = w.StartWM(inner, [2]string{"Terminal", "xterm -title Terminal -geometry 70x12+20+420"})
	w.must(err)
	d := &desk{Display: inner}
	d.helper, err = w.agent.StartDesktop(inner, wrap...)
	w.must(err)
	d.vnc, err = w.StartVNC(inner, w.agent.Hooks(inner))
	w.must(err)
	w.desks = append(w.desks, d)
	return d
}

// connect lets a supporter knock; it does not wait for the answer.
func (w *world) connect(d *desk) *rig.Supporter {
	w.t.Helper()
	s, err := w.StartSupporter(d.vnc, d.Display)
	w.must(err)
	return s
}

// question waits for the question and, with an answer, gives it by hand.
func (w *world) question(d *desk) *rig.Question {
	w.t.Helper()
	q, err := w.WaitQuestion(d.Display, 20*time.Second)
	if err != nil {
		w.picture(d.Display, "no-question")
	}
	w.must(err)
	return q
}

// decided waits until the newest decision is no longer being asked.
func (w *world) decided(limit time.Duration) rig.Consent {
	w.t.Helper()
	var row rig.Consent
	w.must(w.Wait("the decision", limit, func() (bool, error) {
		rows, err := w.agent.Consents()
		if err != nil || len(rows) == 0 {
			return false, err
		}
		row = rows[0]
		return row.Outcome != "asking", nil
	}))
	return row
}

// recording waits until the session records, or no longer does.
func (w *world) recording(session string, want bool, limit time.Duration) {
	w.t.Helper()
	w.must(w.Wait(fmt.Sprintf("recording=%v of %s", want, session), limit, func() (bool, error) {
		all, err := w.agent.Sessions()
		if err != nil {
			return false, err
		}
		for _, s := range all {
			if s.Session == session {
				return s.Recording == want, fmt.Errorf("%+v", s)
			}
		}
		return !want, fmt.Errorf("no session %s", session)
	}))
}

// open starts a program on a desktop as the person would, with a title.
func (w *world) open(d *desk, title string) rig.Window {
	w.t.Helper()
	_, err := w.Start(rig.Cmd{Name: "person", Path: "xmessage", Env: w.Env("DISPLAY=" + d.Name),
		Args: []string{"-title", title, "-geometry", "320x90+30+300", "-buttons", "", "text"}})
	w.must(err)
	win, err := d.WaitWindow(title, 15*time.Second, rig.Titled(title))
	w.must(err)
	return win
}

// goesOn proves that the supporter is in and can work: they open a terminal.
func (w *world) goesOn(d *desk, s *rig.Supporter) {
	w.t.Helper()
	w.must(s.WaitConnected(20 * time.Second))
	w.must(s.OpenTerminal())
}

// nothingRecorded proves that a session left nothing anywhere.
func (w *world) nothingRecorded(canaries ...string) {
	w.t.Helper()
	sent, err := w.agent.Sent()
	w.must(err)
	if len(sent) != 0 {
		w.t.Errorf("aval sent lists %d events: %v", len(sent), sent)
	}
	st, err := w.agent.Status()
	w.must(err)
	if st.Waiting != 0 {
		w.t.Errorf("%d events wait in the outbox", st.Waiting)
	}
	e, err := w.summarizer.Export()
	w.must(err)
	for _, s := range e.Sessions {
		if len(s.Events) != 0 || s.HasSummary() {
			w.t.Errorf("the summarizer has stored %+v", s)
		}
	}
	w.nowhere(canaries...)
}

// nowhere searches everything that the programs left: state, data, logs, wire.
func (w *world) nowhere(canaries ...string) {
	w.t.Helper()
	for _, c := range canaries {
		for _, where := range w.search(c) {
			w.t.Errorf("%q is in %s", c, where)
		}
	}
}

// search lists the files below the rig's folder that hold text in UTF-8 or
// UTF-16, and the wire; except the person's own programs' output.
func (w *world) search(text string) []string {
	w.t.Helper()
	needles := [][]byte{[]byte(text), utf16(text, false), utf16(text, true)}
	var found []string
	err := filepath.WalkDir(w.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // a file that went away meanwhile, or a socket
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, n := range needles {
			if bytes.Contains(raw, n) {
				rel, _ := filepath.Rel(w.Dir, path)
				found = append(found, rel)
				break
			}
		}
		return nil
	})
	w.must(err)
	return found
}

func utf16(s string, big bool) []byte {
	var b []byte
	for _, r := range s {
		lo, hi := byte(r), byte(r>>8)
		if big {
			lo, hi = hi, lo
		}
		b = append(b, lo, hi)
	}
	return b
}

func centre(w rig.Window) image.Point { return w.Rect.Min.Add(w.Rect.Max).Div(2) }
