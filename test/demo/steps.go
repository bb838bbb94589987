package main

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"os"
	"strings"
	"time"

	"aval/test/rig"
)

// The size of the computer's screen: what a small notebook has.
const width, height = 1180, 800

func (d *demo) startSummarizer() error {
	s, err := d.StartSummarizer("summarizer", d.lang)
	if err != nil {
		return err
	}
	d.summarizer = s
	d.say.next("summarizer", s.URL)
	return nil
}

// startComputer opens the person's display: a window on the caller's display, or
// on a hidden one.
func (d *demo) startComputer(display string) (err error) {
	if display != "" {
		d.outer, err = d.OpenDisplay(display)
	} else {
		d.outer, err = d.StartXvfb("around", width, height)
	}
	if err != nil {
		return err
	}
	if d.computer, err = d.StartXephyr("computer", d.outer, width, height, rig.WithGL); err != nil {
		return err
	}
	if err := d.computer.Background(0x3d5a66); err != nil {
		return err
	}
	if _, err := d.StartWM(d.computer, [2]string{"Terminal", "xterm -title Terminal -fa Monospace -fs 11 -geometry 74x16+40+330"}); err != nil {
		return err
	}
	// Open before the question: its title must never leave the computer.
	letter := d.say.text("letter")
	if _, err := d.Start(rig.Cmd{Name: "letter", Path: "xmessage", Env: d.Env("DISPLAY=" + d.computer.Name),
		Args: []string{"-name", "letter", "-title", letter, "-geometry", "300x120+40+100", "-buttons", "", letter}}); err != nil {
		return err
	}
	if _, err := d.computer.WaitWindow(letter, 15*time.Second, rig.Titled(letter)); err != nil {
		return err
	}
	d.say.next("computer", d.computer.Name)
	if display != "" && !d.auto {
		d.say.line("window")
	}
	return nil
}

func (d *demo) startAgent() (err error) {
	if d.agent, err = d.StartAgent("agent"); err != nil {
		return err
	}
	if err := d.agent.Enroll(d.summarizer); err != nil {
		return err
	}
	if _, err := d.agent.StartDesktop(d.computer); err != nil {
		return err
	}
	d.say.next("agent")
	return d.shoot(d.computer, "1-before")
}

func (d *demo) connect() (err error) {
	if d.vnc, err = d.StartVNC(d.computer, d.agent.Hooks(d.computer)); err != nil {
		return err
	}
	if d.supporter, err = d.StartSupporter(d.vnc, d.computer); err != nil {
		return err
	}
	d.say.next("connect")
	return nil
}

func (d *demo) answer() error {
	q, err := d.WaitQuestion(d.computer, 20*time.Second)
	if err != nil {
		return err
	}
	if err := q.WaitReady(); err != nil {
		return err
	}
	d.say.next("question", q.Title)
	if err := d.shoot(d.computer, "2-question"); err != nil {
		return err
	}
	if d.auto {
		if err := q.Answer(true); err != nil {
			return err
		}
	} else {
		d.say.line("you")
		// The question's own time limit ends this wait: 30 s, by policy at most 300 s.
		if err := d.computer.WaitNoWindow("the question", 310*time.Second, func(w rig.Window) bool { return w.ID == q.ID }); err != nil {
			return err
		}
	}
	if err := d.supporter.WaitConnected(20 * time.Second); err != nil {
		return err
	}
	row, err := d.decided()
	if err != nil {
		return err
	}
	if row.Outcome != "allowed" {
		d.say.line("refused")
		fmt.Printf("   %s: %s, %s\n", row.Session, row.Outcome, row.Reason)
		return fmt.Errorf("the session was not recorded (%s), so there is no summary to show", row.Outcome)
	}
	d.session = row.Session
	d.say.next("clicked")
	return nil
}

// decided waits for the record of the answer.
func (d *demo) decided() (rig.Consent, error) {
	var row rig.Consent
	return row, d.Wait("the record of the decision", 15*time.Second, func() (bool, error) {
		rows, err := d.agent.Consents()
		if err != nil || len(rows) == 0 {
			return false, err
		}
		row = rows[0]
		return row.Outcome != "asking", nil
	})
}

// work is what the supporter does: all of it through the VNC viewer.
func (d *demo) work() error {
	if err := d.Wait("the recording", 15*time.Second, func() (bool, error) {
		all, err := d.agent.Sessions()
		if err != nil || len(all) == 0 {
			return false, err
		}
		return all[0].Recording, fmt.Errorf("it does not record: %s", all[0].Why)
	}); err != nil {
		return err
	}
	if _, err := d.computer.WaitWindow("the indicator", 10*time.Second, d.indicator); err != nil {
		return err
	}
	d.say.next("in")
	if err := d.shoot(d.computer, "3-recording"); err != nil {
		return err
	}

	d.say.next("work")
	s := d.supporter
	if err := s.OpenTerminal(); err != nil {
		return err
	}
	if err := s.Type("date; xclock -update 1 -geometry 180x180+900+90 &\n"); err != nil {
		return err
	}
	if _, err := d.computer.WaitWindow("the clock", 15*time.Second, rig.Classed("xclock")); err != nil {
		return err
	}
	if err := s.Click(d.middleOf(rig.Classed("xterm")), 1); err != nil {
		return err
	}
	if err := s.Type("xedit -title ntp.conf -geometry 380x240+740+400 ntp.conf &\n"); err != nil {
		return err
	}
	if _, err := d.computer.WaitWindow("the editor", 15*time.Second, rig.Titled("ntp.conf")); err != nil {
		return err
	}
	at := d.middleOf(rig.Titled("ntp.conf"))
	if err := s.Click(at, 1); err != nil {
		return err
	}
	if err := s.Type("server time.example.com\n"); err != nil {
		return err
	}
	// What the tool itself reports: a chat line of the person, and a note.
	_, id, _ := strings.Cut(d.session, "/")
	for _, e := range [][]string{
		{"--kind", "chat", "--from", "person", "--text", d.say.text("chat")},
		{"--kind", "note", "--text", d.say.text("note")},
	} {
		res, err := d.agent.CLI(append([]string{"session", "event", "--id", id}, e...)...)
		if err != nil {
			return err
		}
		if res.Code != 0 {
			return fmt.Errorf("aval session event: status %d: %s%s", res.Code, res.Stdout, res.Stderr)
		}
	}
	if err := d.shoot(s.Display, "4-supporter"); err != nil {
		return err
	}
	return d.shoot(d.computer, "5-work")
}

func (d *demo) indicator(w rig.Window) bool { return rig.OfDesktop(w) || rig.Classed("aval")(w) }

func (d *demo) middleOf(match func(rig.Window) bool) (p image.Point) {
	if found := d.computer.Find(match); len(found) > 0 {
		r := found[0].Rect
		p = r.Min.Add(r.Max).Div(2)
	}
	return p
}

func (d *demo) leave() error {
	if err := d.supporter.Leave(); err != nil {
		return err
	}
	err := d.Wait("the end of the session", 20*time.Second, func() (bool, error) {
		all, err := d.agent.Sessions()
		if err != nil {
			return false, err
		}
		for _, s := range all {
			if s.Recording {
				return false, nil
			}
		}
		st, err := d.agent.Status()
		return err == nil && st.Waiting == 0, err
	})
	if err != nil {
		return err
	}
	sent, err := d.agent.Sent(d.session)
	if err != nil {
		return err
	}
	d.say.next("leave", len(sent))
	return d.shoot(d.computer, "6-ended")
}

// linger keeps the console open for somebody who sits at the terminal.
func (d *demo) linger(ctx context.Context) error {
	if !d.interactive() {
		return nil
	}
	res, err := d.adminLink()
	if err != nil {
		return err
	}
	d.say.line("linger", res)
	line := make(chan struct{})
	go func() { // ends with the program at the latest
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		close(line)
	}()
	select {
	case <-line:
	case <-ctx.Done():
	}
	return nil
}

// interactive: somebody is there to look at the console.
func (d *demo) interactive() bool {
	return !d.auto && os.Getenv("CI") == "" && terminal(os.Stdin)
}

func terminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
