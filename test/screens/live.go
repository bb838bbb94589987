package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aval/agent/ipc"
	"aval/assets"
	"aval/test/rig"
)

// live is one computer of a company, with everything running: what only shows
// while a session is recorded, or after one.
type live struct {
	locale, variant string
	scale           int
	bin, out, only  string

	r     *rig.Rig
	agent *rig.Agent
	d     *rig.Display
}

// scenes are the pictures of a live computer, in their order.
var scenes = []string{"main", "main-company", "bar", "bar-paused", "bar-ended", "activity", "activity-session", "receipt",
	"notice", "notice-enforced", "ask-native", "notice-native", "settings-native", "ask-refused", "bar-menu", "leave"}

func lives(bin, out, only string) []*live {
	var list []*live
	for _, locale := range []string{"pt_BR.UTF-8", "en_GB.UTF-8", "de_DE.UTF-8", "ja_JP.UTF-8"} {
		for _, variant := range []string{"light", "dark"} {
			for _, scale := range []int{1, 2} {
				list = append(list, &live{locale: locale, variant: variant, scale: scale, bin: bin, out: out, only: only})
			}
		}
	}
	return list
}

func (l *live) name(scene string) string {
	return fmt.Sprintf("%s-%s-%s-%d", scene, l.locale[:2], l.variant, 100*l.scale)
}

// wanted tells whether one of the scenes is to be taken.
func (l *live) wanted(scenes ...string) bool {
	return slices.ContainsFunc(scenes, func(s string) bool { return strings.Contains(l.name(s), l.only) })
}

// keep takes the picture of a scene, if it is wanted, once the display stands still.
func (l *live) keep(scene string, d *rig.Display) error {
	if !l.wanted(scene) {
		return nil
	}
	path := filepath.Join(l.out, l.name(scene)+".png")
	if err := settled(l.r, d, path); err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

// environment is that of a person's programs.
func (l *live) environment() []string {
	return []string{"LC_ALL=" + l.locale, "FYNE_THEME=" + l.variant, fmt.Sprintf("FYNE_SCALE=%d", l.scale)}
}

// darken makes dialogs dark, if the person wants that: the helper hands no
// variable of the toolkit on.
func (l *live) darken() error {
	if l.variant != "dark" {
		return nil
	}
	for _, version := range []string{"gtk-3.0", "gtk-4.0"} {
		dir := l.r.Path("home", ".config", version)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "settings.ini"), []byte("[Settings]\ngtk-application-prefer-dark-theme=1\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// screen opens a display for somebody with this scale.
func (l *live) screen(d *rig.Display) error {
	if _, err := l.r.StartWM(d); err != nil {
		return err
	}
	return errors.Join(d.Background(0x5B6B73), d.SetDPI(96*l.scale))
}

func (l *live) size() (width, height int) {
	if l.scale == 1 {
		return 1280, 800
	}
	return 2200, 1600
}

func (l *live) take() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if l.r, err = rig.New(ctx, l.bin, l.locale); err != nil {
		return err
	}
	defer func() {
		if cerr := l.r.Close(); err == nil {
			err = cerr
		}
	}()
	lang := assets.For(l.locale).Lang
	if !slices.Contains(assets.LangsOf(assets.Server[0]), lang) {
		lang = "en"
	}
	summarizer, err := l.r.StartSummarizer("summarizer", lang)
	if err != nil {
		return err
	}
	if l.agent, err = l.r.StartAgent("agent", "LC_ALL="+l.locale); err != nil {
		return err
	}
	width, height := l.size()
	if l.d, err = l.r.StartXvfb("screen", width, height); err != nil {
		return err
	}
	if err := l.screen(l.d); err != nil {
		return err
	}
	if err := errors.Join(l.ui("main"), l.agent.Enroll(summarizer)); err != nil { // no company knows it at first
		return err
	}
	for _, part := range []struct {
		scenes []string
		play   func() error
	}{
		{scenes[1:2], l.main},
		{scenes[2:8], l.recorded},
		{scenes[8:10], l.told},
		{scenes[10:13], l.native},
		{scenes[13:], l.asked},
	} {
		if !l.wanted(part.scenes...) {
			continue
		}
		if err := part.play(); err != nil {
			failed := filepath.Join(l.out, "failed-"+l.name(part.scenes[0])+".png")
			_ = l.d.SavePicture(failed)
			return fmt.Errorf("%s: %w (see %s)", l.name(part.scenes[0]), err, failed)
		}
	}
	return nil
}

// cli runs aval, which must succeed.
func (l *live) cli(args ...string) error {
	res, err := l.agent.CLI(args...)
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("aval %v: status %d: %s", args, res.Code, res.Stderr)
	}
	return err
}

// ui opens one of Aval's windows, takes its picture and closes it.
func (l *live) ui(scene string, args ...string) error {
	if !l.wanted(scene) {
		return nil
	}
	ui, err := l.r.Start(rig.Cmd{Name: "aval-ui", Path: l.r.Program("aval-ui"), Args: append(args, "--socket", l.agent.Socket),
		Env: l.r.Env(append(l.environment(), "DISPLAY="+l.d.Name)...)})
	if err != nil {
		return err
	}
	if err := painted(l.r, l.d, rig.OfUI); err != nil {
		return fmt.Errorf("%w\n%s", err, ui.Tail())
	}
	return errors.Join(l.keep(scene, l.d), ui.Stop(5*time.Second), l.d.WaitNoWindow(scene, 5*time.Second, rig.OfUI))
}

func (l *live) main() error { return l.ui("main-company") }

// desktop starts the helper on a display.
func (l *live) desktop(d *rig.Display) (*rig.Proc, error) {
	return l.agent.StartDesktop(d, append([]string{"/usr/bin/env"}, l.environment()...)...)
}

func (l *live) begin(id string, d *rig.Display) error {
	return l.cli("session", "begin", "--tool", "x11vnc", "--id", id, "--supporter", "Ana Souza", "--desktop", d.Name)
}

func (l *live) end(id string) error { return l.cli("session", "end", "--id", "x11vnc/"+id) }

// records waits until a session records, or does not.
func (l *live) records(id string, want bool) error {
	return l.r.Wait(fmt.Sprintf("recording=%v of %s", want, id), 20*time.Second, func() (bool, error) {
		all, err := l.agent.Sessions()
		for _, s := range all {
			if s.Session == "x11vnc/"+id {
				return s.Recording == want, err
			}
		}
		return false, err
	})
}

// control presses one of the bar's buttons in the person's place.
func (l *live) control(id, action string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := ipc.Dial(ctx, l.agent.Socket, ipc.Hello{Program: "screens"})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Call(ctx, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "x11vnc/" + id, Action: action}, nil)
}

// changed does something, and waits until the display looks otherwise.
func (l *live) changed(d *rig.Display, do func() error) error {
	return l.changedAt(d, image.Rect(0, 0, d.Width, d.Height*3/4), do)
}

func (l *live) changedAt(d *rig.Display, place image.Rectangle, do func() error) error {
	before, err := lookAt(d, place)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return l.r.Wait("another picture", 15*time.Second, func() (bool, error) {
		now, err := lookAt(d, place)
		return now != before, err
	})
}

// recorded is a session that the person has allowed for good: the bar in its
// states, and afterwards the history of it.
func (l *live) recorded() error {
	helper, err := l.desktop(l.d)
	if err != nil {
		return err
	}
	err = errors.Join(l.cli("settings", "set", "session-insights", "denied"), l.begin("8", l.d), l.end("8"),
		l.cli("settings", "set", "session-insights", "allowed"), l.begin("1", l.d), l.records("1", true), painted(l.r, l.d, rig.OfDesktop))
	if err != nil {
		return err
	}
	for _, text := range []string{"ana@example.com", "password=sup3r-s3cret-value", "https://support.example.com/ticket/4711"} {
		if err := l.cli("session", "event", "--id", "x11vnc/1", "--kind", "chat", "--from", "supporter", "--text", text); err != nil {
			return err
		}
	}
	if err := l.keep("bar", l.d); err != nil {
		return err
	}
	if err := errors.Join(l.changed(l.d, func() error { return l.control("1", "pause") }), l.records("1", false), l.keep("bar-paused", l.d)); err != nil {
		return err
	}
	if err := errors.Join(l.changed(l.d, func() error { return l.end("1") }), l.keep("bar-ended", l.d), helper.Stop(5*time.Second)); err != nil {
		return err
	}
	return errors.Join(l.ui("activity", "activity"), l.ui("activity-session", "activity", "--session", "x11vnc/1"), l.receipt())
}

// receipt is the page of a receipt in a browser, where there is one; the page is
// plain text, and has no dark side.
func (l *live) receipt() error {
	browser, err := exec.LookPath("chromium")
	if err != nil || !l.wanted("receipt") || l.variant == "dark" {
		return nil
	}
	page, path := l.r.Path("receipt.txt"), filepath.Join(l.out, l.name("receipt")+".png")
	if err := l.cli("consent", "receipt", "x11vnc/1", "--lang", assets.For(l.locale).Lang, "--out", page); err != nil {
		return err
	}
	raw, err := os.ReadFile(page)
	if err == nil { // the browser takes a file of the disk for UTF-8 by this mark
		err = os.WriteFile(page, append([]byte("\ufeff"), raw...), 0o600)
	}
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	args := []string{"--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage", "--user-data-dir=" + l.r.Path("browser"),
		"--window-size=900,1300", fmt.Sprintf("--force-device-scale-factor=%d", l.scale), "--screenshot=" + path}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // it refuses to start for root with its sandbox
	}
	res, err := l.r.Run(60*time.Second, rig.Cmd{Name: "chromium", Path: browser, Args: append(args, "file://"+page)})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("chromium: status %d: %s", res.Code, res.Stderr)
	}
	if err == nil {
		fmt.Println(path)
	}
	return err
}

// policy puts one in force in the place of the last one; without a text, none.
func (l *live) policy(folder, text string) error {
	for _, f := range []string{"managed", "recommended"} {
		if err := os.RemoveAll(filepath.Join(l.agent.Policy, f, "example.json")); err != nil {
			return err
		}
	}
	if text != "" {
		if err := l.agent.SetPolicy(folder, "example.json", text); err != nil {
			return err
		}
	}
	return l.r.Wait("the policy", 15*time.Second, func() (bool, error) {
		res, err := l.agent.CLI("policy", "show")
		return err == nil && strings.Contains(res.Stdout, folder+"/example.json") == (text != ""), err
	})
}

// told is the notice of a policy, which can be changed or not.
func (l *live) told() error {
	helper, err := l.desktop(l.d)
	if err != nil {
		return err
	}
	if err := l.cli("settings", "set", "session-insights", "default"); err != nil {
		return err
	}
	for id, p := range []struct{ scene, folder string }{{"notice", "recommended"}, {"notice-enforced", "managed"}} {
		session := fmt.Sprint(20 + id)
		err := errors.Join(l.policy(p.folder, `{"AccessControl": "allowed"}`), l.begin(session, l.d), painted(l.r, l.d, rig.OfUI))
		if err != nil {
			return err
		}
		// The helper's own window has the desktop's colours, not those of a variable.
		err = errors.Join(l.press(l.d, "Escape", rig.OfUI), l.ui(p.scene, "notice", "--session", "x11vnc/"+session), l.end(session))
		if err != nil {
			return err
		}
	}
	return errors.Join(l.policy("managed", ""), helper.Stop(5*time.Second))
}

// press presses a key until a window has gone.
func (l *live) press(d *rig.Display, key string, match func(rig.Window) bool) error {
	return l.r.Wait("the end of a window", 15*time.Second, func() (bool, error) {
		if len(d.Find(match)) == 0 {
			return true, nil
		}
		_, err := l.r.Run(5*time.Second, rig.Cmd{Name: "xdotool", Path: "xdotool", Args: []string{"key", key}, Env: l.r.Env("DISPLAY=" + d.Name)})
		return false, err
	})
}

// native is a display without OpenGL: the desktop's own dialogs.
func (l *live) native() error {
	if rig.Need("zenity", "Xephyr") != nil {
		return nil
	}
	width, height := l.size()
	d, err := l.r.StartXephyr("plain", l.d, width, height, rig.WithoutGL)
	if err != nil {
		return err
	}
	if err := errors.Join(l.screen(d), l.darken()); err != nil {
		return err
	}
	helper, err := l.desktop(d)
	if err != nil {
		return err
	}
	if l.wanted("ask-native") {
		if err := errors.Join(l.cli("settings", "set", "session-insights", "default"), l.begin("30", d), painted(l.r, d, rig.OfNative), l.keep("ask-native", d), l.end("30"), l.press(d, "Escape", rig.OfNative)); err != nil {
			return err
		}
	}
	if l.wanted("notice-native") {
		if err := errors.Join(l.policy("managed", `{"AccessControl": "allowed"}`), l.begin("31", d), painted(l.r, d, rig.OfNative), l.keep("notice-native", d), l.end("31"),
			l.press(d, "Escape", rig.OfNative), l.policy("managed", "")); err != nil {
			return err
		}
	}
	if l.wanted("settings-native") {
		_, err := l.r.Start(rig.Cmd{Name: "aval-ui", Path: l.r.Program("aval-ui"), Args: []string{"settings", "--socket", l.agent.Socket}, Env: l.r.Env(append(l.environment(), "DISPLAY="+d.Name)...)})
		if err := errors.Join(err, painted(l.r, d, rig.OfNative), l.keep("settings-native", d), l.press(d, "Escape", rig.OfNative)); err != nil {
			return err
		}
	}
	return helper.Stop(5 * time.Second)
}

// asked is a display whose devices nobody has named for tests: a program's click
// does not count, a hand's does until the supporter has left.
func (l *live) asked() error {
	if err := os.Remove(filepath.Join(l.agent.Policy, "managed", "hands.json")); err != nil {
		return err
	}
	width, height := l.size()
	d, err := l.r.StartXephyr("asked", l.d, width, height, rig.WithGL)
	if err != nil {
		return err
	}
	if err := l.screen(d); err != nil {
		return err
	}
	helper, err := l.desktop(d)
	if err != nil {
		return err
	}
	if err := errors.Join(l.cli("settings", "set", "session-insights", "default"), l.begin("40", d)); err != nil {
		return err
	}
	q, err := l.r.WaitQuestion(d, 20*time.Second)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, helper.Tail())
	}
	if err := q.WaitReady(); err != nil {
		return err
	}
	sentence := image.Rect(q.Rect.Min.X, q.Yes.Y-60*l.scale, q.Rect.Max.X, q.Yes.Y-20*l.scale) // above the buttons
	if err := errors.Join(l.changedAt(d, sentence, func() error { return d.Click(q.Yes, 1) }), l.keep("ask-refused", d)); err != nil {
		return err
	}
	if err := errors.Join(q.WaitReady(), q.Answer(true), l.records("40", true), painted(l.r, d, rig.OfDesktop)); err != nil {
		return err
	}
	if err := l.cli("session", "event", "--id", "x11vnc/40", "--kind", "note", "--text", "nota"); err != nil {
		return err
	}
	bar, err := d.WaitWindow("the bar", 10*time.Second, rig.OfDesktop)
	if err != nil {
		return err
	}
	more := image.Pt(bar.Rect.Max.X-28*l.scale, (bar.Rect.Min.Y+bar.Rect.Max.Y)/2)
	// It unfolds beneath. The time that runs changes the picture too, so only its
	// height tells; and a click right after the bar has changed does not count.
	unfolded := func() (bool, error) {
		return slices.ContainsFunc(d.Find(rig.OfDesktop), func(w rig.Window) bool { return w.Rect.Dy() > bar.Rect.Dy()*5/4 }), nil
	}
	err = l.r.Wait("the bar's menu", 20*time.Second, func() (bool, error) {
		if err := d.Click(more, 1); err != nil {
			return false, err
		}
		return l.r.Wait("what it opens", time.Second, unfolded) == nil, nil
	})
	if err := errors.Join(err, l.keep("bar-menu", d), l.end("40")); err != nil {
		return err
	}
	if q, err = l.r.WaitQuestion(d, 20*time.Second); err != nil {
		return fmt.Errorf("%w\n%s", err, helper.Tail())
	}
	return errors.Join(q.WaitReady(), l.keep("leave", d), q.Answer(false), helper.Stop(5*time.Second))
}

// painted waits until a window is there and something is drawn in it: a window
// that has only just been mapped is one plain surface.
func painted(r *rig.Rig, d *rig.Display, match func(rig.Window) bool) error {
	_, err := d.WaitWindow("a window", 20*time.Second, match)
	if err != nil {
		return err
	}
	return r.Wait("a painted window", 20*time.Second, func() (bool, error) {
		for _, w := range d.Find(match) {
			img, err := d.Part(w.Rect.Intersect(image.Rect(0, 0, d.Width, d.Height)))
			if err == nil && rig.Colours(img, 12) == 12 {
				return true, nil
			}
		}
		return false, nil
	})
}
