//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"aval/test/repair"
	"aval/test/rig"
)

// TestRepairSSH does the scripted repair over OpenSSH and scores what left the
// computer: nine of ten steps with their command, each at least by its name, and
// less than one event of noise for two of signal.
//
// Planted once and caught here: what a step starts is told like a step (the
// package's scripts are the noise); the statistics are not listened to (steps
// without a name); a shell's own group is told (noise of the login).
func TestRepairSSH(t *testing.T) {
	w, sh, row := repairLogin(t)
	folder := w.Path("repair", "work")
	pack, err := repair.Prepare(folder)
	w.must(err)
	t.Cleanup(repair.Clean)
	steps := repair.Steps(folder, pack)
	for _, s := range steps {
		w.must(sh.Run(s.Line))
	}
	score := w.score(steps, folder, row.Session, sh.Logout)
	t.Log(score)
	t.Logf("without their command: %q\nnot seen: %q\nnoise: %s", score.Bare, score.Unseen, strings.Join(score.Noise, "\n"))
	if !score.Good() {
		t.Error("that is not enough")
	}
	all, err := w.agent.Sent(row.Session)
	w.must(err)
	for _, want := range []map[string]string{
		{"kind": "package-changed", "action": "installed", "name": "aval-repair-demo", "version": "1.0"},
		{"kind": "package-changed", "action": "removed", "name": "aval-repair-demo"},
		{"kind": "file-changed", "action": "changed", "name": folder + "/printer.conf"},
	} {
		found := false
		for _, e := range all {
			fits := true
			for k, v := range want {
				fits = fits && e[k] == v
			}
			found = found || fits
		}
		if !found {
			t.Errorf("no %v", want)
		}
	}
}

// repairLogin is a company, a computer, and a login over OpenSSH whose recording
// the person at the desktop has allowed.
func repairLogin(t *testing.T) (*world, *rig.Shell, rig.Consent) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a login needs root: run make e2e as root")
	}
	if err := rig.Need("ssh", "ssh-keygen", "unshare", "dpkg-deb"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		t.Fatal("openssh-server is not installed: run test/deps.sh e2e")
	}
	w := newWorld(t, `{"SSHAccounts": ["root"], "QuestionSeconds": 60}`)
	d := w.desktop("desk", rig.WithGL)
	ssh, err := w.StartSSH(w.agent)
	w.must(err)
	sh, err := ssh.Login()
	w.must(err)
	w.must(w.question(d).Answer(true))
	row := w.decided(20 * time.Second)
	w.recording(row.Session, true, 20*time.Second)
	return w, sh, row
}

// score waits until everything has been written down, ends the session and
// rates what was recorded of it.
func (w *world) score(steps []repair.Step, folder, session string, end func()) repair.Score {
	w.t.Helper()
	// The last things are told when they have settled: wait until nothing comes.
	var all []map[string]any
	defer func() {
		if w.t.Failed() {
			w.t.Log(all)
		}
	}()
	last, since := -1, time.Now()
	w.must(w.Wait("the last event", 120*time.Second, func() (bool, error) {
		var err error
		if all, err = w.agent.Sent(session); err != nil {
			return false, err
		}
		if len(all) != last {
			last, since = len(all), time.Now()
		}
		return time.Since(since) > 12*time.Second, fmt.Errorf("%d events", len(all))
	}))
	end()
	var events []map[string]string
	for _, e := range all {
		m := map[string]string{}
		for k, v := range e {
			m[k] = fmt.Sprint(v)
		}
		events = append(events, m)
	}
	return repair.Rate(steps, folder, events)
}
