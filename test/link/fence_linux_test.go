package link_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"aval/agent/event"
	astore "aval/agent/store"
)

// blocked is a network that stands still: what the agent writes stays in its own
// kernel until go on is called.
type blocked struct {
	addr  string
	on    chan struct{}
	goOn  func()
	conns atomic.Int64
}

func newBlocked(t *testing.T, to string, after int64) *blocked {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &blocked{addr: l.Addr().String(), on: make(chan struct{})}
	b.goOn = sync.OnceFunc(func() { close(b.on) })
	var work sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		b.goOn()
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Add(1)
			_ = in.(*net.TCPConn).SetReadBuffer(4096)
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			work.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
			work.Go(func() {
				defer out.Close()
				if _, err := io.CopyN(out, in, after); err == nil {
					<-b.on
					_, _ = io.Copy(out, in)
				}
			})
		}
	})
	return b
}

// queued is how many bytes of this process's connections to addr the kernel has
// not yet sent and had acknowledged: the tx_queue of proc_net_tcp(5).
func queued(t *testing.T, addr string) (n int64) {
	t.Helper()
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	p, _ := strconv.Atoi(port)
	want := fmt.Sprintf("0100007F:%04X", p)
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) > 4 && f[2] == want {
			tx, _, _ := strings.Cut(f[4], ":")
			v, _ := strconv.ParseInt(tx, 16, 64)
			n += v
		}
	}
	return n
}

// A withdrawal while batches lie in the kernel's send buffer: with Fence nothing
// of them arrives; the control without Fence shows that they would have.
func TestFence(t *testing.T) {
	for name, fence := range map[string]bool{"fence": true, "control: without it they arrive": false} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, nil)
			c := enrol(t, s.dir, nil)
			// Hello and Open pass; the batches do not.
			b := newBlocked(t, s.addr, 8000)
			st, g := c.grant("x/1")
			const n = 1200
			for range n / 100 {
				evs := make([]event.Event, 100)
				for i := range evs {
					noise := make([]byte, 150)
					_, _ = rand.Read(noise)
					evs[i] = c.title("x/1", 0)
					evs[i].Fields = map[string]string{"title": base64.StdEncoding.EncodeToString(noise)}
				}
				c.append(st, evs...)
			}
			l, stop := c.connect(c.config(b.addr))
			until(t, "the grant is announced", func() bool { _, ok := streamOf(t, s.db, c.key("x/1")); return ok })
			// The batches are written as soon as the grant was answered; their bytes
			// now lie in this process's socket.
			until(t, "bytes in flight", func() bool { return queued(t, b.addr) > 20_000 })
			if fence {
				l.Fence(st)
			}
			if err := c.store.Withdraw(st); err != nil {
				t.Fatal(err)
			}
			b.goOn()
			if fence {
				until(t, "a new connection in place of the old one", func() bool { return b.conns.Load() > 1 && s.in.Connected() == 1 })
			} else {
				until(t, "they arrive", func() bool { return len(stored(t, s.db, c.key("x/1"))) > 0 })
			}
			stop()
			_ = s.in.Close()
			got := len(stored(t, s.db, c.key("x/1")))
			if fence && got != 0 {
				t.Errorf("%d events arrived after the withdrawal of %s", got, g.ID)
			}
		})
	}
}

// Withdrawn, fenced or erased streams are not sent by a new link either.
func TestWithdrawnStreamsStay(t *testing.T) {
	s := startServer(t, nil)
	c := enrol(t, s.dir, nil)
	var list []astore.Stream
	for _, session := range []string{"x/withdrawn", "x/erased", "x/fenced", "x/sent"} {
		st, _ := c.grant(session)
		c.append(st, c.titles(session, 0, 10)...)
		list = append(list, st)
	}
	if err := errors.Join(c.store.Withdraw(list[0]), c.store.Erase(list[1])); err != nil {
		t.Fatal(err)
	}
	// Fenced before it ever runs.
	cfg := c.config("")
	l := newLink(t, cfg)
	l.Fence(list[2])
	run(t, l)
	until(t, "the other one", func() bool { return c.acked(list[3]) })
	_ = s.in.Close()
	for _, session := range []string{"x/withdrawn", "x/erased", "x/fenced"} {
		if _, ok := streamOf(t, s.db, c.key(session)); ok {
			t.Errorf("%s arrived", session)
		}
	}
}
