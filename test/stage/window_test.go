package stage_test

import (
	"context"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/test/rig"
	"aval/test/stage"
	"aval/ui/viewmodel"
)

// bin is the folder with the program under test, built once.
var bin string

func TestMain(m *testing.M) { os.Exit(main(m)) }

func main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "aval-ui-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-trimpath", "-tags", "x11,migrated_fynedo,no_emoji", "-o", filepath.Join(dir, "aval-ui"), "aval/cmd/aval-ui")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build aval-ui: %v\n%s", err, out)
		return 1
	}
	bin = dir
	return m.Run()
}

// world is a display with a window manager and a service with one question.
type world struct {
	*testing.T
	rig     *rig.Rig
	display *rig.Display
	stage   *stage.Stage
	socket  string
	ui      *rig.Proc
	started time.Time
}

// limit is generous: the machine may have other things to do.
const limit = 20 * time.Second

func open(t *testing.T, q ipc.Question) *world {
	t.Helper()
	if err := rig.Need("Xvfb", "openbox", "xdotool"); err != nil {
		t.Skip(err)
	}
	r, err := rig.New(context.Background(), bin, "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, rig: r, socket: r.Path("run", "agent.sock")}
	if w.stage, err = stage.Open(w.socket, q); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.stage.Close() })
	if w.display, err = r.StartXvfb("screen", 1280, 800); err != nil {
		t.Fatal(err)
	}
	if _, err := r.StartWM(w.display); err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts the question's window; env overrides.
func (w *world) start(nonce, question string, env ...string) {
	w.Helper()
	rd, wr, err := os.Pipe()
	if err != nil {
		w.Fatal(err)
	}
	defer rd.Close()
	fmt.Fprintln(wr, nonce)
	wr.Close()
	environment := []string{"LC_ALL=pt_BR.UTF-8", "FYNE_THEME=light"}
	if w.display != nil {
		environment = append(environment, "DISPLAY="+w.display.Name)
	}
	w.started = time.Now()
	w.ui, err = w.rig.Start(rig.Cmd{Name: "aval-ui", Path: w.rig.Program("aval-ui"),
		Args: []string{"consent", "--socket", w.socket, "--question", question},
		Env:  w.rig.Env(append(environment, env...)...), FDs: []*os.File{rd}})
	if err != nil {
		w.Fatal(err)
	}
}

// shown waits until the window has reported that it can be seen.
func (w *world) shown() ipc.QuestionShown {
	w.Helper()
	select {
	case s := <-w.stage.Shown:
		w.Logf("shown %v after the start", time.Since(w.started).Round(time.Millisecond))
		return s
	case <-w.ui.Done():
		w.Fatalf("the window ended with %d before it was shown\n%s", w.ui.ExitCode(), w.ui.Tail())
	case <-time.After(limit):
		w.Fatalf("the window was not shown\n%s", w.ui.Tail())
	}
	panic("not reached")
}

// ended waits for the end of the program and returns its exit status.
func (w *world) ended() int {
	w.Helper()
	select {
	case <-w.ui.Done():
	case <-time.After(limit):
		w.Fatalf("the program has not ended\n%s", w.ui.Tail())
	}
	return w.ui.ExitCode()
}

func (w *world) answered() ipc.QuestionAnswer {
	w.Helper()
	select {
	case a := <-w.stage.Answered:
		return a
	case <-time.After(limit):
		w.Fatalf("no answer came\n%s", w.ui.Tail())
	}
	panic("not reached")
}

// unanswered checks that no answer came, now that the window has ended.
func (w *world) unanswered() {
	w.Helper()
	select {
	case a := <-w.stage.Answered:
		w.Errorf("an answer came: %+v", a)
	default:
	}
}

func (w *world) keys(names ...string) {
	w.Helper()
	for _, name := range names {
		res, err := w.rig.Run(5*time.Second, rig.Cmd{Name: "xdotool", Path: "xdotool", Args: []string{"key", name}, Env: w.rig.Env("DISPLAY=" + w.display.Name)})
		if err != nil || res.Code != 0 {
			w.Fatalf("press %s: %v\n%s", name, err, res.Stderr)
		}
	}
}

func (w *world) question() *rig.Question {
	w.Helper()
	q, err := w.rig.WaitQuestion(w.display, limit)
	if err != nil {
		w.Fatalf("%v\n%s", err, w.ui.Tail())
	}
	return q
}

// armed waits until the buttons have the colour of buttons that count.
func (w *world) armed(q *rig.Question) {
	w.Helper()
	want := assets.Light.Control
	err := w.rig.Wait("buttons that count", limit, func() (bool, error) {
		img, err := w.display.Part(q.Rect)
		if err != nil {
			return false, err
		}
		c := img.RGBAAt(q.Rect.Min.X+q.Rect.Dx()/12, q.No.Y)
		near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= 3 }
		return near(c.R, want.R) && near(c.G, want.G) && near(c.B, want.B), nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

func TestAllowByClick(t *testing.T) {
	q := stage.Question(60)
	w := open(t, q)
	w.start(stage.Nonce, q.Question)
	shown := w.shown()
	win := w.question()
	w.armed(win)
	if err := w.display.Click(win.Yes, 1); err != nil {
		t.Fatal(err)
	}
	a := w.answered()
	if !a.Allow || !slices.Equal(a.Groups, q.Offered) {
		t.Errorf("the answer is %+v", a)
	}
	if shown.Locale != "pt-BR" || shown.TextSHA256 != a.TextSHA256 || a.Locale != shown.Locale {
		t.Errorf("shown %+v, answered %+v", shown, a)
	}
	// The text that was reported is the one that the view model gives for this question.
	found := false
	for at := -2; at <= 30; at++ {
		ask := viewmodel.New(q, assets.For("pt-BR"), q.ConnectedAt.Add(time.Duration(at)*time.Second))
		found = found || ask.WindowSHA256() == shown.TextSHA256
	}
	if !found {
		t.Error("the hash is not of the question's text")
	}
	if code := w.ended(); code != 0 {
		t.Errorf("exit status %d\n%s", code, w.ui.Tail())
	}
}

// TestDoesNotMove: the window is where it stays from the moment that it is on
// the screen: what moves under the hand makes it wait anew. To plant the bug,
// leave out the first call of place in consentview.Run.
func TestDoesNotMove(t *testing.T) {
	for _, scale := range []string{"1", "2"} {
		q := stage.Question(60)
		w := open(t, q)
		places, err := w.display.Places()
		if err != nil {
			t.Fatal(err)
		}
		w.start(stage.Nonce, q.Question, "FYNE_SCALE="+scale)
		w.shown()
		w.armed(w.question())
		got := places()
		if len(got) == 0 {
			t.Fatal("no window was seen on the screen")
		}
		for _, at := range got[1:] {
			if at != got[0] {
				t.Errorf("scale %s: the window was at %v, then at %v", scale, got[0], at)
			}
		}
		w.keys("Escape")
		w.ended()
	}
}

// TestEarlyInputDoesNotCount: clicks and keys of the first second are lost. To
// plant the bug, let Arming.Ready return a.inSight.
func TestEarlyInputDoesNotCount(t *testing.T) {
	q := stage.Question(60)
	w := open(t, q)
	w.start(stage.Nonce, q.Question)
	w.shown()
	at := time.Now()
	win := w.question()
	if err := w.display.Click(win.Yes, 1); err != nil {
		t.Fatal(err)
	}
	w.keys("Escape")
	if took := time.Since(at); took > viewmodel.ArmingDelay-50*time.Millisecond {
		t.Skipf("this machine is too busy to be early: the input took %v", took)
	}
	w.armed(win)
	w.unanswered()
	w.keys("Escape")
	if a := w.answered(); a.Allow || len(a.Groups) > 0 {
		t.Errorf("Esc answered %+v", a)
	}
	if code := w.ended(); code != 0 {
		t.Errorf("exit status %d\n%s", code, w.ui.Tail())
	}
}

func TestCloseRefuses(t *testing.T) {
	q := stage.Question(60)
	w := open(t, q)
	w.start(stage.Nonce, q.Question)
	w.shown()
	win := w.question()
	// The button at the right end of the title bar that openbox draws.
	if err := w.display.Click(image.Pt(win.Rect.Max.X-8, win.Rect.Min.Y-8), 1); err != nil {
		t.Fatal(err)
	}
	if a := w.answered(); a.Allow {
		t.Error("closing the window allowed")
	}
	if code := w.ended(); code != 0 {
		t.Errorf("exit status %d\n%s", code, w.ui.Tail())
	}
}

// TestKeyboard unticks the first group and allows the others, in English, with
// keys alone: language, five ticks, more, Don't allow, Allow.
func TestKeyboard(t *testing.T) {
	q := stage.Question(60)
	w := open(t, q)
	w.start(stage.Nonce, q.Question)
	shown := w.shown()
	win := w.question()
	w.armed(win)
	w.keys("Return", "space") // nothing has the focus: nothing happens
	// The menu of languages, and the second in it (Deutsch, English, …).
	w.keys("Tab", "space", "Down", "space")
	w.keys("Tab", "Tab", "space", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Return")
	a := w.answered()
	want := []event.Group{event.Commands, event.Files, event.System, event.Chat}
	if !a.Allow || !slices.Equal(a.Groups, want) {
		t.Errorf("the answer is %+v, want %v", a, want)
	}
	if a.Locale != "en" || a.TextSHA256 == shown.TextSHA256 {
		t.Errorf("answered in %s with the text that was shown first: %v", a.Locale, a.TextSHA256 == shown.TextSHA256)
	}
	if code := w.ended(); code != 0 {
		t.Errorf("exit status %d\n%s", code, w.ui.Tail())
	}
}

// TestCovered: while another window is in front, and for a second after, no
// click counts. To plant the bug, drop the VisibilityNotify case in take.
func TestCovered(t *testing.T) {
	q := stage.Question(60)
	w := open(t, q)
	w.start(stage.Nonce, q.Question)
	w.shown()
	win := w.question()
	w.armed(win)
	// A menu or a tool tip is such a window: it lies over a part of the question.
	cover, err := w.rig.Start(rig.Cmd{Name: "cover", Path: "xterm",
		Args: []string{"-xrm", "*overrideRedirect: true", "-geometry", fmt.Sprintf("20x4+%d+%d", win.Rect.Min.X+10, win.Rect.Min.Y+10), "-e", "sleep", "60"},
		Env:  w.rig.Env("DISPLAY=" + w.display.Name)})
	if err != nil {
		t.Skip(err)
	}
	idle := func() bool {
		img, err := w.display.Part(win.Rect)
		if err != nil {
			t.Fatal(err)
		}
		c, want := img.RGBAAt(win.Rect.Min.X+win.Rect.Dx()/12, win.No.Y), assets.Light.Control
		return max(c.R, want.R)-min(c.R, want.R) > 3
	}
	if err := w.rig.Wait("buttons that do not count", limit, func() (bool, error) { return idle(), nil }); err != nil {
		t.Fatalf("%v\n%s", err, cover.Tail())
	}
	for range 3 {
		if err := w.display.Click(win.Yes, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := cover.Stop(5 * time.Second); err != nil {
		t.Log(err)
	}
	if err := w.display.Click(win.Yes, 1); err != nil { // too early again
		t.Fatal(err)
	}
	w.armed(win)
	w.unanswered()
	if err := w.display.Click(win.No, 1); err != nil {
		t.Fatal(err)
	}
	if a := w.answered(); a.Allow {
		t.Error("Don't allow allowed")
	}
	w.ended()
}

// TestEndings: the window goes at once when its question is over, and says so
// in its exit status; it never answers by itself.
func TestEndings(t *testing.T) {
	for _, c := range []struct {
		name    string
		seconds int
		do      func(*world)
		want    int
	}{
		{"no answer in time", 2, func(*world) {}, 0},
		{"ended elsewhere", 60, func(w *world) { w.stage.EndElsewhere(consent.OutcomeNoAnswer) }, 0},
		{"the service is gone", 60, func(w *world) { _ = w.stage.Close() }, 1},
		{"the display is gone", 60, func(w *world) { w.display.Server.Kill() }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := stage.Question(c.seconds)
			w := open(t, q)
			w.start(stage.Nonce, q.Question)
			w.shown()
			at := time.Now()
			c.do(w)
			if code := w.ended(); code != c.want {
				t.Errorf("exit status %d, want %d\n%s", code, c.want, w.ui.Tail())
			}
			t.Logf("ended after %v", time.Since(at).Round(time.Millisecond))
			w.unanswered()
		})
	}
}

// TestCannotShow: where no window can be seen, the program says so with its
// exit status, soon, so that the native dialog can ask.
func TestCannotShow(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*world, *ipc.Question) []string // environment
		says string
	}{
		{"no display", func(w *world, _ *ipc.Question) []string { return []string{"DISPLAY="} }, "DISPLAY is not set"},
		{"no X server", func(w *world, _ *ipc.Question) []string { return []string{"DISPLAY=:4711"} }, "connect to the X server"},
		{"no GLX", func(w *world, _ *ipc.Question) []string {
			d, err := w.rig.StartXephyr("nogl", w.display, 800, 600, rig.WithoutGL)
			if err != nil {
				w.Skip(err)
			}
			return []string{"DISPLAY=" + d.Name}
		}, "no GLX"},
		{"GLX that gives no context", func(w *world, _ *ipc.Question) []string {
			return []string{"LIBGL_DRIVERS_PATH=/nonexistent", "GALLIUM_DRIVER=nonexistent", "__GLX_VENDOR_LIBRARY_NAME=nonexistent"}
		}, "cannot be shown: there is no OpenGL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := stage.Question(60)
			w := open(t, q)
			w.start(stage.Nonce, q.Question, c.do(w, &q)...)
			want := 75
			if strings.Contains(c.says, "no OpenGL") { // which its starter may know how to mend
				want = 69
			}
			if code := w.ended(); code != want {
				t.Errorf("exit status %d\n%s", code, w.ui.Tail())
			}
			if took := time.Since(w.started); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if !strings.Contains(w.ui.Tail(), c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, w.ui.Tail())
			}
			select {
			case s := <-w.stage.Shown:
				t.Errorf("it reported %+v", s)
			default:
			}
			w.unanswered()
		})
	}
}

// TestNameWithoutGlyphs: whoever connects cannot choose another way of asking by
// a name that no font here has. Planted bug: ErrCannotShow for it.
func TestNameWithoutGlyphs(t *testing.T) {
	q := stage.Question(60)
	q.Supporter = "Ana \U00013080\U00013081"
	w := open(t, q)
	w.start(stage.Nonce, q.Question)
	w.shown()
	w.armed(w.question())
	w.keys("Escape")
	if a := w.answered(); a.Allow {
		t.Errorf("%+v", a)
	}
}

// TestWithoutFonts: a window in Japanese where a font has its characters; where
// none has, the question comes in English instead of boxes. To plant the bug, let
// consentview's speak return cat whatever theme.Speak said.
func TestWithoutFonts(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		q := stage.Question(60)
		w := open(t, q)
		env, want := []string{"LC_ALL=ja_JP.UTF-8"}, "ja"
		if hidden {
			conf := filepath.Join(t.TempDir(), "fonts.conf")
			text := fmt.Sprintf("<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\"><fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>", t.TempDir(), t.TempDir())
			if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			env, want = append(env, "FONTCONFIG_FILE="+conf), "en"
		}
		w.start(stage.Nonce, q.Question, env...)
		if s := w.shown(); s.Locale != want {
			t.Errorf("fonts hidden %v: shown in %s, want %s", hidden, s.Locale, want)
		}
		w.armed(w.question())
		w.keys("Escape")
		w.ended()
	}
}

func TestRefusedClaim(t *testing.T) {
	q := stage.Question(60)
	w := open(t, q)
	w.start("another nonce", q.Question)
	if code := w.ended(); code != 1 {
		t.Errorf("exit status %d\n%s", code, w.ui.Tail())
	}
	w.start("", q.Question)
	if code := w.ended(); code != 1 || !strings.Contains(w.ui.Tail(), "nonce") {
		t.Errorf("without a nonce: exit status %d\n%s", code, w.ui.Tail())
	}
}
