// Package x11 is the little that the agent needs of an X server: a connection
// that can be cut at any moment, the window tree, and what a window says of
// itself (EWMH 1.5, ICCCM 2.0).
//
// The one rule that must not be broken: what a window says of itself is a
// claim of the program that owns it; only Conn.PID has the server's word.
package x11

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/res"
	"github.com/jezek/xgb/xproto"
)

// xgb writes what it finds odd to standard error by default; that would be a
// second log beside ours, with bytes from outside in it.
func init() { xgb.Logger = log.New(io.Discard, "", 0) }

// Conn is a connection to one X server. Requests block until the server
// answers or the connection is closed.
type Conn struct {
	X    *xgb.Conn
	Root xproto.Window

	wire   net.Conn
	hasRes bool

	mu    sync.Mutex // guards atoms
	atoms map[string]xproto.Atom
}

// Socket connects to a local X server: ":10", ":10.0" or "unix:10", and gives
// the number of the screen that display names. An address of another computer
// is refused: what is shown there is not this desktop. The first thing that is
// written must be a setup request of 12 bytes, little endian and without
// authorisation; the cookie of the user's authority file is put into it.
func Socket(display string) (net.Conn, int, error) {
	number, screen, err := parseDisplay(display)
	if err != nil {
		return nil, 0, err
	}
	socket, err := net.Dial("unix", "/tmp/.X11-unix/X"+number)
	if err != nil {
		return nil, 0, fmt.Errorf("connect to display %q: %w", display, err)
	}
	return &greeter{Conn: socket, number: number}, screen, nil
}

// Dial connects to a local X server, as Socket does.
func Dial(display string) (*Conn, error) {
	wire, screen, err := Socket(display)
	if err != nil {
		return nil, err
	}
	x, err := xgb.NewConnNet(wire)
	if err != nil {
		wire.Close()
		return nil, fmt.Errorf("connect to display %q: %w", display, err)
	}
	roots := xproto.Setup(x).Roots
	if screen >= len(roots) {
		wire.Close()
		return nil, fmt.Errorf("connect to display %q: it has %d screens", display, len(roots))
	}
	c := &Conn{X: x, Root: roots[screen].Root, wire: wire, atoms: map[string]xproto.Atom{}}
	// res.Init registers neither events nor errors, so it does not touch
	// xgb's global tables, which other connections read without a lock.
	if res.Init(x) == nil {
		v, err := res.QueryVersion(x, 1, 2).Reply()
		c.hasRes = err == nil && (v.ServerMajor > 1 || v.ServerMinor >= 2)
	}
	return c, nil
}

// Server is the process id of the X server at the other end, by the kernel; 0:
// it cannot be told.
func (c *Conn) Server() int { return ServerPID(c.wire) }

// Close cuts the connection, whatever the server is doing. Calls that wait for
// it return an error. It may be called more than once and from any goroutine.
func (c *Conn) Close() { c.wire.Close() }

// parseDisplay takes a display name of X(7) apart.
func parseDisplay(display string) (number string, screen int, err error) {
	if display == "" {
		return "", 0, errors.New("there is no X display: DISPLAY is not set")
	}
	host, rest, ok := strings.Cut(display, ":")
	if !ok || host != "" && host != "unix" {
		return "", 0, fmt.Errorf("display %q is not a local X server", display)
	}
	number, s, dotted := strings.Cut(rest, ".")
	if _, err := strconv.ParseUint(number, 10, 16); err != nil {
		return "", 0, fmt.Errorf("display %q has no number", display)
	}
	if dotted {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return "", 0, fmt.Errorf("display %q has no screen number", display)
		}
		screen = int(n)
	}
	return number, screen, nil
}

// Atom interns name.
func (c *Conn) Atom(name string) (xproto.Atom, error) {
	c.mu.Lock()
	a, ok := c.atoms[name]
	c.mu.Unlock()
	if ok {
		return a, nil
	}
	r, err := xproto.InternAtom(c.X, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	c.atoms[name] = r.Atom
	c.mu.Unlock()
	return r.Atom, nil
}

// PID returns the process that owns w: from the server's own knowledge of its
// clients (X-Resource 1.2) where it has it, otherwise what the window claims.
// It is 0 when unknown or when the window belongs to another computer.
func (c *Conn) PID(w xproto.Window) int {
	if machine := c.Text(w, "WM_CLIENT_MACHINE"); machine != "" && !thisHost(machine) {
		return 0
	}
	if pid := c.Owner(w); pid != 0 {
		return pid
	}
	pid, _ := c.Cardinal(w, "_NET_WM_PID")
	return int(pid)
}

// Owner returns the process that made w, by the server's own word alone
// (X-Resource 1.2); 0: the server does not know.
func (c *Conn) Owner(w xproto.Window) int {
	if !c.hasRes {
		return 0
	}
	r, err := res.QueryClientIds(c.X, 1, []res.ClientIdSpec{
		{Client: uint32(w), Mask: res.ClientIdMaskLocalClientPID},
	}).Reply()
	if err != nil {
		return 0
	}
	for _, id := range r.Ids {
		if id.Spec.Mask == res.ClientIdMaskLocalClientPID && len(id.Value) > 0 {
			return int(id.Value[0])
		}
	}
	return 0
}

func thisHost(machine string) bool {
	host, err := os.Hostname()
	if err != nil {
		return false
	}
	short, _, _ := strings.Cut(host, ".")
	claimed, _, _ := strings.Cut(machine, ".")
	return machine == "localhost" || strings.EqualFold(machine, host) || strings.EqualFold(claimed, short)
}

// Viewable tells whether w and all its ancestors are mapped.
func (c *Conn) Viewable(w xproto.Window) bool {
	a, err := xproto.GetWindowAttributes(c.X, w).Reply()
	return err == nil && a.MapState == xproto.MapStateViewable
}

// Tree lists the windows beneath the root, at most limit of them, those near
// the root first. whole is false when there were more or one could not be read.
func (c *Conn) Tree(limit int) (windows []xproto.Window, whole bool) {
	// Questions are sent a level at a time, so that a level costs one round trip.
	level := []xproto.Window{c.Root}
	whole = true
	for len(level) > 0 {
		cookies := make([]xproto.QueryTreeCookie, len(level))
		for i, w := range level {
			cookies[i] = xproto.QueryTree(c.X, w)
		}
		var next []xproto.Window
		for i, cookie := range cookies {
			r, err := cookie.Reply()
			if err != nil {
				// A window that is gone by now has no title any more.
				if _, gone := err.(xproto.WindowError); !gone || level[i] == c.Root {
					whole = false
				}
				continue
			}
			next = append(next, r.Children...)
		}
		if len(windows)+len(next) > limit {
			return append(windows, next[:limit-len(windows)]...), false
		}
		windows = append(windows, next...)
		level = next
	}
	return windows, whole
}

// Alive returns an error when the server does not answer any more.
func (c *Conn) Alive() error {
	_, err := xproto.GetInputFocus(c.X).Reply()
	return err
}
