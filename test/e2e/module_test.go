//go:build e2e

package e2e

import (
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/test/rig"
)

// bareDesk is a desktop of a computer that has no Aval.
func (w *world) bareDesk() *desk {
	w.t.Helper()
	outer, err := w.StartXvfb("desk-outer", 1100, 720)
	w.must(err)
	inner, err := w.StartXephyr("desk", outer, 1100, 720, rig.WithGL)
	w.must(err)
	_, err = w.StartWM(inner)
	w.must(err)
	return &desk{Display: inner}
}

// moduleRun is `aval module run` with its standard input held open.
type moduleRun struct {
	*rig.Proc
	w  *world
	in *os.File
}

func (w *world) runModule(d *desk, path string) *moduleRun {
	w.t.Helper()
	fifo := filepath.Join(w.t.TempDir(), "in")
	w.must(syscall.Mkfifo(fifo, 0o600))
	in, err := os.OpenFile(fifo, os.O_RDWR, 0) // does not wait for the other end
	w.must(err)
	w.t.Cleanup(func() { in.Close() })
	p, err := w.Start(rig.Cmd{Name: "module", Path: "/bin/sh", Env: w.Env("DISPLAY="+d.Name, "XDG_SESSION_TYPE=x11", "LC_MESSAGES="+w.Locale),
		Args: []string{"-c", `exec "$0" "$@" <` + fifo, w.Program("aval"), "module", "run", path, "--tools", "", "--socket", w.Path("none.sock")}})
	w.must(err)
	return &moduleRun{p, w, in}
}

// enter writes one line to the module.
func (m *moduleRun) enter(line string) {
	m.w.t.Helper()
	_, err := m.in.WriteString(line + "\n")
	m.w.must(err)
}

// says waits until the module has said something.
func (m *moduleRun) says(text string) {
	m.w.t.Helper()
	m.w.must(m.w.Wait(fmt.Sprintf("the module to say %q", text), 40*time.Second, func() (bool, error) {
		raw, err := os.ReadFile(m.Log)
		if err == nil && !strings.Contains(string(raw), text) && m.Ended() {
			return false, fmt.Errorf("%w: it ended with status %d: %s", rig.ErrHopeless, m.ExitCode(), raw)
		}
		return err == nil && strings.Contains(string(raw), text), fmt.Errorf("it says %s (%v)", raw, err)
	}))
}

// left lists what a module could leave behind: files of the person, in memory and on
// the disk, and processes.
func (w *world) left() []string {
	w.t.Helper()
	var all []string
	for _, top := range []string{w.Path("home"), w.Path("run")} {
		w.must(filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err == nil {
				all = append(all, path)
			}
			return nil // what goes away meanwhile is not left
		}))
	}
	tops, err := filepath.Glob(w.Path("aval-*"))
	w.must(err)
	all = append(all, tops...)
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	w.must(err)
	for _, l := range lines {
		if raw, err := os.ReadFile(l); err == nil && strings.Contains(string(raw), w.Path("run")) {
			all = append(all, strings.ReplaceAll(string(raw), "\x00", " "))
		}
	}
	slices.Sort(all)
	return all
}

// nothingLeft waits until what a module could leave behind is as it was.
func (w *world) nothingLeft(before []string) {
	w.t.Helper()
	w.must(w.Wait("nothing to be left", 10*time.Second, func() (bool, error) {
		now := w.left()
		return slices.Equal(now, before), fmt.Errorf("left: %q", slices.DeleteFunc(now, func(s string) bool { return slices.Contains(before, s) }))
	}))
}

// TestModule: a company that asks only by modules hands one out. On a computer
// without Aval the person starts it, enters the supporter's code, says yes, is asked
// again when the support is over, and says send: the summary is there, and nothing
// is left on the computer. Ended in a session it leaves nothing either; killed in
// one, it leaves its folder, which the next start takes away. Revoked, it does not
// start. To see it fail, leave destroy out of module.Run: the folder is left; or
// clean: it is left after the kill.
func TestModule(t *testing.T) {
	w := newStrangers(t, "", nil)
	d := w.bareDesk()
	var set struct{ Outgoing string }
	w.must(w.summarizer.JSON(&set, "company", "set", "outgoing=modules"))
	path := w.Path("company.avalmodule")
	var made struct{ ID string }
	w.must(w.summarizer.JSON(&made, "module", "create", "--name", "Help desk", "--insights", "--out", path))
	before := w.left()

	// begin runs the module as far as the recording.
	begin := func() *moduleRun {
		m := w.runModule(d, path)
		m.says("Help desk")
		m.says("Code:")
		code, err := w.summarizer.Code("Ana Souza")
		w.must(err)
		secret, _, _ := strings.Cut(code, "@") // the module knows the server
		m.enter(secret)
		q := w.question(d)
		w.picture(d.Display, "question")
		w.must(q.WaitReady())
		w.must(q.Answer(true))
		m.says("is recorded")
		if slices.Equal(w.left(), before) {
			t.Error("what is there while a module runs is not seen")
		}
		return m
	}
	m := begin()
	w.open(d, "CANARY-BY-MODULE")
	m.enter("")
	m.says("Nothing has been sent yet")
	if e, err := w.summarizer.Export(); err != nil || len(e.Sessions) != 0 {
		t.Errorf("before the person's word the company has %+v (%v)", e, err)
	}
	q := w.question(d)
	w.picture(d.Display, "leave")
	w.must(q.WaitReady())
	w.must(q.Answer(true))
	m.says("has arrived at 127.0.0.1")
	if code := m.ExitCode(); code != 0 {
		t.Errorf("status %d: %s", code, m.Tail())
	}
	w.nothingLeft(before)
	var got rig.ExportSession
	w.must(w.Wait("the summary", 60*time.Second, func() (bool, error) {
		e, err := w.summarizer.Export()
		if err != nil || len(e.Sessions) != 1 {
			return false, fmt.Errorf("%+v, %v", e, err)
		}
		got = e.Sessions[0]
		return got.HasSummary(), nil
	}))
	if got.Supporter != "Ana Souza" || !strings.Contains(texts(got), "CANARY-BY-MODULE") {
		t.Errorf("arrived: %q\n%s", got.Supporter, texts(got))
	}

	m = begin()
	w.must(m.Stop(20 * time.Second)) // SIGTERM
	w.nothingLeft(before)

	m = begin()
	m.KillAlone()
	w.must(w.Wait("its programs to end", 10*time.Second, func() (bool, error) {
		procs := slices.DeleteFunc(w.left(), func(s string) bool { return strings.HasPrefix(s, "/") && !strings.Contains(s, " ") })
		return len(procs) == 0, fmt.Errorf("%q", procs)
	}))
	if slices.Equal(w.left(), before) {
		t.Error("after a kill nothing is left that the next start could clean")
	}
	var revoked struct{ ID string }
	if err := w.summarizer.JSON(&revoked, "module", "revoke", made.ID); err != nil || revoked.ID != made.ID {
		t.Fatal(revoked, err)
	}
	m = w.runModule(d, path)
	if code := m.ExitCode(); code != 3 || !strings.Contains(m.Tail(), "has revoked this module") {
		t.Errorf("revoked: status %d: %s", code, m.Tail())
	}
	w.nothingLeft(before)
}

// TestModuleWindow: without standard input the code is entered in Aval's window, and
// closing that ends the session. To see it fail, let module.run.window return no
// channel of the window's end.
func TestModuleWindow(t *testing.T) {
	w := newStrangers(t, "", nil)
	d := w.bareDesk()
	path := w.Path("company.avalmodule")
	var made struct{ ID string }
	w.must(w.summarizer.JSON(&made, "module", "create", "--name", "Help desk", "--insights", "--out", path))
	before := w.left()
	p, err := w.Start(rig.Cmd{Name: "module", Path: w.Program("aval"), Env: w.Env("DISPLAY="+d.Name, "XDG_SESSION_TYPE=x11", "LC_MESSAGES="+w.Locale),
		Args: []string{"module", "run", path, "--tools", "", "--socket", w.Path("none.sock")}})
	w.must(err)
	m := &moduleRun{p, w, nil}
	m.says("Enter the code in")
	win, err := d.WaitWindow("main", 15*time.Second, func(x rig.Window) bool { return x.Rect.Dx() > 300 })
	w.must(err)
	field := win.Rect.Min.Add(image.Pt(200, 438))
	w.must(w.Wait("the window's field", 20*time.Second, func() (bool, error) {
		img, err := d.Picture()
		if err != nil {
			return false, err
		}
		at := img.At(field.X, field.Y)
		return at != img.At(win.Rect.Max.X+20, 20), nil // it is drawn
	}))
	code, err := w.summarizer.Code("Ana Souza")
	w.must(err)
	w.must(d.Click(field, 1))
	w.must(d.Type(strings.ToLower(strings.Replace(code[:9], "-", "", 1)) + "\n"))
	m.says("Please answer the question")
	w.must(d.CloseByHand(win))
	m.says("Nothing was recorded")
	if code := m.ExitCode(); code != 0 {
		t.Errorf("status %d: %s", code, m.Tail())
	}
	if e, err := w.summarizer.Export(); err != nil || len(e.Sessions) != 0 {
		t.Errorf("the company has %+v (%v)", e, err)
	}
	w.nothingLeft(before)
}
