//go:build e2e

package e2e

import (
	"errors"
	"image"
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

// TestLooserByHand: while a supporter is connected, a setting becomes looser only
// by the person's own hand in the settings window: a click that a program makes, one
// through x11vnc and the command line are refused and say why. It becomes stricter
// by any of them, and Denied ends what is being recorded. Planted: let changeSettings pass true for mine, and the first of
// the forged clicks counts.
func TestLooserByHand(t *testing.T) {
	w := newWorld(t, "")
	d := w.desktop("desk", rig.WithGL)
	vnc, err := w.StartVNC(d.Display, rig.Hooks{})
	w.must(err)
	s, err := w.StartSupporter(vnc, d.Display)
	w.must(err)
	w.must(s.WaitConnected(20 * time.Second))
	id, q := w.begin(d, "settings")
	w.must(q.Answer(true))
	w.must(w.Wait("the answer", 10*time.Second, func() (bool, error) { return w.stateOf(id) == "allowed", nil }))
	row := w.row(id)
	w.recording(row.Session, true, 15*time.Second)
	_, err = w.Start(rig.Cmd{Name: "aval-ui", Path: w.Program("aval-ui"), Args: []string{"settings", "--socket", w.agent.Socket},
		Env: w.Env("DISPLAY="+d.Name, "XDG_SESSION_TYPE=x11", "LC_MESSAGES="+w.Locale)})
	w.must(err)
	win, err := d.WaitWindow("the settings", 15*time.Second, rig.OfUI)
	w.must(err)
	w.settle(d.Display, "settings")
	// The choices Permitido and Negado, from the window's corner.
	allowed, denied := win.Rect.Min.Add(image.Pt(150, 225)), win.Rect.Min.Add(image.Pt(150, 300))
	stored := func() string {
		var s struct {
			Value string `json:"session_insights"`
		}
		w.must(w.agent.JSON(&s, "settings", "get"))
		return s.Value
	}
	becomes := func(want string) error {
		return w.Wait("the setting "+want, 5*time.Second, func() (bool, error) { return stored() == want, errors.New(stored()) })
	}
	forged := []struct {
		name  string
		click func(image.Point) error
	}{
		{"x11vnc", func(p image.Point) error { return s.Click(p, 1) }},
		{"xtest", func(p image.Point) error { return d.Click(p, 1) }},
	}
	for _, by := range forged {
		before := stored()
		for n := range attempts {
			refused := w.logged("a looser setting that does not count")
			w.must(by.click(allowed))
			w.must(w.Wait("the refusal", 10*time.Second, func() (bool, error) { return w.logged("a looser setting that does not count") > refused, nil }))
			if now := stored(); now != before {
				t.Fatalf("%s: attempt %d: the setting is %q", by.name, n+1, now)
			}
		}
		w.picture(d.Display, by.name+"-refused")
		res, err := w.agent.CLI("settings", "set", "session-insights", "allowed")
		w.must(err)
		if res.Code == 0 || !strings.Contains(res.Stderr, "a supporter is connected to this desktop") {
			t.Errorf("the command line: status %d, %s%s", res.Code, res.Stdout, res.Stderr)
		}
		// The person's own hand at the very same place.
		for range 5 {
			w.must(d.HandClick(allowed))
			if err = becomes("allowed"); err == nil {
				break
			}
		}
		if err != nil {
			w.picture(d.Display, by.name+"-hand")
			t.Fatal(err)
		}
		w.picture(d.Display, by.name+"-hand")
		w.must(by.click(denied))
		if err := becomes("denied"); err != nil {
			w.picture(d.Display, by.name+"-stricter")
			t.Fatalf("%s: stricter: %v", by.name, err)
		}
	}
	w.must(w.Wait("the end of the recording, which Denied is from any hand", 10*time.Second, func() (bool, error) { return !w.records(row.Session), nil }))
	w.must(s.Leave())
}
