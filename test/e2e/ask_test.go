//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/test/rig"
)

const before = "CANARY-BEFORE-4711"

// ask is where every session of this file starts: a window with a canary in its
// title is open, a supporter knocks, and the question is on the screen.
func ask(t *testing.T, policy string) (*world, *desk, *rig.Supporter, *rig.Question) {
	w := newWorld(t, policy)
	d := w.desktop("desk", rig.WithGL)
	w.open(d, before)
	s := w.connect(d)
	return w, d, s, w.question(d)
}

func TestAllow(t *testing.T) {
	w, d, s, q := ask(t, "")
	win := d.Find(rig.Titled(before))[0]
	w.must(d.SetTitle(win.ID, before+"-DURING")) // while the question is open
	w.picture(d.Display, "question")
	w.must(q.Answer(true))
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(15 * time.Second)
	if row.Outcome != "allowed" || row.Basis != "consent" || row.Provenance != "P2" || row.Tool != "x11vnc" {
		t.Fatalf("the decision is %+v", row)
	}
	w.recording(row.Session, true, 15*time.Second)
	if _, err := d.WaitWindow("the indicator", 10*time.Second, rig.OfDesktop); err != nil {
		t.Error(err)
	}
	w.picture(d.Display, "recording")

	const after = "CANARY-AFTER-4712"
	w.must(s.OpenTerminal())
	w.must(s.Type("xmessage -title " + after + " -geometry +500+200 hello &\n"))
	if _, err := d.WaitWindow(after, 15*time.Second, rig.Titled(after)); err != nil {
		t.Fatal(err)
	}
	// The window from before the answer comes to the front again, unchanged.
	w.must(s.Click(centre(win), 1))
	note(w, row.Session, "the note of the supporter")
	w.must(s.Leave())
	w.recording(row.Session, false, 15*time.Second)

	got := w.arrived(row.Session)
	kinds := map[string]int{}
	text := ""
	for i, e := range got.Events {
		kinds[e.Kind]++
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has the number %d", i+1, e.Seq)
		}
		for _, v := range e.Fields {
			text += v + "\n"
		}
	}
	for _, k := range []string{"session-started", "window-focused", "program-started", "note", "session-ended"} {
		if kinds[k] == 0 {
			t.Errorf("no event of kind %s: %v", k, kinds)
		}
	}
	for _, want := range []string{after, "xmessage", "xterm", "the note of the supporter"} {
		if !strings.Contains(text, want) {
			t.Errorf("no event names %q", want)
		}
	}
	// The search finds what is there, and so its silence about the rest counts.
	if where := w.search(after); !slices.ContainsFunc(where, func(p string) bool { return strings.HasPrefix(p, "summarizer/") }) {
		t.Errorf("the search does not find the title of after the answer in the summarizer's data: %v", where)
	}
	w.nowhere(before)
	sent, err := w.agent.Sent(row.Session)
	w.must(err)
	if len(sent) != len(got.Events) {
		t.Errorf("aval sent lists %d events, the summarizer has %d", len(sent), len(got.Events))
	}
}

func TestDontAllow(t *testing.T) {
	w, d, s, q := ask(t, "")
	w.must(q.Answer(false))
	w.goesOn(d, s)
	w.denied(w.decided(10*time.Second), "refused", "answered-no")
}

// Closing the window says no; it is not an error and not silence.
func TestCloseSaysNo(t *testing.T) {
	w, d, s, q := ask(t, "")
	w.must(d.CloseByHand(q.Window))
	w.goesOn(d, s)
	w.denied(w.decided(10*time.Second), "refused", "answered-no")
}

// The whole 30 seconds that nobody answers, as they are without a policy.
func TestNoAnswer(t *testing.T) {
	w, d, s, _ := ask(t, "")
	start := time.Now()
	row := w.decided(45 * time.Second)
	if took := time.Since(start); took < 25*time.Second {
		t.Errorf("it gave up after %s", took)
	}
	w.goesOn(d, s)
	w.denied(row, "no-answer", "timed-out")
}

func TestUIKilled(t *testing.T) {
	w, d, s, q := ask(t, "")
	w.must(q.WaitReady()) // before it has said that it is shown, the next way of asking follows
	w.must(syscall.Kill(q.PID, syscall.SIGKILL))
	row := w.decided(10 * time.Second)
	w.goesOn(d, s)
	w.denied(row, "could-not-ask", "ui-lost")
}

// The helper dies while the question is on the screen.
func TestHelperKilled(t *testing.T) {
	w, d, s, _ := ask(t, "")
	d.helper.Kill()
	row := w.decided(40 * time.Second)
	w.goesOn(d, s)
	if row.Outcome == "allowed" {
		t.Fatalf("allowed without an answer: %+v", row)
	}
	w.denied(row, row.Outcome, row.Ending)
}

// The service dies while the question is on the screen: its question ends with
// it, and the supporter gets in.
func TestServiceKilled(t *testing.T) {
	w, d, s, q := ask(t, "")
	w.agent.Kill()
	w.must(d.WaitNoWindow("the question", 10*time.Second, func(x rig.Window) bool { return x.ID == q.ID }))
	w.goesOn(d, s)
	w.must(w.agent.Restart())
	w.nothingRecorded(before)
}

// No OpenGL and no native dialog: nobody can be asked.
func TestCouldNotAsk(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithoutGL, hideDialogs(t, w)...)
	w.open(d, before)
	s := w.connect(d)
	row := w.decided(30 * time.Second)
	w.goesOn(d, s)
	w.denied(row, "could-not-ask", "not-shown")
}

// No OpenGL: the native dialog asks, and its No and its Yes count.
func TestNativeDialog(t *testing.T) {
	if rig.Need("zenity") != nil {
		t.Skip("zenity is not installed")
	}
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithoutGL)
	w.open(d, before)
	s := w.connect(d)
	painted := func(x rig.Window) bool {
		img, err := d.Part(x.Rect)
		return rig.OfNative(x) && err == nil && rig.Colours(img, 30) == 30
	}
	_, err := d.WaitWindow("the native dialog", 20*time.Second, painted)
	w.must(err)
	w.picture(d.Display, "native")
	// An answer of the first moment is not believed, and asked for once more.
	w.must(w.Wait("the end of the question", 20*time.Second, func() (bool, error) {
		for _, x := range d.Find(painted) {
			w.must(d.CloseByHand(x))
		}
		return w.state() != "asking", nil
	}))
	w.goesOn(d, s)
	w.denied(w.decided(10*time.Second), "refused", "answered-no")
}

// state is the outcome of the newest decision.
func (w *world) state() string {
	rows, err := w.agent.Consents()
	w.must(err)
	if len(rows) == 0 {
		return ""
	}
	return rows[0].Outcome
}

// denied checks a decision that must not record, and that it did not.
func (w *world) denied(row rig.Consent, outcome, ending string) {
	w.t.Helper()
	if row.Outcome != outcome || row.Ending != ending || row.Reason == "" || row.Basis != "" {
		w.t.Errorf("the decision is %+v, want outcome %s, ending %s, a reason and no basis", row, outcome, ending)
	}
	w.nothingRecorded(before)
}

// arrived waits until the summarizer has the whole session and its summary.
func (w *world) arrived(session string) rig.ExportSession {
	w.t.Helper()
	var got rig.ExportSession
	w.must(w.Wait("the summary of "+session, 60*time.Second, func() (bool, error) {
		e, err := w.summarizer.Export()
		if err != nil {
			return false, err
		}
		for _, s := range e.Sessions {
			if s.ID == session {
				got = s
				return s.HasSummary(), nil
			}
		}
		return false, nil
	}))
	return got
}

// note reports a note and requires that it was recorded.
func note(w *world, session, text string) {
	w.t.Helper()
	var r struct {
		Recorded bool   `json:"recorded"`
		Reason   string `json:"reason"`
	}
	_, id, _ := strings.Cut(session, "/")
	w.must(w.agent.JSON(&r, "session", "event", "--id", id, "--kind", "note", "--text", text))
	if !r.Recorded {
		w.t.Fatalf("the note was not recorded: %s", r.Reason)
	}
}

// hideDialogs gives a command prefix that runs a program where zenity and
// kdialog do not exist: a mount namespace of its own (unshare(1)).
func hideDialogs(t *testing.T, w *world) []string {
	t.Helper()
	var script strings.Builder
	for _, p := range []string{"/usr/bin/zenity", "/usr/bin/kdialog"} {
		if _, err := os.Stat(p); err == nil {
			script.WriteString("mount --bind /dev/null " + p + " && ")
		}
	}
	if script.Len() == 0 {
		return nil // they do not exist here anyway
	}
	args := []string{"/usr/bin/unshare", "--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	args = append(args, "/bin/sh", "-c", script.String()+`exec "$@"`, "sh")
	probe := append(slices.Clone(args[1:]), "/bin/sh", "-c", "! test -x /usr/bin/zenity && ! test -x /usr/bin/kdialog")
	res, err := w.Run(10*time.Second, rig.Cmd{Name: "unshare", Path: args[0], Args: probe})
	if err != nil || res.Code != 0 {
		t.Skipf("zenity cannot be hidden here: %v %s", err, res.Stderr)
	}
	return args
}
