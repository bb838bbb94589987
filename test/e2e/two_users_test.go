//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/test/rig"
)

// The two users of the computer. Nobody need know them: the kernel's numbers count.
const (
	anaUID = 24201
	biaUID = 24202
)

// user runs programs as somebody else, in folders of their own.
type user struct {
	uid  int
	home string
}

// as is what is put before a command to run it as the user (setpriv(1)).
func (u user) as() []string {
	id := strconv.Itoa(u.uid)
	return []string{"/usr/bin/setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "/usr/bin/env", "HOME=" + u.home,
		"XDG_RUNTIME_DIR=" + u.home + "/run", "XDG_CACHE_HOME=" + u.home + "/.cache", "TMPDIR=" + u.home}
}

func newUser(t *testing.T, w *world, uid int) user {
	t.Helper()
	base, err := os.MkdirTemp("", "aval-user-") // t.TempDir is closed to others
	w.must(err)
	t.Cleanup(func() { os.RemoveAll(base) })
	for _, d := range []string{base, base + "/run"} {
		w.must(os.MkdirAll(d, 0o700))
		w.must(os.Chown(d, uid, uid))
	}
	return user{uid, base}
}

// cli runs the command line as the user.
func (u user) cli(w *world, args ...string) rig.Result {
	w.t.Helper()
	argv := append(append(u.as(), w.Program("aval"), "--socket", w.agent.Socket, "--json"), args...)
	res, err := w.Run(30*time.Second, rig.Cmd{Name: "aval", Path: argv[0], Args: argv[1:]})
	w.must(err)
	return res
}

// Two people are signed in, each on an X server of their own, under kernel
// identities of their own. A supporter views the screen of one: she is asked,
// and what she answers counts. The other one sees nothing of it, and can answer,
// stop or read nothing: by what is on the screen, on the command line, and on
// the socket with everything that one user can know of another's programs.
//
// Faults planted once, each seen here: mayView forgets the desktop's name (the
// other one was asked as well); mine says yes to everybody (she saw and paused
// the session); register lets a second user take a desktop's place.
func TestTwoUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
	w := newWorld(t, "")
	w.must(os.Chmod(w.Dir, 0o711)) // to the socket in it, and nowhere else
	w.must(reachable(w.Program("aval-ui")))
	ana, bia := newUser(t, w, anaUID), newUser(t, w, biaUID)
	hers := w.desktop("ana", rig.WithGL, ana.as()...)
	other := w.desktop("bia", rig.WithGL, bia.as()...)
	w.open(hers, before)

	s := w.connect(hers)
	q := w.question(hers)
	w.picture(other.Display, "the-other-screen")
	sees := func(when string) {
		t.Helper()
		if all := slices.Concat(other.Find(rig.OfUI), other.Find(rig.OfNative), other.Find(rig.OfDesktop)); len(all) != 0 {
			t.Errorf("%s the other user sees %v", when, all)
		}
	}
	sees("while the question is open")
	sessions, err := w.agent.Sessions()
	w.must(err)
	if len(sessions) != 1 {
		t.Fatalf("sessions: %+v", sessions)
	}
	name := sessions[0].Session
	_, id, _ := strings.Cut(name, "/")

	commands := func(when string, record string) {
		t.Helper()
		for _, list := range [][]string{{"session", "list"}, {"consent", "list"}, {"sent"}} {
			if res := bia.cli(w, list...); res.Code != 0 || strings.TrimSpace(res.Stdout) != "[]" {
				t.Errorf("%s, aval %v: status %d: %s%s", when, list, res.Code, res.Stdout, res.Stderr)
			}
		}
		for _, try := range [][]string{
			{"session", "pause", name}, {"session", "resume", name}, {"session", "end", "--id", id},
			{"session", "event", "--id", id, "--kind", "note", "--text", "CANARY-OF-ANOTHER"},
			{"consent", "show", name}, {"consent", "show", record}, {"consent", "receipt", record}, {"consent", "withdraw", record},
			{"consent", "withdraw", record, "--delete"}, {"sent", name},
		} {
			if res := bia.cli(w, try...); res.Code == 0 {
				t.Errorf("%s, aval %v was done: %s", when, try, res.Stdout)
			}
		}
	}
	commands("while the question is open", "asking:"+name)
	intrude(w, bia, hers, q.PID, name)
	if st := w.state(); st != "asking" {
		t.Fatalf("after all that the decision is %s", st)
	}
	if !w.there(hers, q) {
		t.Fatal("the question is gone")
	}

	w.must(q.Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(15 * time.Second)
	if row.Outcome != "allowed" || row.Session != name {
		t.Fatalf("the decision is %+v", row)
	}
	w.recording(name, true, 15*time.Second)
	if res := ana.cli(w, "consent", "list"); !strings.Contains(res.Stdout, row.ID) {
		t.Errorf("she does not see her own decision: %s%s", res.Stdout, res.Stderr)
	}
	sees("while it is recorded")
	commands("while it is recorded", row.ID)
	intrude(w, bia, hers, 0, name)
	w.recording(name, true, 5*time.Second)
	if res := ana.cli(w, "session", "pause", name); res.Code != 0 {
		t.Errorf("she cannot pause it herself: %s%s", res.Stdout, res.Stderr)
	}
	w.nowhere("CANARY-OF-ANOTHER")
}

// there tells whether the question's window is.
func (w *world) there(d *desk, q *rig.Question) bool {
	return len(d.Find(func(x rig.Window) bool { return x.ID == q.ID })) == 1
}

// reachable tells whether every user can run a program.
func reachable(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for p := path; ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil {
			return err
		}
		if fi.Mode()&0o001 == 0 {
			return fmt.Errorf("%s is closed to other users: build into a folder that is not", p)
		}
		if p == "/" {
			return nil
		}
	}
}

// attempt is one call of the intruder and what came of it.
type attempt struct {
	Method  ipc.Method
	Refused bool
	Result  json.RawMessage
}

// intrude runs this test's program as the other user, who tries every method by
// which a question is answered or a session is ruled.
func intrude(w *world, u user, d *desk, ui int, session string) {
	w.t.Helper()
	self, err := os.Executable()
	w.must(err)
	prog := filepath.Join(u.home, "intruder")
	raw, err := os.ReadFile(self)
	w.must(err)
	w.must(os.WriteFile(prog, raw, 0o755))
	argv := append(u.as(), fmt.Sprintf("AVAL_INTRUDER=%d", ui), prog, w.agent.Socket, d.Name, session)
	res, err := w.Run(60*time.Second, rig.Cmd{Name: "intruder", Path: argv[0], Args: argv[1:]})
	w.must(err)
	var all []attempt
	if err := json.Unmarshal([]byte(res.Stdout), &all); err != nil || res.Code != 0 {
		w.t.Fatalf("the intruder ended with %d: %v\n%s%s", res.Code, err, res.Stdout, res.Stderr)
	}
	if len(all) < 12 {
		w.t.Errorf("only %d attempts", len(all))
	}
	for _, a := range all {
		if !a.Refused {
			w.t.Errorf("%s was done for another user: %s", a.Method, a.Result)
		}
	}
}

// TestMain is the intruder where it is told to be.
func TestMain(m *testing.M) {
	if ui := os.Getenv("AVAL_INTRUDER"); ui != "" {
		if err := intruder(ui, os.Args[1], os.Args[2], os.Args[3], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// intruder knows the id of the question where its window's command line can be
// read, and the names of everything else; the nonce nobody can read.
func intruder(ui, socket, display, session string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	question := "01K00000000000000000000000"
	if cmdline, err := os.ReadFile("/proc/" + ui + "/cmdline"); err == nil {
		words := strings.Split(string(cmdline), "\x00")
		if i := slices.Index(words, "--question"); i > 0 && i+1 < len(words) {
			question = words[i+1]
		}
	}
	c, err := ipc.Dial(ctx, socket, ipc.Hello{Program: "aval-desktop"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, id, _ := strings.Cut(session, "/")
	all := []attempt{}
	for _, try := range []struct {
		m ipc.Method
		p any
	}{
		{ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: question}},
		{ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: question, Nonce: strings.Repeat("0", 64)}},
		{ipc.MethodQuestionShown, ipc.QuestionShown{Question: question}},
		{ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: question, Allow: true, Groups: event.Groups}},
		{ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: question}},
		{ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: display, Type: "x11", Offers: event.Groups}},
		{ipc.MethodDesktopPrompt, ipc.DesktopPrompt{Question: question, Rung: "window", Why: "exited"}},
		{ipc.MethodDesktopIndicator, ipc.DesktopIndicator{Revision: 1 << 40, Visible: true}},
		{ipc.MethodDesktopAlive, nil},
		{ipc.MethodRecordingControl, ipc.RecordingControl{Session: session, Action: "pause"}},
		{ipc.MethodRecordingControl, ipc.RecordingControl{Session: session, Action: "stop"}},
		{ipc.MethodRecordingControl, ipc.RecordingControl{Session: session, Action: "stop-and-delete"}},
		{ipc.MethodConsentWithdraw, ipc.Withdraw{ID: session, Delete: true}},
		{ipc.MethodSessionEnd, ipc.SessionEnd{ID: id}},
		{ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "x11vnc", ID: "intruder", Supporter: "Alex", Desktop: display}},
	} {
		var r json.RawMessage
		err := c.Call(ctx, try.m, try.p, &r)
		all = append(all, attempt{try.m, err != nil, r})
	}
	return json.NewEncoder(out).Encode(all)
}
