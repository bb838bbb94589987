package agent_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/session/watch"
)

// TestSessionOfALog: a login in a tool's log asks the person, its end ends the
// session, and after a restart of the service nothing confirms it any more.
// Fault planted once: restore without its look at the watcher; the session
// lived on with a process that proves nothing.
func TestSessionOfALog(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	path := filepath.Join(home, ".local/share/teamviewer15/logfiles/TeamViewer15_Logfile.log")
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	b, err := os.ReadFile("session/watch/testdata/teamviewer.log")
	must(t, err)
	// The process that wrote it is this one: it outlives the session.
	text := strings.ReplaceAll(string(b), "  1084 ", "  "+strconv.Itoa(os.Getpid())+" ")
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
	r.sit(":7", says(false))
	c := r.dial()
	const name = "teamviewer/126302903"
	write(from)
	r.eventually("session of the log", func() bool { _, ok := r.session(c, name); return ok })
	r.eventually("the person was asked", func() bool {
		all := r.consents(c)
		return len(all) == 1 && all[0].Outcome == consent.OutcomeRefused && all[0].Supporter == "Example Support (1000000001)"
	})
	write("2024/02/16 06:18:36.300" + rest)
	r.eventually("end of the session", func() bool { _, ok := r.session(c, name); return !ok })

	write(from)
	r.eventually("the next session", func() bool { _, ok := r.session(c, name+"~2"); return ok })
	r.stop()
	r.start()
	c = r.dial()
	if all, err := call[[]ipc.SessionInfo](r, c, ipc.MethodSessionList, nil); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v: nothing confirms it", all, err)
	}
}
