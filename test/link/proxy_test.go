package link_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy passes bytes on and cuts where plan says: after so many bytes to the
// server, or from it; -1: never. Only the proxy's goroutine calls plan.
type proxy struct {
	addr string
	plan func() (up, down int64)
	cuts atomic.Int64
}

func newProxy(t *testing.T, to string, plan func() (up, down int64)) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), plan: plan}
	var work sync.WaitGroup
	var conns sync.Map
	t.Cleanup(func() {
		_ = l.Close()
		conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		work.Wait()
	})
	work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			conns.Store(in, nil)
			conns.Store(out, nil)
			up, down := p.plan()
			var once sync.Once
			end := func(cut bool) {
				once.Do(func() {
					if cut {
						p.cuts.Add(1)
					}
					_ = in.Close()
					_ = out.Close()
					conns.Delete(in)
					conns.Delete(out)
				})
			}
			work.Go(func() { end(pipe(out, in, up)) })
			work.Go(func() { end(pipe(in, out, down)) })
		}
	})
	return p
}

// pipe copies until the end or the limit; true: the limit was reached.
func pipe(to io.Writer, from io.Reader, limit int64) bool {
	if limit < 0 {
		_, _ = io.Copy(to, from)
		return false
	}
	n, err := io.CopyN(to, from, limit)
	return n == limit && (err == nil || errors.Is(err, io.EOF))
}
