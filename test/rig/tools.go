package rig

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// StartXvnc starts a display of its own with TigerVNC's Xvnc.
func (r *Rig) StartXvnc(width, height int) (*Display, *VNC, error) {
	port, err := FreePort()
	if err != nil {
		return nil, nil, err
	}
	d, err := r.startX(Cmd{Name: "Xvnc", Path: "Xtigervnc", Args: []string{"-rfbport", strconv.Itoa(port), "-localhost", "-SecurityTypes", "None",
		"-geometry", fmt.Sprintf("%dx%d", width, height), "-depth", "24", "-nolisten", "tcp", "-AlwaysShared"}}, nil)
	if err != nil {
		return nil, nil, err
	}
	return d, &VNC{Proc: d.Server, Port: port}, r.listens(d.Server, port)
}

// listens waits until a port is taken, without connecting to it: that would be
// a client.
func (r *Rig) listens(p *Proc, port int) error {
	return r.Wait(p.Name+"'s port", 20*time.Second, func() (bool, error) {
		if p.Ended() {
			return false, fmt.Errorf("%w: it ended:\n%s", ErrHopeless, p.Tail())
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
		}
		return err != nil, nil
	})
}

// RDP is a real xrdp with one account of its own.
type RDP struct {
	Server *Proc
	User   string
	UID    int
	Port   int

	r              *Rig
	home, password string
}

// sesmanPort is where xrdp looks for its session manager (sesman.ini(5)).
const sesmanPort = 3350

// StartXrdp starts xrdp and its session manager with an account that exists as
// long as the rig. It needs root.
func (r *Rig) StartXrdp() (*RDP, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(sesmanPort)))
	if err != nil {
		return nil, fmt.Errorf("start xrdp: its session manager needs port %d: %w", sesmanPort, err)
	}
	l.Close()
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "aval-rdp-")
	if err != nil {
		return nil, err
	}
	d := &RDP{User: fmt.Sprintf("avalrdp%d", os.Getpid()), Port: port, r: r, home: home, password: rand.Text()}
	r.Defer(func() { os.RemoveAll(home) })
	if out, err := exec.Command("useradd", "-M", "-d", home, "-s", "/bin/sh", d.User).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make an account: %w: %s", err, out)
	}
	r.Defer(func() { exec.Command("userdel", d.User).Run() })
	account, err := user.Lookup(d.User)
	if err != nil {
		return nil, err
	}
	if d.UID, err = strconv.Atoi(account.Uid); err != nil {
		return nil, err
	}
	r.Defer(func() { endAll(d.UID) })
	set := exec.Command("chpasswd")
	set.Stdin = strings.NewReader(d.User + ":" + d.password + "\n")
	if out, err := set.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("set its password: %w: %s", err, out)
	}
	if err := errors.Join(d.Begins(""), os.Chown(home, d.UID, d.UID)); err != nil {
		return nil, err
	}
	var paths []string
	for name, set := range map[string]map[string]string{
		"xrdp.ini":   {"port": fmt.Sprintf("tcp://127.0.0.1:%d", port), "LogFile": r.Path("log", "xrdp.log")},
		"sesman.ini": {"LogFile": r.Path("log", "xrdp-sesman.log")},
	} {
		text, err := os.ReadFile("/etc/xrdp/" + name)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		done := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			key, _, _ := strings.Cut(line, "=")
			if v, ok := set[key]; ok && !done[key] { // its first place is the right section
				done[key] = true
				line = key + "=" + v + "\n"
			}
			b.WriteString(line)
		}
		if err := os.WriteFile(r.Path(name), []byte(b.String()), 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, r.Path(name))
	}
	slices.Sort(paths)
	if _, err := r.Start(Cmd{Name: "xrdp-sesman", Path: "/usr/sbin/xrdp-sesman", Args: []string{"--nodaemon", "-c", paths[0]}}); err != nil {
		return nil, err
	}
	if d.Server, err = r.Start(Cmd{Name: "xrdp", Path: "/usr/sbin/xrdp", Args: []string{"--nodaemon", "-c", paths[1]}}); err != nil {
		return nil, err
	}
	return d, r.listens(d.Server, port)
}

// Begins has the sessions that begin from now on start with a line of shell.
func (d *RDP) Begins(line string) error {
	f := d.home + "/startwm.sh"
	err := os.WriteFile(f, []byte("#!/bin/sh\necho $$ >"+d.home+"/wm.pid\n"+line+"\nexec openbox\n"), 0o755)
	return errors.Join(err, os.Chown(f, d.UID, d.UID))
}

// Desktop connects to a session's own display, as its user may.
func (d *RDP) Desktop(name string) (*Display, error) {
	before, was := os.LookupEnv("XAUTHORITY")
	if err := os.Setenv("XAUTHORITY", d.home+"/.Xauthority"); err != nil {
		return nil, err
	}
	defer func() {
		if os.Unsetenv("XAUTHORITY"); was {
			os.Setenv("XAUTHORITY", before)
		}
	}()
	return d.r.OpenDisplay(name)
}

// endAll ends what is left of an account's programs.
func endAll(uid int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		fi, err := os.Stat(dir)
		if err != nil {
			continue
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if pid, err := strconv.Atoi(filepath.Base(dir)); ok && err == nil && int(st.Uid) == uid {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// Client connects with FreeRDP, which shows itself on screen.
func (d *RDP) Client(screen *Display) (*Proc, error) {
	return d.r.Start(Cmd{Name: "xfreerdp", Path: "xfreerdp", Env: d.r.Env("DISPLAY=" + screen.Name),
		Args: []string{fmt.Sprintf("/v:127.0.0.1:%d", d.Port), "/u:" + d.User, "/p:" + d.password, "/cert:ignore", "/client-hostname:HELPDESK01", "/size:800x600"}})
}

// Show opens a titled window on the session's display and waits until it is there.
func (d *RDP) Show(display, title string) error {
	env := d.r.Env("DISPLAY="+display, "XAUTHORITY="+d.home+"/.Xauthority")
	if _, err := d.r.Start(Cmd{Name: "person", Path: "xmessage", Env: env, Args: []string{"-title", title, "-buttons", "", "text"}}); err != nil {
		return err
	}
	return d.r.Wait(title, 20*time.Second, func() (bool, error) {
		res, err := d.r.Run(10*time.Second, Cmd{Name: "xwininfo", Path: "xwininfo", Env: env, Args: []string{"-name", title}})
		return err == nil && res.Code == 0, errors.Join(err, errors.New(res.Stderr))
	})
}

// LogOff ends the session as its user's log-off does: the window manager ends.
func (d *RDP) LogOff() error {
	b, err := os.ReadFile(d.home + "/wm.pid")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGTERM)
}
