//go:build e2e

package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"aval/test/rig"
)

// wiretap writes every packet of the loopback into a file of the rig's folder,
// where search looks too. It needs CAP_NET_RAW (packet(7)).
type wiretap struct {
	fd   int
	done chan struct{}
}

// tap starts listening and proves that it hears: a word sent over TCP must
// arrive in the file.
func tap(t *testing.T, r *rig.Rig) *wiretap {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Log("the wire is not searched:", err)
		return nil
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(binary.BigEndian.Uint16([]byte{0, unix.ETH_P_ALL})))
	if errors.Is(err, unix.EPERM) {
		t.Log("the wire is not searched: listening needs root")
		return nil
	}
	if err != nil {
		t.Fatal("listen on the wire:", err)
	}
	proto := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: lo.Index}); err != nil {
		t.Fatal("listen on the wire:", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	// A short limit for each read, so that the end is noticed.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		t.Fatal(err)
	}
	// In a folder of its own: the service watches the one that holds its policies'.
	if err := os.MkdirAll(r.Path("tap"), 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(r.Path("tap", "wire"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{fd: fd, done: make(chan struct{})}
	stop := make(chan struct{})
	go func() {
		defer close(w.done)
		defer out.Close()
		buf := make([]byte, 128<<10)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if n > 0 {
				if _, err := out.Write(buf[:n]); err != nil {
					return
				}
			}
			select {
			case <-stop:
				return
			default:
			}
			if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	r.Defer(func() {
		close(stop)
		<-w.done
		_ = unix.Close(fd)
	})
	hears(t, r)
	return w
}

func hears(t *testing.T, r *rig.Rig) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("HEARD-ON-THE-WIRE")); err != nil {
		t.Fatal(err)
	}
	w := &world{Rig: r, t: t}
	if err := r.Wait("a word on the wire", 10*time.Second, func() (bool, error) {
		return len(w.search("HEARD-ON-THE-WIRE")) > 0, nil
	}); err != nil {
		t.Fatal(err)
	}
}
