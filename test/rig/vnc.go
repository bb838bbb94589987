package rig

import (
	"fmt"
	"image"
	"net"
	"os/exec"
	"strconv"
	"time"
)

// VNC is an x11vnc server on a display, with Aval's hook lines.
type VNC struct {
	*Proc
	Port int
}

// Hooks are the commands that x11vnc runs (x11vnc(1)); empty ones are left out.
type Hooks struct {
	Accept string // before the client is let in; it waits for the command's end
	Gone   string // when the client has left
}

// FreePort finds a TCP port of 127.0.0.1 that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Need says which of the programs are missing.
func Need(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is not installed: run test/deps.sh test", p)
		}
	}
	return nil
}

// StartVNC lets remote clients in to d, on the loopback only and without a
// password: nobody else can reach it.
func (r *Rig) StartVNC(d *Display, h Hooks) (*VNC, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	// -noshm: one that is killed leaves its segments of shared memory until the
	// computer restarts; after two hundred of them no program gets one any more.
	args := []string{"-norc", "-noshm", "-display", d.Name, "-rfbport", strconv.Itoa(port), "-localhost", "-no6", "-nopw", "-forever", "-shared", "-noxrecord", "-nosel"}
	if h.Accept != "" {
		args = append(args, "-accept", h.Accept)
	}
	if h.Gone != "" {
		args = append(args, "-gone", h.Gone)
	}
	return r.startVNC(Cmd{Name: "x11vnc", Path: "x11vnc", Args: args, Env: r.Env("DISPLAY=" + d.Name)}, port)
}

// StartTigerVNC does the same with TigerVNC's server for a display that is there
// (x0vncserver(1), by the name that Debian gives to the program itself); it knows no
// hooks.
func (r *Rig) StartTigerVNC(d *Display) (*VNC, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	return r.startVNC(Cmd{Name: "x0vncserver", Path: "X0tigervnc", Env: r.Env("DISPLAY=" + d.Name),
		Args: []string{"-display", d.Name, "-rfbport", strconv.Itoa(port), "-localhost=1", "-SecurityTypes=None", "-AlwaysShared=1"}}, port)
}

func (r *Rig) startVNC(c Cmd, port int) (*VNC, error) {
	p, err := r.Start(c)
	if err != nil {
		return nil, err
	}
	v := &VNC{Proc: p, Port: port}
	return v, r.listens(p, port)
}

// Supporter is somebody at another computer with a VNC viewer on it.
type Supporter struct {
	Display *Display // the supporter's own screen
	Viewer  *Proc

	r      *Rig
	remote *Display // only for its size: nothing is done on it directly
	corner image.Point
}

// StartSupporter opens a viewer on a screen of its own. It does not wait for the
// connection: the other side may be asked first.
func (r *Rig) StartSupporter(v *VNC, remote *Display) (*Supporter, error) {
	screen, err := r.StartXvfb("supporter", remote.Width+80, remote.Height+80)
	if err != nil {
		return nil, err
	}
	s := &Supporter{Display: screen, r: r, remote: remote}
	return s, s.Connect(v)
}

// Connect starts the viewer (again).
func (s *Supporter) Connect(v *VNC) error {
	// No window manager here, and a screen a little larger than the other one:
	// the viewer shrinks a window that would cover its whole screen.
	viewer, err := s.r.Start(Cmd{Name: "viewer", Path: "xtigervncviewer",
		Args: []string{"-SecurityTypes", "None", "-RemoteResize=0", "-MenuKey=", "-AlertOnFatalError=0", "-ReconnectOnError=0", "-Shared",
			"-geometry", fmt.Sprintf("%dx%d+0+0", s.remote.Width, s.remote.Height), fmt.Sprintf("127.0.0.1::%d", v.Port)},
		Env: s.r.Env("DISPLAY=" + s.Display.Name)})
	s.Viewer = viewer
	return err
}

// WaitConnected waits until the viewer shows the other screen.
func (s *Supporter) WaitConnected(limit time.Duration) error {
	win, err := s.Display.WaitWindow("the supporter's view of the other screen", limit, func(w Window) bool {
		return Classed("tigervnc")(w) && w.Rect.Dx() >= s.remote.Width && w.Rect.Dy() >= s.remote.Height
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.Viewer.Tail())
	}
	s.corner = win.Rect.Min
	return s.Display.Focus(win)
}

// Click clicks a place of the other screen through the viewer.
func (s *Supporter) Click(p image.Point, button byte) error {
	return s.Display.Click(p.Add(s.corner), button)
}

// Type types through the viewer.
func (s *Supporter) Type(text string) error { return s.Display.Type(text) }

// Press presses one key through the viewer.
func (s *Supporter) Press(k rune) error { return s.Display.Press(k) }

// Leave closes the viewer.
func (s *Supporter) Leave() error { return s.Viewer.Stop(5 * time.Second) }

// OpenTerminal opens the desktop's menu on the other screen with the right
// button, chooses its first entry, and waits for a terminal with a prompt.
func (s *Supporter) OpenTerminal() error {
	free := image.Pt(s.remote.Width-220, s.remote.Height-160)
	if err := s.Click(free, 3); err != nil {
		return err
	}
	// The menu has neither name nor class: it shows as a change of the picture.
	around := image.Rectangle{Min: free, Max: free.Add(image.Pt(40, 20))}
	if err := s.r.Wait("the desktop's menu", 30*time.Second, func() (bool, error) {
		img, err := s.remote.Part(around)
		return err == nil && Colours(img, 3) > 2, err
	}); err != nil {
		return err
	}
	if err := s.Click(free.Add(image.Pt(20, 8)), 1); err != nil {
		return err
	}
	win, err := s.remote.WaitWindow("the supporter's terminal", 15*time.Second, Classed("xterm"))
	if err != nil {
		return err
	}
	// Behind a prompt of two characters or more, the cursor or another character.
	third := image.Rect(14, 3, 22, 14).Add(win.Rect.Min)
	return s.r.Wait("the prompt", 30*time.Second, func() (bool, error) {
		img, err := s.remote.Part(third)
		return err == nil && Colours(img, 2) == 2, err
	})
}
