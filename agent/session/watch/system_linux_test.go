package watch_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/agent/session/watch"
	"aval/agent/session/watch/logindtest"

	"github.com/godbus/dbus/v5"
)

// until waits for a condition.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// launch starts a program that ends with the test.
func launch(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return launchAs(t, nil, t.TempDir(), name, args...)
}

func launchAs(t *testing.T, as *syscall.SysProcAttr, home, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home}
	cmd.SysProcAttr = as
	if err := cmd.Start(); err != nil {
		t.Skipf("%s cannot be started: %v", name, err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestWaitExit(t *testing.T) {
	cmd := exec.Command("sleep", "300")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	start, ok := watch.ProcStart(pid)
	if !ok {
		t.Fatal("no start time")
	}
	exit := watch.WaitExit(t.Context(), pid, start)
	select {
	case <-exit:
		t.Fatal("ended while it runs")
	case <-time.After(50 * time.Millisecond):
	}
	// Another process of the same number has ended, whatever it is.
	<-watch.WaitExit(t.Context(), pid, start+1)
	ctx, cancel := context.WithCancel(t.Context())
	given := watch.WaitExit(ctx, pid, start)
	cancel()
	<-given
	cmd.Process.Kill()
	cmd.Wait()
	<-exit
	<-watch.WaitExit(t.Context(), pid, start)
	if _, ok := watch.ProcStart(pid); ok {
		t.Error("a process that has ended has a start time")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestX11VNC asks a real x11vnc about a client that is there, one that never
// was, and one that has gone. (Without the comparison of the login time in
// ConfirmX11VNC, "another login" is taken for alive.)
func TestX11VNC(t *testing.T) {
	for _, p := range []string{"Xvfb", "x11vnc"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	t.Run("of the own user", func(t *testing.T) { testX11VNC(t, nil) })
	t.Run("of another user", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("to run a program as another user needs root")
		}
		testX11VNC(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
	})
}

func testX11VNC(t *testing.T, as *syscall.SysProcAttr) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "640x480x24")
	x.ExtraFiles, x.SysProcAttr = []*os.File{w}, as
	if err := x.Start(); err != nil {
		t.Skipf("Xvfb: %v", err)
	}
	t.Cleanup(func() { x.Process.Kill(); x.Wait() })
	w.Close()
	b := make([]byte, 16)
	n, err := r.Read(b)
	if err != nil {
		t.Fatalf("Xvfb gave no display: %v", err)
	}
	display := ":" + strings.TrimSpace(string(b[:n]))
	dir, err := os.MkdirTemp("", "x11vnc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	port, log := freePort(t), dir+"/hook"
	// -noshm: x11vnc is killed in the end, and the 21 segments of shared memory that it
	// would hold stay until the computer restarts (4,096 are all that there are).
	vnc := launchAs(t, as, dir, "/usr/bin/x11vnc", "-display", display, "-rfbport", port, "-localhost", "-nopw", "-forever", "-shared", "-q", "-noxrecord", "-noshm",
		"-afteraccept", "echo $RFB_X11VNC_PID-$RFB_CLIENT_ID-$RFB_LOGIN_TIME >>"+log)
	pid := vnc.Process.Pid
	until(t, "x11vnc's display", func() bool { return watch.X11VNCDisplay(pid) == display })
	var conn net.Conn
	until(t, "x11vnc listens", func() bool {
		conn, err = net.Dial("tcp", "127.0.0.1:"+port)
		return err == nil
	})
	defer conn.Close()
	handshake(t, conn)
	var id string
	until(t, "the hook", func() bool {
		b, _ := os.ReadFile(log)
		id = strings.TrimSpace(string(b))
		return id != ""
	})
	if alive, known := watch.ConfirmX11VNC(t.Context(), pid, id); !alive || !known {
		t.Errorf("connected: alive %v, known %v", alive, known)
	}
	i := strings.LastIndex(id, "-")
	at, _ := strconv.Atoi(id[i+1:])
	for what, other := range map[string]string{"another login": id[:i+1] + strconv.Itoa(at+1), "another client": strconv.Itoa(pid) + "-0x77-" + id[i+1:]} {
		if alive, known := watch.ConfirmX11VNC(t.Context(), pid, other); alive || !known {
			t.Errorf("%s: alive %v, known %v", what, alive, known)
		}
	}
	if alive, known := watch.ConfirmX11VNC(t.Context(), pid, "5-0x1-5"); alive || known {
		t.Errorf("another server's: alive %v, known %v", alive, known)
	}
	conn.Close()
	until(t, "the client is gone", func() bool {
		alive, known := watch.ConfirmX11VNC(t.Context(), pid, id)
		return known && !alive
	})
	vnc.Process.Kill()
	vnc.Wait()
	if alive, known := watch.ConfirmX11VNC(t.Context(), pid, id); alive || !known {
		t.Errorf("server gone: alive %v, known %v", alive, known)
	}
}

// handshake is the beginning of a VNC client without a password (RFC 6143, 7.1, 7.3.1).
func handshake(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	read := func(n int) []byte {
		b := make([]byte, n)
		for got := 0; got < n; {
			k, err := c.Read(b[got:])
			if err != nil {
				t.Fatalf("VNC: %v", err)
			}
			got += k
		}
		return b
	}
	read(12)
	fmt.Fprint(c, "RFB 003.008\n")
	read(int(read(1)[0]))
	c.Write([]byte{1}) // no security
	read(4)
	c.Write([]byte{1}) // shared
	read(24)
	c.SetDeadline(time.Time{})
}

func TestLogind(t *testing.T) {
	f := logindtest.Start(t)
	log := slog.New(slog.DiscardHandler)
	if _, err := watch.NewLogind(log, nil); err == nil {
		t.Fatal("a bus without logind was taken")
	}
	f.Serve(t)
	f.Set(t, "c2", map[string]any{
		"Name": "maria", "User": logindtest.User{UID: 1000, Path: "/org/freedesktop/login1/user/_1000"}, "Class": "user", "Type": "x11", "Display": ":0",
		"Desktop": "i3", "State": "active", "Active": true, "LockedHint": false, "Leader": uint32(77),
		"Timestamp": uint64(1_795_358_141_000_000), "TTY": 7, // of a wrong type: as if absent
		"Seat": logindtest.Seat{ID: "seat0", Path: "/org/freedesktop/login1/seat/seat0"},
	})
	l, err := watch.NewLogind(log, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := l.Sessions(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := watch.LogindSession{ID: "c2", UID: 1000, User: "maria", Class: "user", Type: "x11", Display: ":0", Desktop: "i3", State: "active", Active: true,
		Leader: 77, Seat: "seat0", Started: time.Unix(1_795_358_141, 0).UTC()}
	if got[0] != want {
		t.Errorf("got  %+v\nwant %+v", got[0], want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	calls := make(chan struct{}, 64)
	done := make(chan error, 1)
	go func() { done <- l.Watch(ctx, func() { calls <- struct{}{} }) }()
	<-calls // the first, after the subscription
	wants := func(what string) {
		t.Helper()
		select {
		case <-calls:
		case <-time.After(20 * time.Second):
			t.Fatalf("not told of %s", what)
		}
	}
	f.Set(t, "c2", map[string]any{"LockedHint": true})
	wants("the lock")
	if got, err := l.Sessions(t.Context()); err != nil || !got[0].Locked {
		t.Errorf("%+v, %v", got, err)
	}
	// Many at once make one call, and what is of no interest none.
	for range 20 {
		f.Changed(t, "c2", map[string]dbus.Variant{"IdleHint": dbus.MakeVariant(true)})
	}
	for i := range 5 {
		f.Remove(t, "x"+strconv.Itoa(i))
	}
	wants("sessions that are gone")
	select {
	case <-calls:
		t.Error("told twice of one burst")
	case <-time.After(200 * time.Millisecond):
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- l.Watch(t.Context(), func() { calls <- struct{}{} }) }()
	<-calls
	l.Close()
	if err := <-done; err == nil {
		t.Error("the loss of the bus is no error")
	}
}
