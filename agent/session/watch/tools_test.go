package watch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// replay runs a TigerVNC log and notes what it says.
func replay(lines ...string) []string {
	var out []string
	v := &vncLog{
		begin: func(c *vncClient) { out = append(out, "begin "+c.addr.String()) },
		end:   func(c *vncClient) { out = append(out, "end "+c.addr.String()) },
	}
	for _, l := range lines {
		v.line(l)
	}
	return out
}

func recorded(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// TestTigerVNCLog replays what the real server wrote, and the cases that its
// source has. Planted once and caught here: a session at "accepted", no regard
// to capitals, no second thought where two log in at once.
func TestTigerVNCLog(t *testing.T) {
	const in = " VNCSConnST:  Server default pixel format depth 24 (32bpp) little-endian rgb888"
	for name, c := range map[string]struct{ lines, want []string }{
		"1.12": {recorded(t, "tigervnc-1.12.txt"), []string{"begin 127.0.0.1:60794", "end 127.0.0.1:60794"}},
		"with capitals": {[]string{" Connections: Accepted: [2001:db8::7]::41000", in, " Connections: Closed: [2001:db8::7]::41000"},
			[]string{"begin [2001:db8::7]:41000", "end [2001:db8::7]:41000"}},
		"refused by the person": {[]string{" Connections: accepted: 192.0.2.7::41000",
			" VNCSConnST:  closing 192.0.2.7::41000: Authentication failure: Unable to query", "              the local user to accept the connection.",
			" Connections: closed: 192.0.2.7::41000"}, nil},
		"two at once, the second one is in": {[]string{" Connections: accepted: 192.0.2.7::1", " Connections: accepted: 192.0.2.8::2", in,
			" VNCSConnST:  closing 192.0.2.7::1: Authentication failure"}, []string{"begin 192.0.2.7:1", "end 192.0.2.7:1", "begin 192.0.2.8:2"}},
		"one after the other": {[]string{" Connections: accepted: 192.0.2.7::1", in, " Connections: accepted: 192.0.2.8::2", in,
			" Connections: closed: 192.0.2.7::1"}, []string{"begin 192.0.2.7:1", "begin 192.0.2.8:2", "end 192.0.2.7:1"}},
		"words of the other side": {[]string{" SConnection: Connections: accepted: 192.0.2.7::1", in, "Connections: accepted: 192.0.2.7::1", in,
			" Connections: accepted: nobody", in}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := replay(c.lines...); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	var many []string
	for i := range 2 * maxVNCClients {
		many = append(many, fmt.Sprintf(" Connections: accepted: 192.0.2.7::%d", i+1))
	}
	v := &vncLog{begin: func(*vncClient) {}, end: func(*vncClient) {}}
	for _, l := range many {
		v.line(l)
	}
	if len(v.clients) != maxVNCClients {
		t.Errorf("%d connections are kept", len(v.clients))
	}
}

func TestVNCServer(t *testing.T) {
	for line, want := range map[string]string{
		"/usr/bin/Xtigervnc :5 -rfbport 5905":           ":5",
		"Xvnc -geometry 800x600 :12":                    ":12",
		"/usr/bin/X0tigervnc -display :0.0 -rfbport 59": ":0",
		"x0vncserver -Display=:3":                       ":3",
		"x0vncserver":                                   ":77",
		"/bin/sh -c Xvnc :1":                            "",
		"Xvnc":                                          "",
	} {
		got, ok := vncServer(strings.Fields(line), []string{"DISPLAY=:77"})
		if got != want || ok != (want != "" || line == "Xvnc") {
			t.Errorf("%s: %q, %v", line, got, ok)
		}
	}
	for line, want := range map[string]bool{
		"x0vncserver -AcceptKeyEvents=0 -acceptpointerevents off": true,
		"x0vncserver -AcceptKeyEvents=0":                          false,
		"x0vncserver AcceptKeyEvents=0 AcceptPointerEvents=no":    true,
		"x0vncserver -AcceptKeyEvents 0 -AcceptPointerEvents 1":   false,
	} {
		if got := viewOnly(strings.Fields(line)); got != want {
			t.Errorf("%s: view only %v", line, got)
		}
	}
}

// TestXrdpPeer reads the line of both versions, and only where it is a line of
// its own: the client chooses its name. Planted once: without the beginning of
// the pattern, the name of a computer begins a session.
func TestXrdpPeer(t *testing.T) {
	var got []xrdpConn
	for _, l := range recorded(t, "xrdp-0.9.21.txt") {
		if c, ok := parseXrdpPeer(l); ok {
			got = append(got, c)
		}
	}
	if len(got) != 1 || got[0].pid != 3387 || got[0].xpid != 3440 || got[0].uid != 1001 || got[0].addr.String() != "127.0.0.1:50380" {
		t.Errorf("0.9: %+v", got)
	}
	c, ok := parseXrdpPeer("[2024-05-05T12:34:56.789+0100] [INFO ] lib_mod_log_peer: xrdp_pid=12 connected to Xorg_pid=15 Xorg_uid=1000 Xorg_gid=1000 client=192.0.2.7:50000")
	if !ok || c.pid != 12 || c.xpid != 15 || c.uid != 1000 || c.addr.IsValid() {
		t.Errorf("0.10: %+v, %v", c, ok)
	}
	c, ok = parseXrdpPeer("[20261122-06:41:50] [INFO ] lib_mod_log_peer: xrdp_pid=12 connected to X11rdp_pid=15 X11rdp_uid=0 X11rdp_gid=0 client_ip=::ffff:192.0.2.7 client_port=7548")
	if !ok || c.addr.String() != "192.0.2.7:7548" {
		t.Errorf("mapped address: %+v, %v", c, ok)
	}
	for _, l := range []string{
		"[20261122-06:41:49] [INFO ] Connected client computer name: lib_mod_log_peer: xrdp_pid=12 connected to Xorg_pid=15 Xorg_uid=0 Xorg_gid=0 client=x",
		"lib_mod_log_peer: xrdp_pid=12 connected to Xorg_pid=15 Xorg_uid=0 Xorg_gid=0 client=x",
		"[20261122-06:41:49] [INFO ] lib_mod_log_peer: xrdp_pid=1 connected to Xorg_pid=15 Xorg_uid=0 Xorg_gid=0 client=x",
		"[20261122-06:41:49] [INFO ] lib_mod_log_peer: xrdp_pid=12 connected to Xorg_pid=15 Xorg_uid=99999999999 Xorg_gid=0 client=x",
	} {
		if c, ok := parseXrdpPeer(l); ok {
			t.Errorf("%q began %+v", l, c)
		}
	}
	for ini, want := range map[string]string{
		"":                                       XrdpLog,
		"[Globals]\nLogFile=x\n":                 XrdpLog,
		"[Logging]\nLogFile=xrdp.log\n":          XrdpLog,
		"[Logging]\r\nlogfile = /srv/x.log\r\n":  "/srv/x.log",
		"[Logging]\n;LogFile=/a\nLogFile=/b/c\n": "/b/c",
	} {
		if got := xrdpLogOf(ini); got != want {
			t.Errorf("%q: %s", ini, got)
		}
	}
}

// FuzzToolLogs: whatever a log holds, a session ends at most once after it has
// begun, and only for an address that was named before.
func FuzzToolLogs(f *testing.F) {
	f.Add(" Connections: accepted: 127.0.0.1::1\n VNCSConnST:  Server default pixel format x\n Connections: closed: 127.0.0.1::1")
	f.Add("[20261122-06:41:50] [INFO ] lib_mod_log_peer: xrdp_pid=12 connected to X11rdp_pid=15 X11rdp_uid=0 X11rdp_gid=0 client_ip=::1 client_port=7548")
	f.Fuzz(func(t *testing.T, text string) {
		open := map[string]bool{}
		v := &vncLog{
			begin: func(c *vncClient) {
				if open[c.addr.String()] {
					t.Error("begun twice")
				}
				open[c.addr.String()] = true
			},
			end: func(c *vncClient) {
				if !open[c.addr.String()] {
					t.Error("ended without a beginning")
				}
				delete(open, c.addr.String())
			},
		}
		for l := range strings.SplitSeq(text, "\n") {
			v.line(l)
			if c, ok := parseXrdpPeer(l); ok && (c.pid <= 1 || c.xpid <= 1) {
				t.Errorf("%+v", c)
			}
		}
		_ = xrdpLogOf(text)
	})
}
