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

// following starts the service again with these tools to listen to.
func (w *world) following(tools ...string) {
	w.t.Helper()
	w.agent.Tools = tools
	w.must(w.agent.Stop(10 * time.Second))
	w.must(w.agent.Restart())
	for _, d := range w.desks { // one that is not there yet would be a denial first
		w.must(w.agent.WaitDesktop(d.Display, d.helper))
	}
}

// live waits for a session of a tool on a desktop.
func (w *world) live(tool, desktop string) rig.Session {
	w.t.Helper()
	var got rig.Session
	w.must(w.Wait("a session of "+tool+" on "+desktop, 30*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		for _, s := range all {
			if s.Tool == tool && s.Desktop == desktop {
				got = s
				return true, nil
			}
		}
		return false, fmt.Errorf("%w %+v", err, all)
	}))
	return got
}

// gone waits until a session is over.
func (w *world) gone(session string) {
	w.t.Helper()
	w.must(w.Wait("the end of "+session, 30*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		return err == nil && !slices.ContainsFunc(all, func(s rig.Session) bool { return s.Session == session }), err
	}))
}

// The real TigerVNC and the real x11vnc at once: x0vncserver shows one desktop,
// x11vnc another, Xvnc has its own. Each is a session with a decision of its
// own, on its own desktop; nothing of one is in the other. The servers start
// after the service, which is told by nobody but the kernel and their logs; the
// session of x0vncserver outlives a restart of the service, and a client that
// left meanwhile does not.
//
// Planted once and caught here: no watch for programs that start later; the end
// in the log is not heard; the display of Xvnc is taken from DISPLAY; confirmed
// ends nothing.
func TestTigerVNC(t *testing.T) {
	if err := rig.Need("Xtigervnc", "X0tigervnc"); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	w.following("tigervnc")
	a, b := w.desktop("scraped", rig.WithGL), w.desktop("x11vnc", rig.WithGL)
	vnc, err := w.StartTigerVNC(a.Display)
	w.must(err)
	sa, err := w.StartSupporter(vnc, a.Display)
	w.must(err)
	w.must(w.question(a).Answer(true))
	w.must(sa.WaitConnected(20 * time.Second))
	yes := w.live("tigervnc", a.Name)
	if !slices.Equal(yes.Kinds, []string{"view", "control"}) || yes.Supporter != "127.0.0.1" || yes.Outcome != "allowed" {
		t.Errorf("x0vncserver: %+v", yes)
	}
	w.recording(yes.Session, true, 15*time.Second)

	sb := w.connect(b)
	w.must(w.question(b).Answer(false))
	w.must(sb.WaitConnected(20 * time.Second))

	own, ownVNC, err := w.StartXvnc(800, 600)
	w.must(err)
	sc, err := w.StartSupporter(ownVNC, own)
	w.must(err)
	w.must(sc.WaitConnected(20 * time.Second))
	third := w.live("tigervnc", own.Name)

	rows, err := w.agent.Consents()
	w.must(err)
	rows = slices.DeleteFunc(rows, func(r rig.Consent) bool { return r.Tool == "x11vnc" && r.Outcome == "not-requested" }) // other tests' servers
	if len(rows) != 3 {
		t.Errorf("%d decisions for three sessions: %+v", len(rows), rows)
	}
	w.show(a, "CANARY-SCRAPED")
	w.show(b, "CANARY-DENIED-X11VNC")
	w.until(yes.Session, "CANARY-SCRAPED")

	doc, err := w.agent.CLI("doctor")
	w.must(err)
	for _, d := range []string{a.Name, own.Name} {
		if !strings.Contains(doc.Stdout, "tigervnc ") || !strings.Contains(doc.Stdout, "on "+d+" (process ") {
			t.Errorf("doctor does not name the server on %s:\n%s", d, doc.Stdout)
		}
	}

	// Over a restart: one goes on, the other has left.
	w.must(w.agent.Stop(10 * time.Second))
	w.must(sc.Leave())
	w.must(w.agent.Restart())
	w.gone(third.Session)
	if again := w.live("tigervnc", a.Name); again.Session != yes.Session {
		t.Errorf("after the restart it is %s, was %s", again.Session, yes.Session)
	}
	w.must(sa.Leave())
	w.gone(yes.Session)
	if got := texts(w.arrived(yes.Session)); !strings.Contains(got, "CANARY-SCRAPED") {
		t.Errorf("the session lacks what was shown:\n%s", got)
	}
	w.nowhere("CANARY-DENIED-X11VNC")
	w.must(sb.Leave())
}

// The real xrdp and a FreeRDP client, on a desktop that Aval does not run in:
// nothing is recorded, and what happens is heard all the same. A cut connection
// is not the end of the desktop, coming back is a session of its own, and a
// log-off ends it; PAM, logind and two logs make no second session of one.
//
// Planted once and caught here: the service's own wait for the process hides how
// it ended.
func TestXrdp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("xrdp makes sessions of other users: it needs root")
	}
	if err := rig.Need("xfreerdp", "/usr/sbin/xrdp", "/usr/sbin/xrdp-sesman"); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	w.following("xrdp")
	server, err := w.StartXrdp()
	w.must(err)
	screen, err := w.StartXvfb("client", 1000, 700)
	w.must(err)
	connect := func() (*rig.Proc, rig.Session) {
		t.Helper()
		client, err := server.Client(screen)
		w.must(err)
		var got rig.Session
		w.must(w.Wait("a session of xrdp", 60*time.Second, func() (bool, error) {
			all, err := w.agent.Sessions()
			for _, s := range all {
				if s.Tool == "xrdp" {
					got = s
				}
			}
			return got.Session != "", fmt.Errorf("%w %+v\n%s", err, all, client.Tail())
		}))
		if got.Tool != "xrdp" || !strings.HasPrefix(got.Desktop, ":") || got.Supporter != "127.0.0.1" || got.Recording || !slices.Equal(got.Kinds, []string{"view", "control"}) {
			t.Errorf("%+v", got)
		}
		return client, got
	}
	over := func(s rig.Session, how ...string) {
		t.Helper()
		w.gone(s.Session)
		b, err := os.ReadFile(w.agent.Log)
		w.must(err)
		if !slices.ContainsFunc(how, func(h string) bool { return strings.Contains(string(b), "session="+s.Session+" how="+h) }) {
			t.Errorf("the service's log does not say how %s ended: %v", s.Session, how)
		}
	}
	client, first := connect()
	client.Kill()
	over(first, "left")

	client, second := connect()
	if second.Session == first.Session || second.Desktop != first.Desktop {
		t.Errorf("back again: %+v, was %+v", second, first)
	}
	w.must(server.LogOff())
	over(second, "closed", "left") // the connection may be gone a moment before the desktop is
	<-client.Done()
	rows, err := w.agent.Consents()
	w.must(err)
	rows = slices.DeleteFunc(rows, func(r rig.Consent) bool { return r.Tool != "xrdp" }) // other tests' servers
	if len(rows) != 2 {
		t.Errorf("%d decisions for two connections: %+v", len(rows), rows)
	}
	w.nothingRecorded()
}
