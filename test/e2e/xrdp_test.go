//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// TestXrdpSummary: from a session of the real xrdp to its summary. aval-desktop runs
// on the session's own desktop, and the question is answered through the RDP
// client, whose mouse is a device of the remote desktop's: it is not known whose
// hand that was, so everything stays here. When the supporter has gone, and the
// desktop with them, the same person is asked on the desktop where they sit, and
// what they say is sent. To see it fail, let register not call watch.Display: xrdp
// sets DISPLAY to :10.0, and nobody was asked on :10.
func TestXrdpSummary(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("xrdp makes sessions of other users: it needs root")
	}
	if err := rig.Need("xfreerdp", "/usr/sbin/xrdp", "/usr/sbin/xrdp-sesman"); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	w.must(os.Chmod(w.Dir, 0o711)) // to the socket in it, and nowhere else
	w.must(reachable(w.Program("aval-ui")))
	w.following("xrdp")
	server, err := w.StartXrdp()
	w.must(err)
	w.must(server.Begins(fmt.Sprintf("LC_ALL=pt_BR.UTF-8 '%s' --socket '%s' &", w.Program("aval-desktop"), w.agent.Socket)))
	screen, err := w.StartXvfb("client", 1000, 700)
	w.must(err)
	client, err := server.Client(screen)
	w.must(err)
	var s rig.Session
	w.must(w.Wait("a session of xrdp", 60*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		for _, one := range all {
			if one.Tool == "xrdp" {
				s = one
			}
		}
		return s.Session != "", fmt.Errorf("%w %+v\n%s", err, all, client.Tail())
	}))
	viewed, err := server.Desktop(s.Desktop)
	w.must(err)
	q, err := w.WaitQuestion(viewed, 60*time.Second)
	if err != nil {
		w.picture(viewed, "no-question")
		w.picture(screen, "client")
	}
	w.must(err)
	w.picture(viewed, "question")
	w.picture(screen, "client")
	w.must(q.WaitReady())
	w.must(screen.Click(q.Yes, 1)) // the client's window has the whole screen's corner
	row := w.decided(20 * time.Second)
	if row.Outcome != "allowed" || row.Provenance != "P0" || !row.Held {
		t.Fatalf("the decision is %+v", row)
	}
	w.recording(s.Session, true, 30*time.Second)
	const canary = "CANARY-BY-RDP"
	w.must(server.Show(s.Desktop, canary))
	w.must(w.Wait("the window in the record", 30*time.Second, func() (bool, error) {
		sent, err := w.agent.Sent(s.Session)
		return strings.Contains(fmt.Sprint(sent), canary), err
	}))
	w.nothingAtTheServer(canary)

	// The person's own desktop, where they come to sit.
	person := newUser(t, w, server.UID)
	own := w.desktop("own", rig.WithGL, person.as()...)
	if all := own.Find(rig.OfUI); len(all) != 0 {
		t.Errorf("asked while the supporter is there: %v", all)
	}
	w.must(server.LogOff())
	w.gone(s.Session)
	after := w.question(own)
	w.picture(own.Display, "after-leaving")
	w.nothingAtTheServer(canary)
	w.must(after.WaitReady())
	w.must(after.Answer(true))
	got := w.arrived(s.Session)
	if !strings.Contains(texts(got), canary) || got.Tool != "xrdp" {
		t.Errorf("arrived: %s\n%s", got.Tool, texts(got))
	}
}
