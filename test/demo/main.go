// Command demo plays one whole remote-support session on this machine, with
// real programs: somebody connects through VNC, the person is asked, the session
// is recorded, and its summary appears.
//
// The one rule that must not be broken: it ends with status 0 only if the
// summary exists and names what was really done, and nothing of it is left
// behind but the pictures.
//
// With a display, the computer of the demo is a window on it and you answer
// yourself; AUTO=1, or no display: it answers with clicks of its own, made on
// the display around that computer. AVAL_DEMO_LANG chooses the language.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"aval/test/rig"
)

type options struct {
	bin      string
	out      string
	pictures string
	auto     bool
	lang     string
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder with the four programs")
	flag.StringVar(&o.out, "out", "out/demo", "folder for the pictures")
	flag.StringVar(&o.pictures, "pictures", "", "also put the pictures for the README here")
	flag.Parse()
	o.auto = os.Getenv("AUTO") != "" || os.Getenv("DISPLAY") == ""
	o.lang = language()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		stop()
		os.Exit(1)
	}
}

// language is pt-BR or en: AVAL_DEMO_LANG, or the caller's locale (locale(7)).
func language() string {
	for _, name := range []string{"AVAL_DEMO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		v := strings.ToLower(os.Getenv(name))
		if v == "" {
			continue
		}
		if strings.HasPrefix(v, "pt") {
			return "pt-BR"
		}
		return "en"
	}
	return "en"
}

// demo is one run.
type demo struct {
	options
	*rig.Rig
	say   narrator
	start time.Time

	outer, computer *rig.Display
	summarizer      *rig.Summarizer
	agent           *rig.Agent
	vnc             *rig.VNC
	supporter       *rig.Supporter
	session         string // TOOL/ID
}

func run(ctx context.Context, o options) (err error) {
	if err := rig.Need("Xvfb", "Xephyr", "openbox", "x11vnc", "xtigervncviewer", "xterm", "xclock", "xedit"); err != nil {
		return err
	}
	if err := os.RemoveAll(o.out); err != nil {
		return err
	}
	// Before anything is started: the caller's own display, for the window.
	display := os.Getenv("DISPLAY")
	r, err := rig.New(ctx, o.bin, map[string]string{"pt-BR": "pt_BR.UTF-8", "en": "en_US.UTF-8"}[o.lang])
	if err != nil {
		return err
	}
	d := &demo{options: o, Rig: r, say: narrator{lang: o.lang}, start: time.Now()}
	defer func() {
		if err != nil {
			d.keepLogs()
		}
		err = errors.Join(err, r.Close())
	}()
	if err := r.CheckBin(); err != nil {
		return err
	}
	for _, step := range []func() error{
		d.startSummarizer,
		func() error { return d.startComputer(display) },
		d.startAgent,
		d.connect,
		d.answer,
		d.work,
		d.leave,
		d.showSummary,
		d.showConsole,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	d.say.line("done", time.Since(d.start).Round(time.Second), d.out)
	return d.linger(ctx)
}

// keepLogs copies what the programs wrote beside the pictures: after a failure
// it is what one wants to read.
func (d *demo) keepLogs() {
	logs, err := filepath.Glob(d.Path("log", "*"))
	if err != nil {
		return
	}
	dir := filepath.Join(d.out, "log")
	if os.MkdirAll(dir, 0o755) != nil {
		return
	}
	for _, l := range logs {
		if raw, err := os.ReadFile(l); err == nil {
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(l)), raw, 0o644)
		}
	}
	fmt.Fprintf(os.Stderr, "\nWhat the programs wrote is in %s\n", dir)
}

// shoot takes a picture of one of the demo's own displays, never of the caller's.
func (d *demo) shoot(x *rig.Display, name string) error {
	path := filepath.Join(d.out, name+".png")
	if err := x.SavePicture(path); err != nil {
		return err
	}
	d.say.picture(path)
	readme := map[string]string{"2-question": "question", "5-work": "recording"}[name]
	if d.pictures == "" || readme == "" {
		return nil
	}
	return x.SavePicture(filepath.Join(d.pictures, readme+"-"+d.lang+".png"))
}
