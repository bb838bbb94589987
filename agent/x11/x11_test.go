package x11

import (
	"encoding/binary"
	"testing"
	"time"

	"aval/agent/x11/xtest"
)

func TestParseDisplay(t *testing.T) {
	for _, c := range []struct {
		in, number string
		screen     int
		ok         bool
	}{
		{":0", "0", 0, true}, {":10.1", "10", 1, true}, {"unix:3", "3", 0, true},
		{"", "", 0, false}, {"10", "", 0, false}, {"example.com:0", "", 0, false},
		{":x", "", 0, false}, {":1.x", "", 0, false}, {":../../x", "", 0, false}, {":-1", "", 0, false},
	} {
		number, screen, err := parseDisplay(c.in)
		if (err == nil) != c.ok || c.ok && (number != c.number || screen != c.screen) {
			t.Errorf("%q: %q %d %v", c.in, number, screen, err)
		}
	}
}

func entry(family uint16, parts ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, family)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
		b = append(b, p...)
	}
	return b
}

const cookieName = "MIT-MAGIC-COOKIE-1"

func TestFindCookie(t *testing.T) {
	file := append(entry(familyLocal, "other", "1", cookieName, "aaaaaaaaaaaaaaaa"),
		append(entry(familyLocal, "host", "2", "XDM-AUTHORIZATION-1", "bbbbbbbbbbbbbbbb"),
			append(entry(familyLocal, "host", "2", cookieName, "cccccccccccccccc"),
				entry(familyWild, "", "", cookieName, "dddddddddddddddd")...)...)...)
	for _, c := range []struct{ host, number, want string }{
		{"host", "2", "cccccccccccccccc"}, {"host", "9", "dddddddddddddddd"}, {"other", "1", "aaaaaaaaaaaaaaaa"},
	} {
		if _, data := findCookie(file, c.host, c.number); string(data) != c.want {
			t.Errorf("%s:%s: %q", c.host, c.number, data)
		}
	}
	if name, _ := findCookie(file[:30], "host", "2"); name != "" {
		t.Errorf("a torn file gave %q", name)
	}
}

func FuzzFindCookie(f *testing.F) {
	f.Add(entry(familyLocal, "host", "2", cookieName, "cccccccccccccccc"), "host", "2")
	f.Add([]byte{1, 0, 0xff, 0xff}, "", "")
	f.Fuzz(func(t *testing.T, raw []byte, host, number string) {
		if name, _ := findCookie(raw, host, number); name != "" && name != cookieName {
			t.Fatalf("name %q", name)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("caf\xe9"), false, true)
	f.Add([]byte("caf\xc3\xa9"), true, false)
	f.Fuzz(func(t *testing.T, b []byte, u, l bool) {
		for _, r := range decode(b, u, l) {
			_ = r
		}
	})
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		in           string
		utf8, latin1 bool
		want         string
	}{
		{"café", true, false, "café"},
		{"caf\xe9", false, true, "café"},
		{"café", false, true, "café"}, // UTF-8 where Latin-1 is claimed
		{"caf\xe9", true, false, "caf"},
		{"plain", false, false, "plain"},
		{"\x1b%G", false, false, ""}, // compound text
	} {
		if got := decode([]byte(c.in), c.utf8, c.latin1); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

// A connection to a server that hangs can be cut: a call that waits returns.
// Planted bug: let Close send through xgb's queue, and this test hangs.
func TestCloseWhileTheServerHangs(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	c, err := Dial(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	s.Freeze()
	got := make(chan error, 1)
	go func() { got <- c.Alive() }()
	select {
	case err := <-got:
		t.Fatalf("the frozen server answered: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	c.Close()
	c.Close()
	select {
	case err := <-got:
		if err == nil {
			t.Fatal("no error from a connection that was cut")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the call still waits")
	}
}

// The server's word on the process beats the window's own: xterm sets no
// _NET_WM_PID, and a claim on another window is not believed.
func TestPID(t *testing.T) {
	xtest.Need(t, "xterm")
	s := xtest.Start(t, xtest.Options{})
	term := s.Spawn(t, "xterm", "-T", "PidTest")
	c, err := Dial(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var id string
	xtest.Wait(t, "the terminal", func() bool {
		id, err = s.Try("xdotool", "search", "--onlyvisible", "--name", "PidTest")
		return err == nil && id != ""
	})
	s.Run(t, "xprop", "-id", id, "-f", "_NET_WM_PID", "32c", "-set", "_NET_WM_PID", "1")
	w := parseID(t, id)
	if got := c.PID(w); got != term.Process.Pid {
		t.Errorf("pid %d, want %d", got, term.Process.Pid)
	}
	if !c.Viewable(w) || c.Class(w) != "XTerm" || len(c.Titles(w)) == 0 || c.Titles(w)[0] != "PidTest" {
		t.Errorf("viewable %v class %q titles %q", c.Viewable(w), c.Class(w), c.Titles(w))
	}
}
