//go:build e2e

package e2e

import (
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aval/test/rig"
)

// TestActivityWindow: the history of a real service in a real window, whose
// buttons are pressed by the keyboard alone: stop, then delete everything. To
// plant the bug, let withdraw in ui/activityview pass false for del.
func TestActivityWindow(t *testing.T) {
	w := newWorld(t, "")
	screen, err := w.StartXvfb("viewer", 1024, 600)
	w.must(err)
	_, err = w.StartWM(screen)
	w.must(err)

	window := func(args ...string) *rig.Proc {
		t.Helper()
		ui, err := w.Start(rig.Cmd{Name: "aval-ui", Path: w.Program("aval-ui"),
			Args: append([]string{"activity", "--socket", w.agent.Socket}, args...),
			Env:  w.Env("DISPLAY="+screen.Name, "LC_ALL=pt_BR.UTF-8", "FYNE_THEME=light")})
		w.must(err)
		_, err = screen.WaitWindow("the activity window", 20*time.Second, rig.OfUI)
		w.must(err)
		return ui
	}
	close := func(ui *rig.Proc) {
		t.Helper()
		w.must(ui.Stop(5 * time.Second))
		w.must(screen.WaitNoWindow("the activity window", 5*time.Second, rig.OfUI))
	}
	outcome := func(session, want string) {
		t.Helper()
		w.must(w.Wait(session+" is "+want, 10*time.Second, func() (bool, error) {
			rows, err := w.agent.Consents()
			for _, r := range rows {
				if r.Session == session {
					return r.Outcome == want, err
				}
			}
			return false, err
		}))
	}
	begin := func(id, supporter string, more ...string) {
		t.Helper()
		res, err := w.agent.CLI(append([]string{"session", "begin", "--tool", "example", "--id", id, "--supporter", supporter}, more...)...)
		w.must(err)
		if res.Code != 0 {
			t.Fatal(res.Stderr)
		}
	}
	setting := func(value string) {
		t.Helper()
		res, err := w.agent.CLI("settings", "set", "session-insights", value)
		w.must(err)
		if res.Code != 0 {
			t.Fatal(res.Stderr)
		}
	}

	ui := window()
	w.settle(screen, "empty")
	close(ui)

	setting("denied")
	begin("1", "Ana Souza")
	setting("after-confirmation")
	begin("2", "Bruno Lima")
	setting("allowed")
	d := w.desktop("desk", rig.WithGL)
	begin("3", "Carla Dias", "--desktop", d.Name)
	w.recording("example/3", true, 15*time.Second)
	for _, text := range []string{"Escreva para ana@example.com quando a impressora voltar, por favor.",
		"password=sup3r-s3cret-value", "Reiniciei o serviço de impressão. Pode tentar imprimir de novo?"} {
		res, err := w.agent.CLI("session", "event", "--id", "example/3", "--kind", "chat", "--from", "supporter", "--text", text)
		w.must(err)
		if res.Code != 0 {
			t.Fatal(res.Stderr)
		}
	}

	for name, args := range map[string][]string{"pt-light": nil, "en-light": {"--locale", "en"}} {
		ui := window(append(args, "--session", "example/3")...)
		w.settle(screen, name)
		close(ui)
	}
	if dir := os.Getenv("AVAL_PICTURES"); dir != "" {
		for name, c := range map[string][3]string{
			"pt-dark": {"dark", "pt_BR.UTF-8", "1"}, "en-dark": {"dark", "en", "1"}, "pt-200": {"light", "pt_BR.UTF-8", "2"}, "en-200-dark": {"dark", "en", "2"},
		} {
			ui, err := w.Start(rig.Cmd{Name: "aval-ui", Path: w.Program("aval-ui"),
				Args: []string{"activity", "--socket", w.agent.Socket, "--session", "example/3", "--locale", c[1]},
				Env:  w.Env("DISPLAY="+screen.Name, "FYNE_THEME="+c[0], "FYNE_SCALE="+c[2])})
			w.must(err)
			_, err = screen.WaitWindow("the activity window", 20*time.Second, rig.OfUI)
			w.must(err)
			w.settle(screen, name)
			close(ui)
		}
	}

	// From the list over the details to the buttons, by the person's own keyboard:
	// Stop, then Delete. By a program's it would only be asked for (held_test.go).
	screen = d.Display
	keys := func(names ...string) {
		t.Helper()
		for _, k := range names {
			res, err := w.Run(5*time.Second, rig.Cmd{Name: "xdotool", Path: "xdotool", Args: []string{"key", k}, Env: w.Env("DISPLAY=" + screen.Hand().Name)})
			if err != nil || res.Code != 0 {
				t.Fatalf("press %s: %v\n%s", k, err, res.Stderr)
			}
		}
	}
	ui = window("--session", "example/3")
	w.settle(screen, "before")
	keys("Tab", "Tab", "End")
	w.settle(screen, "end")
	keys("Tab", "Return")
	outcome("example/3", "withdrawn")
	w.settle(screen, "stopped")
	// The bar may lie over the window, so its presses prove nothing; the supporters go.
	for _, id := range []string{"1", "2", "3"} {
		res, err := w.agent.CLI("session", "end", "--id", "example/"+id)
		w.must(err)
		if res.Code != 0 {
			t.Fatal(res.Stderr)
		}
	}
	w.settle(screen, "ended")
	keys("Tab", "Tab", "Return") // the details, then Delete, now the only button
	w.settle(screen, "confirm")
	outcome("example/3", "withdrawn") // nothing yet
	keys("Tab", "Return")
	outcome("example/3", "erased")
	w.settle(screen, "erased")
	sent, err := w.agent.Sent("example/3")
	w.must(err)
	if len(sent) != 0 {
		t.Errorf("after deletion there is still %v", sent)
	}
	close(ui)
}

// settle waits until the display stands still, and keeps a picture of it in
// the folder AVAL_PICTURES, if that is given.
func (w *world) settle(d *rig.Display, name string) {
	w.t.Helper()
	last, same := "", 0
	w.must(w.Wait("a picture that stands still", 15*time.Second, func() (bool, error) {
		// Beneath the bar: its time runs, and a busy computer takes few pictures a second.
		img, err := d.Part(image.Rect(0, 110, d.Width, d.Height))
		if err != nil {
			return false, err
		}
		if now := string(img.Pix); now == last {
			same++
		} else {
			last, same = now, 0
		}
		return same >= 8, nil
	}))
	if dir := os.Getenv("AVAL_PICTURES"); dir != "" {
		w.must(os.MkdirAll(dir, 0o755))
		w.must(d.SavePicture(filepath.Join(dir, name+".png")))
	}
}
