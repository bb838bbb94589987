package witness

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"aval/agent/x11/xtest"
)

// proxy puts another listener in the place of a display's socket, as the user who
// owns that socket may: what it passes on it can also forge. It takes connections
// until back has put the real one in its place again.
type proxy struct {
	path, away string
	l          net.Listener
	back       func()
}

func newProxy(t *testing.T, display string, each func(*proxy)) *proxy {
	t.Helper()
	path := "/tmp/.X11-unix/X" + strings.TrimPrefix(display, ":")
	p := &proxy{path: path, away: path + "-away"}
	if err := os.Rename(p.path, p.away); err != nil {
		t.Skipf("the display's socket is not ours to move: %v", err)
	}
	p.back = sync.OnceFunc(func() {
		if err := os.Rename(p.away, p.path); err != nil { // over the proxy's
			t.Error(err)
		}
	})
	t.Cleanup(p.back)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	p.l = l
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			each(p)
			go p.pass(c)
		}
	}()
	return p
}

// pass lets a client talk to the real server.
func (p *proxy) pass(c net.Conn) {
	defer c.Close()
	x, err := net.Dial("unix", p.away)
	if err != nil {
		if x, err = net.Dial("unix", p.path); err != nil {
			return
		}
	}
	defer x.Close()
	go func() {
		io.Copy(x, c)
		x.Close()
	}()
	io.Copy(c, x)
}

// TestServer: the server that is named is the one at the other end of the very
// connections over which presses come, whoever that is, and both have the same
// one. (Without the comparison in Open, "changed in between" is heard.)
func TestServer(t *testing.T) {
	t.Run("itself", func(t *testing.T) {
		x := xtest.Start(t, xtest.Options{Screen: "320x240"})
		w, err := Open(t.Context(), x.Display, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if w.Server() != x.PID() {
			t.Errorf("the server is process %d, not %d", w.Server(), x.PID())
		}
	})
	t.Run("a proxy", func(t *testing.T) {
		x := xtest.Start(t, xtest.Options{Screen: "320x240"})
		newProxy(t, x.Display, func(*proxy) {})
		w, err := Open(t.Context(), x.Display, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if w.Server() != os.Getpid() {
			t.Errorf("the server is process %d, not the proxy's, %d", w.Server(), os.Getpid())
		}
	})
	t.Run("changed in between", func(t *testing.T) {
		x := xtest.Start(t, xtest.Options{Screen: "320x240"})
		newProxy(t, x.Display, func(p *proxy) { p.back() })
		w, err := Open(t.Context(), x.Display, nil)
		if err == nil {
			w.Close()
			t.Fatal("presses of one server are heard, and windows of another watched")
		}
		if !strings.Contains(err.Error(), "whose presses are heard") {
			t.Error(err)
		}
	})
}
