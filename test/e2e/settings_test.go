//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// Keys by their numbers in the X11 protocol (keysymdef.h).
const (
	keyTab  = 0xFF09
	keyUp   = 0xFF52
	keyDown = 0xFF54
)

// TestSettingsWindow changes the setting in the real window by the keyboard
// alone: the service has it, and Undo takes it back. With a supporter on the
// desktop the window says no, and the service keeps what it had.
func TestSettingsWindow(t *testing.T) {
	if err := rig.Need("Xvfb", "openbox"); err != nil {
		t.Fatal(err)
	}
	r, err := rig.New(t.Context(), bin, "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Rig: r, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			w.keepLogs()
		}
		if err := r.Close(); err != nil {
			t.Error("end what was started:", err)
		}
	})
	w.must(r.CheckBin())
	w.agent, err = r.StartAgent("agent")
	w.must(err)
	d, err := r.StartXvfb("screen", 1024, 600)
	w.must(err)
	_, err = r.StartWM(d)
	w.must(err)
	_, err = w.agent.StartDesktop(d)
	w.must(err)
	_, err = r.Start(rig.Cmd{Name: "aval-ui", Path: r.Program("aval-ui"), Args: []string{"settings", "--socket", w.agent.Socket}, Env: r.Env("DISPLAY=" + d.Name)})
	w.must(err)
	_, err = d.WaitWindow("the settings", 15*time.Second, rig.OfUI)
	w.must(err)

	stored := func() string {
		var s struct {
			Value string `json:"session_insights"`
		}
		w.must(w.agent.JSON(&s, "settings", "get"))
		return s.Value
	}
	press := func(keys ...rune) {
		for _, k := range keys {
			w.must(d.Press(k))
		}
	}
	becomes := func(want string, limit time.Duration) bool {
		return w.Wait("the setting", limit, func() (bool, error) { return stored() == want, nil }) == nil
	}
	w.settle(d, "settings")                              // it has nothing to choose before the service has answered
	press(keyTab, keyTab, keyTab, keyTab, rig.KeyReturn) // Voltar, Por quê?, Permitido, Negado
	if !becomes("denied", 10*time.Second) {
		w.picture(d, "settings")
		t.Fatalf("the setting is %q after Negado was chosen", stored())
	}
	press(keyTab, keyTab, keyTab, rig.KeyReturn) // Após confirmação, Padrão, Desfazer
	if !becomes("unset", 5*time.Second) {
		w.picture(d, "undo")
		t.Fatalf("the setting is %q after Undo", stored())
	}
	// Undo is gone; the focus is on what is chosen: Padrão. Upwards to Permitido.
	res, err := w.agent.CLI("session", "begin", "--tool", "x11vnc", "--id", "1", "--supporter", "Example", "--desktop", d.Name)
	w.must(err)
	if res.Code != 0 {
		t.Fatalf("session begin: %s", strings.TrimSpace(res.Stderr))
	}
	press(keyUp, keyUp, keyUp, rig.KeyReturn)
	if becomes("allowed", 3*time.Second) {
		w.picture(d, "supporter")
		t.Fatal("recording without a question was allowed with a supporter on the desktop")
	}
	press(keyDown, rig.KeyReturn) // the same way, one further: Negado may always be chosen
	if !becomes("denied", 5*time.Second) {
		w.picture(d, "denied")
		t.Fatalf("the setting is %q after Negado was chosen", stored())
	}
}

// TestWelcome: on a computer that no company knows the main window opens by
// itself.
func TestWelcome(t *testing.T) {
	if err := rig.Need("Xvfb", "openbox"); err != nil {
		t.Fatal(err)
	}
	r, err := rig.New(t.Context(), bin, "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Rig: r, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			w.keepLogs()
		}
		if err := r.Close(); err != nil {
			t.Error("end what was started:", err)
		}
	})
	w.must(r.CheckBin())
	w.agent, err = r.StartAgent("agent")
	w.must(err)
	w.agent.Welcome = true
	d, err := r.StartXvfb("screen", 1024, 600)
	w.must(err)
	_, err = r.StartWM(d)
	w.must(err)
	_, err = w.agent.StartDesktop(d)
	w.must(err)
	_, err = d.WaitWindow("the main window", 30*time.Second, rig.OfUI)
	w.must(err)
}
