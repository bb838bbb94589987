package rig

import (
	"fmt"
	"net"
	"strconv"
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
