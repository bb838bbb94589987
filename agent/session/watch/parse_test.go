package watch

import (
	"os"
	"strings"
	"testing"
)

// sections splits a recorded hook log into the environments of its calls.
func sections(t *testing.T, file string) []func(string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []func(string) string
	for _, s := range strings.Split(string(b), "---")[1:] {
		env := strings.Split(strings.TrimSpace(s), "\n")[1:]
		out = append(out, func(name string) string { return lookup(env, name) })
	}
	return out
}

func TestFromPAMEnv(t *testing.T) {
	calls := sections(t, "testdata/pam.txt")
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	for i, typ := range []string{"open_session", "close_session"} {
		m, err := FromPAMEnv(calls[i], 4711)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != typ || m.User != "tester" || m.Service != "sshd" || m.TTY != "ssh" || m.RHost != "127.0.0.1" || m.ParentPID != 4711 {
			t.Errorf("%+v", m)
		}
		if got := peer(m.Connection); got != "127.0.0.1" {
			t.Errorf("peer %q", got)
		}
	}
	for _, env := range []map[string]string{
		{},
		{"PAM_TYPE": "auth", "PAM_USER": "tester"},
		{"PAM_TYPE": "open_session"},
		{"PAM_TYPE": "open_session", "PAM_USER": strings.Repeat("x", maxPAM+1)},
	} {
		if m, err := FromPAMEnv(func(n string) string { return env[n] }, 4711); err == nil {
			t.Errorf("%v gave %+v", env, m)
		}
	}
	if _, err := FromPAMEnv(calls[0], 1); err == nil {
		t.Error("a hook whose parent is gone was taken")
	}
}

func TestFingerprint(t *testing.T) {
	// A key made for this test; the fingerprint is what ssh-keygen -l prints.
	const blob = "AAAAC3NzaC1lZDI1NTE5AAAAIN0Wv5qng1h0SowJoGTNIG4c5Iuy1uSzg0FrQi5ZLQ20"
	const want = "SHA256:RMjw1Ifx4UPitCaOuNZvT6MAj8YqmC5eEzLY+5RKkEI"
	for in, want := range map[string]string{
		"publickey ssh-ed25519 " + blob:                  want,
		"password\npublickey ssh-ed25519 " + blob + "\n": want,
		"password":                     "",
		"publickey ssh-ed25519 !!!":    "",
		"":                             "",
		"keyboard-interactive/pam x y": "",
	} {
		if got := fingerprint(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestX11VNCID(t *testing.T) {
	for _, env := range sections(t, "testdata/x11vnc-hooks.txt") {
		id := env("RFB_X11VNC_PID") + "-" + env("RFB_CLIENT_ID") + "-" + env("RFB_LOGIN_TIME")
		got, err := parseX11VNCID(id)
		if err != nil || got != (x11vncClient{pid: 702, id: 1, login: 1795329671}) {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	for _, bad := range []string{"", "702-1-1795329671", "702-0x1", "-1-0x1-5", "0-0x1-5", "702-0x1-5-6", "702-0xg-5", "702-0x1--5"} {
		if got, err := parseX11VNCID(bad); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

func TestX11VNCAnswer(t *testing.T) {
	const two = ">>> sending remote command: \"qry=pid,clients\" via X11VNC_REMOTE X property.\n" +
		"aro=pid:29052,aro=clients:0x2:127.0.0.1:45780:unknown-user:none:localhost:KMBCF:0:1795358141,0x1f:::1:45774:u,0x9:x:none:h:KMBCF:0:1795358139\n"
	got, err := parseX11VNCAnswer(two, 29052)
	if err != nil || len(got) != 2 || got[0] != (x11vncClient{29052, 2, 1795358141, "127.0.0.1"}) || got[1].address != "" || got[0].name() != "29052-0x2-1795358141" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseX11VNCAnswer("aro=pid:29052,aro=clients:", 29052); err != nil || len(got) != 0 {
		t.Errorf("nobody connected: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "aro=pid:1,aro=clients:0x1:a:5", "aro=pid:29052", "aro=clients:0x1:a:5", "error: could not connect"} {
		if got, err := parseX11VNCAnswer(bad, 29052); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestDisplayOf(t *testing.T) {
	for _, c := range []struct {
		args, env []string
		want      string
	}{
		{[]string{"x11vnc", "-display", ":82", "-shared"}, []string{"DISPLAY=:1"}, ":82"},
		{[]string{"x11vnc", "--display", ":82"}, nil, ":82"},
		{[]string{"x11vnc", "-forever"}, []string{"A=b", "DISPLAY=:1"}, ":1"},
		{[]string{"x11vnc", "-display", "WAIT:cmd=FINDDISPLAY"}, []string{"DISPLAY=:1"}, ":1"},
		{[]string{"x11vnc", "-display"}, nil, ""},
		{nil, nil, ""},
	} {
		if got := displayOf(c.args, c.env); got != c.want {
			t.Errorf("%q %q: %q", c.args, c.env, got)
		}
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("77 (sshd: a) (b) S 5 77 77 34819 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 5 6\n"))
	if err != nil || got != (stat{5, "pts/3", 4242}) {
		t.Errorf("%+v, %v", got, err)
	}
	for nr, want := range map[int]string{0: "", 34816: "pts/0", 34816 + 255: "pts/255", 34816 + 256: "pts/256", 1025: "tty1", 1088: "", 1<<20 | 34816: "pts/256"} {
		if got := ttyName(nr); got != want {
			t.Errorf("%d: %q, want %q", nr, got, want)
		}
	}
	if uid, gids, ok := parseOwner([]byte("Name:\tbash\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\nGroups:\t4 27 \n")); !ok || uid != 1000 || len(gids) != 3 || gids[0] != 100 || gids[2] != 27 {
		t.Errorf("%d %v %v", uid, gids, ok)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("77 (a) S 5 77 77 34819 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 5 6")
	f.Add("aro=pid:1,aro=clients:0x1:a:5")
	f.Add("702-0x1-1795329671")
	f.Add("publickey ssh-ed25519 AAAA")
	f.Add("Uid:\nGid:\nGroups:")
	f.Fuzz(func(t *testing.T, s string) {
		parseStat([]byte(s))
		parseOwner([]byte(s))
		fingerprint(s)
		if c, err := parseX11VNCID(s); err == nil && (c.pid <= 0 || c.login <= 0) {
			t.Fatalf("%+v", c)
		}
		if list, err := parseX11VNCAnswer(s, 1); err == nil && !strings.Contains(s, "aro=pid:1,") {
			t.Fatalf("%+v", list)
		}
	})
}

func TestScopeSession(t *testing.T) {
	for in, want := range map[string]string{
		"0::/user.slice/user-1000.slice/session-3.scope\n":                                         "3",
		"0::/user.slice/user-1000.slice/session-c2.scope/sub\n":                                    "c2",
		"12:cpu:/\n1:name=systemd:/user.slice/user-0.slice/session-17.scope\n":                     "17",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/session-1.scope.d/x.service\n": "",
		"0::/init.scope\n": "", "0::/session-.scope\n": "", "": "", "session-1.scope": "",
	} {
		if got := scopeSession(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}
