package main

import (
	"context"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"time"

	"aval/test/rig"
)

// stage is one computer with two displays: one with OpenGL, where Aval's own
// window asks, and one without, where the native dialog does.
type stage struct {
	*rig.Rig
	agent   *rig.Agent
	gl, raw *rig.Display
	next    int // the number of the next session
	// windowMB is what the process of the question takes while it is shown.
	windowMB float64
}

// width and height are those of a small notebook.
const width, height = 1180, 740

func newStage(r *rig.Rig) (*stage, error) {
	s := &stage{Rig: r}
	sum, err := r.StartSummarizer("summarizer", "pt-BR")
	if err != nil {
		return nil, err
	}
	if s.agent, err = r.StartAgent("agent"); err != nil {
		return nil, err
	}
	if err := s.agent.Enroll(sum); err != nil {
		return nil, err
	}
	if s.gl, err = s.desktop("gl", rig.WithGL); err != nil {
		return nil, err
	}
	s.raw, err = s.desktop("without", rig.WithoutGL)
	return s, err
}

func (s *stage) desktop(name, gl string) (*rig.Display, error) {
	outer, err := s.StartXvfb(name+"-outer", width, height)
	if err != nil {
		return nil, err
	}
	d, err := s.StartXephyr(name, outer, width, height, gl)
	if err != nil {
		return nil, err
	}
	if err := d.Background(0x3d5a66); err != nil {
		return nil, err
	}
	if _, err := s.StartWM(d); err != nil {
		return nil, err
	}
	_, err = s.agent.StartDesktop(d)
	return d, err
}

// bench is one thing that is measured; once measures it one time.
type bench struct {
	name string
	goal time.Duration
	once func(context.Context) (time.Duration, error)
}

const zenityName = "zenity --question, started → painted"

// cases learns what each window looks like and returns what is measured. Pictures
// of what was learned are kept in dir.
func (s *stage) cases(dir string) ([]bench, error) {
	ctx := context.Background()
	window, err := s.question(ctx, s.gl, filepath.Join(dir, "window.png"))
	if err != nil {
		return nil, fmt.Errorf("the question in Aval's window: %w", err)
	}
	native, err := s.question(ctx, s.raw, filepath.Join(dir, "native.png"))
	if err != nil {
		return nil, fmt.Errorf("the question as a native dialog: %w", err)
	}
	zenity, err := s.dialog(ctx, s.gl, filepath.Join(dir, "zenity.png"))
	if err != nil {
		return nil, fmt.Errorf("zenity: %w", err)
	}
	return []bench{
		{"session begins → question painted (window, OpenGL in software)", 800 * time.Millisecond, window},
		{"session begins → question painted (native dialog; no OpenGL)", 500 * time.Millisecond, native},
		{zenityName, 0, zenity},
		{"answer → first captured event", 200 * time.Millisecond, s.answer},
	}, nil
}

// begin starts a session on d as a tool's hook does. It does not wait.
func (s *stage) begin(d *rig.Display) (id string, wait func() error) {
	s.next++
	id = fmt.Sprint("bench-", s.next)
	ended := make(chan error, 1)
	go func() {
		res, err := s.agent.CLI("session", "begin", "--tool", "other", "--id", id, "--supporter", "Example", "--desktop", d.Name)
		if err == nil && res.Code != 0 {
			err = fmt.Errorf("aval session begin: status %d: %s", res.Code, res.Stderr)
		}
		ended <- err
	}()
	return id, func() error { return <-ended }
}

// end ends a session and waits until d is empty.
func (s *stage) end(d *rig.Display, id string) error {
	res, err := s.agent.CLI("session", "end", "--id", id)
	if err != nil {
		return err
	}
	if res.Code != 0 {
		return fmt.Errorf("aval session end: status %d: %s", res.Code, res.Stderr)
	}
	return s.empty(d)
}

// empty waits until no window of Aval's is left. The bar of a session that was
// recorded stays for ten seconds.
func (s *stage) empty(d *rig.Display) error {
	return d.WaitNoWindow("all windows", 25*time.Second, func(w rig.Window) bool {
		return rig.OfUI(w) || rig.OfNative(w) || rig.OfDesktop(w)
	})
}

// question measures from the call of `aval session begin` to the painted question.
func (s *stage) question(ctx context.Context, d *rig.Display, picture string) (func(context.Context) (time.Duration, error), error) {
	var id string
	var begun func() error
	e, img, err := learn(ctx, d, func() error { id, begun = s.begin(d); return nil })
	if err != nil {
		return nil, err
	}
	if err := rig.SavePNG(picture, img); err != nil {
		return nil, err
	}
	if err := begun(); err != nil {
		return nil, err
	}
	for _, w := range d.Find(rig.OfUI) {
		s.windowMB = memory(w.PID)
	}
	if err := s.end(d, id); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		id, begun := s.begin(d)
		seen, err := e.painted(ctx, 10*time.Second)
		if err != nil {
			return 0, err
		}
		if err := begun(); err != nil {
			return 0, err
		}
		return seen.Sub(start), s.end(d, id)
	}, nil
}

// dialog measures zenity alone, from the start of its process.
func (s *stage) dialog(ctx context.Context, d *rig.Display, picture string) (func(context.Context) (time.Duration, error), error) {
	var p *rig.Proc
	open := func() (err error) {
		p, err = s.Start(rig.Cmd{Name: "zenity", Path: "zenity", Env: s.Env("DISPLAY=" + d.Name),
			Args: []string{"--question", "--no-markup", "--title", "Example", "--text", "Example Support requests remote access. Grant access?"}})
		return err
	}
	shut := func() error {
		if err := p.Stop(5 * time.Second); err != nil {
			return err
		}
		return s.empty(d)
	}
	e, img, err := learn(ctx, d, open)
	if err != nil {
		return nil, err
	}
	if err := rig.SavePNG(picture, img); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		if err := open(); err != nil {
			return 0, err
		}
		seen, err := e.painted(ctx, 10*time.Second)
		if err != nil {
			return 0, err
		}
		return seen.Sub(start), shut()
	}, shut()
}

// answer measures from the moment in which the hand lets the button go until the
// first event that was captured from the desktop, the window in front, can be
// read back with `aval sent`: it is signed for, captured, redacted, sealed and on
// the disk by then, and the command has run.
func (s *stage) answer(ctx context.Context) (took time.Duration, err error) {
	d := s.gl
	front, err := s.Start(rig.Cmd{Name: "front", Path: "xmessage", Env: s.Env("DISPLAY=" + d.Name),
		Args: []string{"-title", "In front", "-geometry", "200x80+10+60", "-buttons", "", "text"}})
	if err != nil {
		return 0, err
	}
	defer front.Stop(5 * time.Second)
	if _, err := d.WaitWindow("a window", 10*time.Second, rig.Titled("In front")); err != nil {
		return 0, err
	}
	id, begun := s.begin(d)
	q, err := s.WaitQuestion(d, 20*time.Second)
	if err != nil {
		return 0, err
	}
	if err := begun(); err != nil {
		return 0, err
	}
	if err := q.WaitReady(); err != nil {
		return 0, err
	}
	for _, p := range []image.Point{q.Yes.Add(image.Pt(-3, -2)), q.Yes} {
		if err := d.HandPoint(p); err != nil {
			return 0, err
		}
		if err := pause(ctx, 40*time.Millisecond); err != nil {
			return 0, err
		}
	}
	if err := d.HandButton(true); err != nil {
		return 0, err
	}
	if err := pause(ctx, 40*time.Millisecond); err != nil {
		return 0, err
	}
	released := time.Now()
	if err := d.HandButton(false); err != nil {
		return 0, err
	}
	if err := s.firstEvent(ctx, "other/"+id); err != nil {
		return 0, err
	}
	read := time.Now()
	if err := front.Stop(5 * time.Second); err != nil {
		return 0, err
	}
	return read.Sub(released), s.end(d, id)
}

// firstEvent waits for the first event of a session that shows the desktop.
func (s *stage) firstEvent(ctx context.Context, session string) error {
	for limit := time.Now().Add(15 * time.Second); time.Now().Before(limit); {
		sent, err := s.agent.Sent(session)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(sent, func(e map[string]any) bool { return e["kind"] == "window-focused" }) {
			return nil
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
	return fmt.Errorf("no event was captured in session %s", session)
}
