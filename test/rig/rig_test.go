package rig

import (
	"image"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A supporter opens a terminal from the menu of the other screen, and a program
// from the terminal; the person clicks by hand: the rig works what it says.
func TestSupporterWorks(t *testing.T) {
	if err := Need("Xvfb", "Xephyr", "openbox", "x11vnc", "xtigervncviewer", "xterm", "xmessage"); err != nil {
		t.Skip(err)
	}
	r, err := New(t.Context(), ".", "en_US.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	outer, err := r.StartXvfb("outer", 1000, 700)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := r.StartXephyr("computer", outer, 1000, 700, WithGL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.StartWM(inner, [2]string{"Terminal", "xterm -geometry 70x12+40+60"}); err != nil {
		t.Fatal(err)
	}
	gone := r.Path("gone")
	vnc, err := r.StartVNC(inner, Hooks{Accept: "true", Gone: "echo $RFB_CLIENT_ID >" + quote(gone)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.StartSupporter(vnc, inner)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if dir := os.Getenv("AVAL_PICTURES"); dir != "" {
			for name, d := range map[string]*Display{"inner": inner, "outer": outer, "supporter": s.Display} {
				_ = d.SavePicture(dir + "/rig-" + name + ".png")
			}
		}
	}()
	if err := s.WaitConnected(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := s.OpenTerminal(); err != nil {
		t.Fatal(err)
	}
	if err := s.Type("xmessage -name hello 'A question' &\n"); err != nil {
		t.Fatal(err)
	}
	msg, err := inner.WaitWindow("xmessage", 20*time.Second, Classed("xmessage"))
	if err != nil {
		t.Fatal(err)
	}
	// The only button of xmessage ("okay") is at its lower left.
	if err := inner.HandClick(image.Pt(msg.Rect.Min.X+20, msg.Rect.Max.Y-14)); err != nil {
		t.Fatal(err)
	}
	if err := inner.WaitNoWindow("xmessage", 10*time.Second, Classed("xmessage")); err != nil {
		t.Fatal(err)
	}
	if err := s.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := r.Wait("the -gone hook", 10*time.Second, func() (bool, error) {
		_, err := os.Stat(gone)
		return err == nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	// Killed, it leaves nothing in the system either: a segment of shared memory would
	// stay until the computer restarts. (Without -noshm in StartVNC there are 21.)
	vnc.Kill()
	for _, s := range segments(t) {
		if s.maker == vnc.PID {
			t.Errorf("x11vnc left shared memory %d", s.id)
			_, _ = unix.SysvShmCtl(s.id, unix.IPC_RMID, nil)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.Dir); !os.IsNotExist(err) {
		t.Errorf("the rig's folder is still there: %v", err)
	}
}

type segment struct{ id, maker int }

// segments reads the System V shared memory of this system (proc(5): shmid is the
// second column, cpid the fifth).
func segments(t *testing.T) []segment {
	t.Helper()
	raw, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	var all []segment
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		id, err1 := strconv.Atoi(f[1])
		maker, err2 := strconv.Atoi(f[4])
		if err1 == nil && err2 == nil { // else it is the heading
			all = append(all, segment{id, maker})
		}
	}
	return all
}
