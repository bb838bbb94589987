//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// wrong is one thing that goes wrong: what is run, the exit status, and words
// that the one sentence must hold.
type wrong struct {
	name    string
	program string
	args    []string
	code    int
	says    []string
}

// sentence checks that an error is one that a person can use: on standard error,
// short, without Go's inside.
func sentence(t *testing.T, res rig.Result, code int, says ...string) {
	t.Helper()
	if res.Code != code {
		t.Errorf("exit status %d, want %d", res.Code, code)
	}
	text := strings.TrimSpace(res.Stderr)
	if text == "" {
		t.Errorf("nothing on standard error; standard output: %s", res.Stdout)
	}
	if n := strings.Count(text, "\n"); n > 3 {
		t.Errorf("%d lines instead of a sentence:\n%s", n+1, text)
	}
	for _, never := range []string{"panic", "goroutine ", "runtime error", "%!", "<nil>", "0xc0"} {
		if strings.Contains(text, never) {
			t.Errorf("the error shows the program's inside: %s", text)
		}
	}
	for _, want := range says {
		if !strings.Contains(res.Stdout+text, want) {
			t.Errorf("the error does not say %q: %s", want, text)
		}
	}
}

func TestWrongInput(t *testing.T) {
	w := newWorld(t, "")
	bad := w.Path("bad.json")
	w.must(os.WriteFile(bad, []byte(`{"AccessControl": "sometimes", "Colour": "blue"}`), 0o600))
	token := w.Path("wrong-token")
	raw, err := w.summarizer.FirstStart("enrolment-token")
	w.must(err)
	w.must(os.WriteFile(token, []byte(raw), 0o600)) // used already: the agent joined with it
	garbage := w.Path("garbage-token")
	w.must(os.WriteFile(garbage, []byte("garbage"), 0o600))
	nobody := "https://127.0.0.1:1"

	other, err := w.StartAgent("other")
	w.must(err)
	socket := []string{"--socket", other.Socket}
	res, err := other.CLI("session", "begin", "--tool", "other", "--id", "x", "--supporter", "Example")
	w.must(err)
	if res.Code != 0 {
		t.Fatal(res.Stderr)
	}
	for _, c := range []wrong{
		{"unknown flag", "aval", []string{"status", "--colour"}, 2, []string{"--colour"}},
		{"unknown command", "aval", []string{"dance"}, 2, []string{"dance"}},
		{"unknown setting", "aval", append([]string{"settings", "set", "session-insights", "maybe"}, socket...), 2, []string{"maybe", "after-confirmation"}},
		{"no such session", "aval", append([]string{"session", "end", "--id", "nothing"}, socket...), 1, nil},
		{"unknown kind", "aval", append([]string{"session", "event", "--id", "x", "--kind", "dream"}, socket...), 2, []string{"dream"}},
		{"nobody at the socket", "aval", []string{"status", "--socket", w.Path("no.sock")}, 1, nil},
		{"bad policy", "aval", []string{"policy", "validate", bad}, 1, []string{"sometimes", "Colour"}},
		{"no policy file", "aval", []string{"policy", "validate", w.Path("none.json")}, 1, []string{"none.json"}},
		{"token used before", "aval", append([]string{"enroll", "--server", w.summarizer.URL, "--token-file", token}, socket...), 1, []string{"token"}},
		{"token is garbage", "aval", append([]string{"enroll", "--server", w.summarizer.URL, "--token-file", garbage}, socket...), 1, []string{"token"}},
		{"nobody at the server", "aval", append([]string{"enroll", "--server", nobody, "--token-file", token}, socket...), 1, nil},
		{"summarizer: unknown flag", "aval-summarizer", []string{"serve", "--colour"}, 2, []string{"--colour"}},
		{"summarizer: port in use", "aval-summarizer", []string{"serve", "--data", w.Path("second"), "--listen", w.summarizer.Listen}, 1, []string{w.summarizer.Listen}},
		{"summarizer: folder in use", "aval-summarizer", []string{"serve", "--data", w.summarizer.Data, "--listen", "127.0.0.1:0"}, 1, nil},
		{"summarizer: nothing to export", "aval-summarizer", []string{"export", "--data", w.Path("nowhere")}, 1, []string{"nowhere"}},
		{"helper: unknown flag", "aval-desktop", []string{"--colour"}, 2, []string{"colour"}},
		{"window: unknown flag", "aval-ui", []string{"consent", "--colour"}, 2, []string{"colour"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := w.Run(20*time.Second, rig.Cmd{Name: c.program, Path: w.Program(c.program), Args: c.args})
			if err != nil {
				t.Fatal(err)
			}
			sentence(t, res, c.code, c.says...)
		})
	}
	// Nothing of it has harmed the agent that was there.
	w.must(w.agent.WaitLink(5 * time.Second))
}

// A hook's begin must never hold the door: no service, and it is over in a second.
func TestBeginWithoutService(t *testing.T) {
	r, err := rig.New(t.Context(), bin, "en_US.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	res, err := r.Run(10*time.Second, rig.Cmd{Name: "aval", Path: r.Program("aval"), Args: []string{"session", "begin", "--socket", r.Path("no.sock"), "--tool", "x11vnc", "--id", "1", "--supporter", "S", "--hold"}})
	if err != nil {
		t.Fatal(err)
	}
	sentence(t, res, 1)
	if res.Took > 1500*time.Millisecond {
		t.Errorf("it took %s", res.Took)
	}
}

// agentFails starts `aval run` on folders that are wrong and waits for its end.
func agentFails(t *testing.T, r *rig.Rig, a *rig.Agent, says ...string) {
	t.Helper()
	res, err := r.Run(20*time.Second, rig.Cmd{Name: "aval", Path: r.Program("aval"), Args: a.RunArgs()})
	if err != nil {
		t.Fatal(err)
	}
	sentence(t, res, 1, says...)
}

func TestSocketInUse(t *testing.T) {
	w := newWorld(t, "")
	twin := *w.agent
	twin.State = w.Path("twin")
	agentFails(t, w.Rig, &twin, twin.Socket)
	twin = *w.agent
	twin.Socket = w.Path("twin.sock")
	agentFails(t, w.Rig, &twin, twin.State) // the state folder is in use as well
	w.must(w.agent.WaitLink(5 * time.Second))
}

// A policy that is not understood: the service runs, and denies.
func TestUnreadablePolicy(t *testing.T) {
	w := newWorld(t, `{"AccessControl": "allowed", "Colour": "blue"}`)
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.goesOn(d, s)
	row := w.decided(10 * time.Second)
	if row.Verdict != "deny" || row.Reason != "policy-unreadable" {
		t.Errorf("the decision is %+v", row)
	}
	w.nothingRecorded()
	res, err := w.agent.CLI("policy", "show")
	w.must(err)
	if !strings.Contains(res.Stdout+res.Stderr, "Colour") {
		t.Errorf("aval policy show does not say what is wrong: %s%s", res.Stdout, res.Stderr)
	}
}

// A damaged database is put aside, never deleted, and the service goes on with
// everything denied that it can no longer read.
func TestDamagedDatabase(t *testing.T) {
	w := newWorld(t, "")
	res, err := w.agent.CLI("settings", "set", "session-insights", "allowed")
	w.must(err)
	if res.Code != 0 {
		t.Fatal(res.Stderr)
	}
	w.must(w.agent.Stop(5 * time.Second))
	dbs, err := filepath.Glob(filepath.Join(w.agent.State, "*.db"))
	w.must(err)
	if len(dbs) == 0 {
		t.Fatal("no database found to damage")
	}
	for _, db := range dbs {
		raw, err := os.ReadFile(db)
		w.must(err)
		for i := range raw {
			raw[i] = byte(i * 7)
		}
		w.must(os.WriteFile(db, raw, 0o600))
	}
	w.must(w.agent.Restart())
	st, err := w.agent.Status()
	w.must(err)
	if len(st.Notes) == 0 {
		t.Error("aval status does not tell of the damage")
	}
	kept := 0
	var there []string
	w.must(filepath.WalkDir(w.agent.State, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		there = append(there, path)
		raw, err := os.ReadFile(path)
		if bytes.HasPrefix(raw, []byte{0, 7, 14, 21}) {
			kept++
		}
		return err
	}))
	if kept == 0 {
		t.Errorf("the damaged file was not kept: %v", there)
	}
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.goesOn(d, s)
	if row := w.state(); row == "allowed" {
		t.Error("a setting that cannot be read allowed a recording")
	}
	w.nothingRecorded()
}

// A full disk: nothing that was acknowledged is lost, and what cannot be kept is
// not called recorded.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	w := newWorld(t, "")
	small := w.Path("small")
	w.must(os.Mkdir(small, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "aval-test", small).CombinedOutput(); err != nil {
		t.Skipf("no small file system here: %s", out)
	}
	w.Defer(func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	w.must(w.agent.Stop(5 * time.Second))
	w.agent.State = filepath.Join(small, "state")
	s2, err := w.StartSummarizer("summarizer2", "en")
	w.must(err)
	w.summarizer = s2
	w.must(w.agent.Restart())
	w.must(w.agent.Enroll(s2))
	d := w.desktop("desk", rig.WithGL)
	res, err := w.agent.CLI("settings", "set", "session-insights", "allowed")
	w.must(err)
	if res.Code != 0 {
		t.Fatal(res.Stderr)
	}
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(10 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	note(w, row.Session, "before the disk was full")

	ballast := filepath.Join(small, "ballast")
	fill(ballast)
	var told []string
	refused := ""
	for i := range 400 {
		text := fmt.Sprintf("note %04d %s", i, strings.Repeat("x", 1500))
		var r struct {
			Recorded bool   `json:"recorded"`
			Reason   string `json:"reason"`
		}
		_, id, _ := strings.Cut(row.Session, "/")
		if err := w.agent.JSON(&r, "session", "event", "--id", id, "--kind", "note", "--text", text); err != nil || !r.Recorded {
			refused = fmt.Sprint(r.Reason, err)
			break
		}
		told = append(told, text)
	}
	t.Logf("%d notes were recorded on the full disk, then: %s", len(told), refused)
	// The bar says so, too, instead of saying that it records.
	w.must(w.Wait("the session to be held up", 10*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		return len(all) == 1 && all[0].Why == "disk-full" && !all[0].Recording, err
	}))
	w.picture(d.Display, "full")
	w.must(s.Leave())
	w.must(os.Remove(ballast))
	got := texts(w.arrived(row.Session))
	for _, want := range append(told, "before the disk was full") {
		if !strings.Contains(got, want) {
			t.Errorf("%.40q was said to be recorded and has not arrived", want)
		}
	}
}

// fill writes until the file system is full.
func fill(path string) {
	f, err := os.Create(path)
	if err != nil {
		return
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}
