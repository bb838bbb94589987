package ipc

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGonePeer: who connected and has ended is nobody, though another process holds
// the connection open: the id of its process may be somebody else's by then. The
// test runs itself as the one that connects. Planted and seen caught: the pidfd not
// compared.
func TestGonePeer(t *testing.T) {
	if path := os.Getenv("AVAL_TEST_PEER"); path != "" {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := conn.(*net.UnixConn).File()
		if err != nil {
			t.Fatal(err)
		}
		heir := exec.Command("cat") // ends when the other end is closed
		heir.Stdin = f
		if err := heir.Start(); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer := exec.Command(os.Args[0], "-test.run=^TestGonePeer$")
	peer.Env = append(os.Environ(), "AVAL_TEST_PEER="+path)
	if out, err := peer.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p, err := peerOf(conn)
	var known error
	if e := ofSocket(conn, func(fd int) error {
		n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidfd)
		if known = err; err == nil {
			unix.Close(n)
		}
		return nil
	}); e != nil {
		t.Fatal(e)
	}
	if known == unix.ENOPROTOOPT { // a kernel before 6.5 knows no better
		if err != nil || p.PID != peer.Process.Pid {
			t.Errorf("%+v, %v", p, err)
		}
		return
	}
	if err == nil {
		t.Errorf("process %d has ended and is taken for the peer: %+v", peer.Process.Pid, p)
	}
}
