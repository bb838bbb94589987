//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// Five real tools on one computer at the same time: MeshCentral, x11vnc, TigerVNC,
// xrdp and OpenSSH. Five sessions and five decisions: four are allowed, one is
// about a desktop on which nobody can be asked. What happens on each desktop and
// in the terminal is in its own session alone, and nothing of the fifth is
// anywhere. (A refusal on one desktop of the account would silence its login
// too: what is typed there might be the refused one's.)
func TestFiveTools(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("xrdp and OpenSSH let other users in: they need root")
	}
	if err := rig.Need("X0tigervnc", "xfreerdp", "/usr/sbin/xrdp", "/usr/sbin/xrdp-sesman", "/usr/sbin/sshd", "ssh"); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, `{"SSHAccounts": ["root"]}`)
	a, b, c := w.desktop("mesh", rig.WithGL), w.desktop("x11vnc", rig.WithGL), w.desktop("tigervnc", rig.WithGL)
	m := w.mesh(a, "ana")
	tiger, err := w.StartTigerVNC(c.Display)
	w.must(err)
	rdp, err := w.StartXrdp()
	w.must(err)
	screen, err := w.StartXvfb("client", 1000, 700)
	w.must(err)
	sshd, err := w.StartSSH(w.agent)
	w.must(err)
	w.following("meshcentral", "tigervnc", "xrdp")

	viewer := w.view(m, "ana", rig.MeshDesktop)
	w.must(w.question(a).Answer(true))
	mesh := w.live("meshcentral", a.Name)

	hooked := w.connect(b)
	w.must(w.question(b).Answer(true))
	w.must(hooked.WaitConnected(30 * time.Second))
	x11vnc := w.live("x11vnc", b.Name)

	allowed, err := w.StartSupporter(tiger, c.Display)
	w.must(err)
	w.must(w.question(c).Answer(true))
	w.must(allowed.WaitConnected(30 * time.Second))
	tigervnc := w.live("tigervnc", c.Name)

	client, err := rdp.Client(screen)
	w.must(err)
	var xrdp rig.Session
	w.must(w.Wait("a session of xrdp", 60*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		for _, s := range all {
			if s.Tool == "xrdp" {
				xrdp = s
			}
		}
		return xrdp.Session != "", fmt.Errorf("%w %+v\n%s", err, all, client.Tail())
	}))

	// The account's desktops are the three: each of them is asked.
	login, err := sshd.Login()
	w.must(err)
	for _, d := range []*desk{a, b, c} {
		w.must(w.question(d).Answer(true))
	}
	var ssh rig.Session
	w.must(w.Wait("the login being recorded", 30*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		for _, s := range all {
			if s.Tool == "ssh" && s.Recording {
				ssh = s
			}
		}
		return ssh.Session != "", fmt.Errorf("%w %+v\n%s", err, all, login.Said())
	}))

	// All five at once.
	all, err := w.agent.Sessions()
	w.must(err)
	for _, want := range []struct {
		session, outcome string
		recording        bool
	}{{mesh.Session, "allowed", true}, {x11vnc.Session, "allowed", true}, {tigervnc.Session, "allowed", true}, {xrdp.Session, "denied", false}, {ssh.Session, "allowed", true}} {
		i := slices.IndexFunc(all, func(s rig.Session) bool { return s.Session == want.session })
		if i < 0 || all[i].Outcome != want.outcome || all[i].Recording != want.recording {
			t.Errorf("%s should be %s, recording %v: %+v", want.session, want.outcome, want.recording, all)
		}
	}
	w.show(a, "CANARY-FIVE-MESH")
	w.show(b, "CANARY-FIVE-X11VNC")
	w.show(c, "CANARY-FIVE-TIGERVNC")
	w.must(rdp.Show(xrdp.Desktop, "CANARY-FIVE-XRDP"))
	w.must(login.Run("tail -f /dev/null CANARY-FIVE-SSH >/dev/null 2>&1 &")) // it stays a while
	for session, text := range map[string]string{mesh.Session: "CANARY-FIVE-MESH", x11vnc.Session: "CANARY-FIVE-X11VNC", tigervnc.Session: "CANARY-FIVE-TIGERVNC", ssh.Session: "CANARY-FIVE-SSH"} {
		w.until(session, text)
	}

	w.must(viewer.Leave())
	w.must(allowed.Leave())
	w.must(hooked.Leave())
	client.Kill()
	login.Logout()
	for session, own := range map[string]string{mesh.Session: "MESH", x11vnc.Session: "X11VNC", tigervnc.Session: "TIGERVNC", ssh.Session: "SSH"} {
		w.gone(session)
		got := texts(w.arrived(session))
		for _, text := range []string{"MESH", "X11VNC", "TIGERVNC", "SSH"} {
			if has := strings.Contains(got, "CANARY-FIVE-"+text); has != (text == own) {
				t.Errorf("%s and %s: %v\n%s", session, text, has, got)
			}
		}
	}
	w.gone(xrdp.Session)
	rows, err := w.agent.Consents()
	w.must(err)
	decided := map[string]string{}
	for _, r := range rows {
		if r.Tool == "x11vnc" && r.Outcome == "not-requested" { // other tests' servers
			continue
		}
		if before, twice := decided[r.Session]; twice {
			t.Errorf("%s is decided twice: %s, %s", r.Session, before, r.Outcome)
		}
		decided[r.Session] = r.Outcome
	}
	if len(decided) != 5 {
		t.Errorf("%d decisions for five sessions: %v", len(decided), decided)
	}
	e, err := w.summarizer.Export()
	w.must(err)
	for _, s := range e.Sessions {
		if len(s.Events) > 0 && !slices.Contains([]string{mesh.Session, x11vnc.Session, tigervnc.Session, ssh.Session}, s.ID) {
			t.Errorf("events of %s: %s", s.ID, texts(s))
		}
	}
	w.nowhere("CANARY-FIVE-XRDP")
}
