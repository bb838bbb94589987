package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/session/watch"
)

// TestSessionOfALog: a login in a tool's log asks the person, its end ends the
// session, and after a restart of the service nothing confirms it any more: it is
// not recorded, and its supporter counts as there until the program ends. Faults
// planted once: restore without its look at the watcher; the session was recorded
// on by a process that proves nothing. restore that ends it; the person was asked,
// and the setting loosened, while the supporter may hold the mouse.
func TestSessionOfALog(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	path := filepath.Join(home, ".local/share/teamviewer15/logfiles/TeamViewer15_Logfile.log")
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	b, err := os.ReadFile("session/watch/testdata/teamviewer.log")
	must(t, err)
	// The process that wrote it outlives the session.
	program := exec.Command("sleep", "600")
	must(t, program.Start())
	t.Cleanup(func() { _ = program.Process.Kill(); _ = program.Wait() })
	text := strings.ReplaceAll(string(b), "  1084 ", "  "+strconv.Itoa(program.Process.Pid)+" ")
	from, rest, found := strings.Cut(text, "2024/02/16 06:18:36.300")
	if !found {
		t.Fatal("the sample has no end")
	}
	write := func(s string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		must(t, err)
		_, err = f.WriteString(s)
		must(t, err)
		must(t, f.Close())
	}
	r := newRig(t, nil)
	r.stop()
	r.tools = []string{watch.ToolTeamViewer}
	r.start()
	p := r.sit(":7", says(false))
	c := r.dial()
	const name = "teamviewer/126302903"
	write(from)
	wrote := time.Now()
	r.eventually("session of the log", func() bool {
		if time.Since(wrote) > 3*time.Second { // what was there before the log was followed is no news
			write(from)
			wrote = time.Now()
		}
		_, ok := r.session(c, name)
		return ok
	})
	r.eventually("the person was asked", func() bool {
		all := r.consents(c)
		return len(all) == 1 && all[0].Outcome == consent.OutcomeRefused && all[0].Supporter == "Example Support (1000000001)"
	})
	write("2024/02/16 06:18:36.300" + rest)
	r.eventually("end of the session", func() bool { _, ok := r.session(c, name); return !ok })

	// Allowed, by nobody's known hand: after a restart nothing says whether the
	// supporter is still there, so it is no time to ask, nor to loosen anything.
	p.says(says(true))
	write(from)
	r.eventually("the next session is recorded", func() bool { s, _ := r.session(c, name+"~2"); return s.Recording })
	r.stop()
	r.start()
	c = r.dial()
	p = r.sit(":7", says(true))
	s, ok := r.session(c, name+"~2")
	if !ok || s.Recording || s.Why != "unconfirmed" {
		t.Errorf("%v %+v: nothing confirms it", ok, s)
	}
	if _, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessAllowed}); err == nil {
		t.Error("loosened, maybe by the supporter")
	}
	if e := r.consents(c)[0]; !e.Held || e.Session != name+"~2" || p.questions() != 0 {
		t.Errorf("asked %d times: %+v", p.questions(), e)
	}
	must(t, program.Process.Kill())
	_ = program.Wait()
	r.eventually("over with its program, and asked about", func() bool {
		_, there := r.session(c, name+"~2")
		return !there && p.questions() == 1 && !r.consents(c)[0].Held
	})
}
