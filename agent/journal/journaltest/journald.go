//go:build linux

// Package journaltest runs a systemd-journald of its own for tests: the real
// program, on no service manager's word.
//
// The one rule that must not be broken: it is a namespace of its own
// (systemd-journald.service(8)) and touches no journal of the system.
package journaltest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Journal is a running journal.
type Journal struct {
	Namespace string
	t         testing.TB
	socket    string
}

// within bounds what a busy machine may take.
const within = time.Minute

// Start starts one that ends with the test, or skips the test where that is not
// possible.
func Start(t testing.TB) *Journal {
	t.Helper()
	const daemon, control = "/lib/systemd/systemd-journald", "/usr/bin/journalctl"
	_, err1 := os.Stat(daemon)
	_, err2 := os.Stat(control)
	if err1 != nil || err2 != nil || os.Geteuid() != 0 {
		t.Skip("needs systemd-journald, journalctl and root")
	}
	id, err := os.ReadFile("/etc/machine-id")
	machine := strings.TrimSpace(string(id))
	if err != nil || len(machine) != 32 {
		t.Skip("needs /etc/machine-id")
	}
	ns := "avaltest" + strconv.Itoa(os.Getpid()) + "x" + strconv.FormatInt(time.Now().UnixNano(), 36)
	run := "/run/systemd/journal." + ns
	cmd := exec.Command(daemon, ns)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(run)
		dirs, _ := filepath.Glob("/*/log/journal/" + machine + "." + ns) // a pattern that is well formed
		for _, d := range dirs {
			_ = os.RemoveAll(d)
		}
	})
	j := &Journal{Namespace: ns, t: t, socket: filepath.Join(run, "dev-log")}
	j.Control("--sync")
	return j
}

// Write sends a message as syslog(3) does.
func (j *Journal) Write(ident, text string) {
	j.t.Helper()
	c, err := net.Dial("unixgram", j.socket)
	if err == nil {
		_, err = c.Write([]byte("<13>" + time.Now().Format(time.Stamp) + " " + ident + ": " + text))
		c.Close()
	}
	if err != nil {
		j.t.Fatal(err)
	}
}

// Control has the journal do something, once it answers.
func (j *Journal) Control(args ...string) {
	j.t.Helper()
	var out []byte
	var err error
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if out, err = exec.Command("/usr/bin/journalctl", append([]string{"--namespace=" + j.Namespace, "--quiet"}, args...)...).CombinedOutput(); err == nil {
			return
		}
	}
	j.t.Fatalf("%v: %s", err, out)
}
