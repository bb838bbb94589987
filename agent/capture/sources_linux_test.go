package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"aval/agent/event"
	"aval/agent/journal"
	"aval/agent/record"
	"aval/agent/session/watch/logindtest"
)

// TestFiles: what changes in a folder that a step works in is told, by name and
// only once; what editors put beside it, other folders and Aval's own are not.
//
// Planted: without known, a saved file is a new one; without own, the agent tells
// of itself for ever.
func TestFiles(t *testing.T) {
	top := t.TempDir()
	dir, other, own := filepath.Join(top, "work"), filepath.Join(top, "other"), filepath.Join(top, "own")
	for _, d := range []string{dir, other, own} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "old.conf"), "CANARY-CONTENT")
	write(filepath.Join(dir, "gone.conf"), "")
	for _, n := range []string{"old.conf", "gone.conf"} {
		os.Chtimes(filepath.Join(dir, n), time.Now(), time.Now().Add(-time.Hour))
	}
	w := newWork()
	w.scope.Own = own
	o := follows(t, runFiles, w, event.Files)
	w.looked(1, seen{name: "sed", cwd: dir, args: []string{"sed", "-i", "x", "old.conf"}}, false)
	w.looked(2, seen{name: "cp", cwd: own, args: []string{"cp", "a", own + "/b"}}, false)
	w.looked(3, seen{name: "tar", cwd: other, args: []string{"tar"}}, true) // within another step
	// Until the folder is watched.
	for n := 0; !strings.Contains(o.all(), "ready"); n++ {
		write(filepath.Join(dir, fmt.Sprintf("ready%d", n)), "x")
		if time.Sleep(300 * time.Millisecond); n > 100 {
			t.Fatal("the folder is not watched")
		}
	}
	write(filepath.Join(dir, "sedX1.tmp2"), "CANARY-CONTENT")
	if err := os.Rename(filepath.Join(dir, "sedX1.tmp2"), filepath.Join(dir, "old.conf")); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, ".old.conf.swp"), "")
	write(filepath.Join(dir, "new.conf"), "")
	os.Remove(filepath.Join(dir, "gone.conf"))
	write(filepath.Join(own, "data.db"), "")
	write(filepath.Join(other, "x"), "")
	o.wait(t, "file-changed action=changed name="+dir+"/old.conf", "file-changed action=created name="+dir+"/new.conf", "file-changed action=deleted name="+dir+"/gone.conf")
	for i := range 40 {
		write(filepath.Join(dir, fmt.Sprintf("many%d", i)), "")
	}
	// One event with a count; a slow computer may be told of them in two or three.
	counted := func() (events, files int) {
		for l := range strings.SplitSeq(o.all(), "\n") {
			var n int
			if _, err := fmt.Sscanf(l, "file-changed action=created count=%d", &n); err == nil {
				events, files = events+1, files+n
			} else if strings.Contains(l, dir+"/many") {
				events, files = events+1, files+1
			}
		}
		return events, files
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		events, files := counted()
		if files == 40 && events <= 10 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d files in %d events, want 40 in a few:\n%s", files, events, o.all())
		}
	}
	for _, no := range []string{"CANARY", "swp", "sedX1", "data.db", other} {
		if strings.Contains(o.all(), no) {
			t.Errorf("%s is told:\n%s", no, o.all())
		}
	}
}

func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		p    place
		want []string
	}{
		{place{cwd: dir, args: []string{"ls"}}, []string{dir}},
		{place{cwd: "/proc/self", args: []string{"cp", "/etc/hosts", dir}}, []string{"/etc", filepath.Dir(dir), dir}},
		{place{cwd: "/home/maria/.cache/x", args: []string{"curl", "https://example.com/a/b", "--output=" + dir + "/f"}}, []string{dir}},
		{place{cwd: "/", args: []string{"cat", "/var/log/syslog", "/usr/share/x", "/tmp/x", "-v", ""}}, nil},
	} {
		if got := c.p.folders(); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.p, got, c.want)
		}
	}
}

func TestSettingOf(t *testing.T) {
	for file, want := range map[string]string{
		"/etc/hosts": "network", "/etc/passwd": "user", "/etc/localtime": "time", "/etc/cups/ppd/laser.ppd": "printers",
		"/etc/NetworkManager/system-connections/wifi": "network", "/etc/fstab": "", "/home/x/etc/passwd": "", "/etc/sudoers.d/maria": "user",
	} {
		if got := settingOf(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// TestFilesWait: a file is told once it has been left alone for a moment, so that
// one that comes and goes is not. Planted: without the wait in tell, draft is told.
func TestFilesWait(t *testing.T) {
	o := &out{}
	g, err := newGate(o.emit, []record.Verified{GrantFor(t, "g", time.Hour, event.Files)}, []event.Kind{event.FileChanged}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := &folders{waits: map[string]*fileWait{}}
	now := time.Now()
	f.wait("/w/draft", "created", now)
	f.wait("/w/kept", "created", now)
	f.tell(g, now.Add(fileSettle/2))
	f.wait("/w/draft", "deleted", now.Add(fileSettle/2))
	f.tell(g, now.Add(2*fileSettle))
	if got := o.all(); got != "file-changed action=created name=/w/kept" {
		t.Error(got)
	}
}

// TestPackagesFollowed: a line counts only while the session has a package
// manager, so that what the system installs by itself is not told.
// Planted: without did, or without the time at which a tool began, "nobodys" is
// told; without a second look "unheard" is not.
func TestPackagesFollowed(t *testing.T) {
	log := filepath.Join(t.TempDir(), "dpkg.log")
	add := func(name string) {
		t.Helper()
		f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprintf(f, "2026-11-22 18:58:01 install %[1]s:all <none> 1\n2026-11-22 18:58:02 status installed %[1]s:all 1\n", name)
	}
	add("before")
	w := newWork()
	read := make(chan string, 16)
	run, err := followPackages([]packageLog{{log, func() func(string) (packageChange, bool) {
		parse := dpkgLines()
		return func(line string) (packageChange, bool) {
			c, ok := parse(line)
			if ok {
				read <- c.name
			}
			return c, ok
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	handled := func(name string) {
		t.Helper()
		for {
			select {
			case got := <-read:
				if got == name {
					return
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s was not read", name)
			}
		}
	}
	dpkg := func(pid int) { w.looked(pid, seen{name: "dpkg", args: []string{"dpkg", "-i"}, at: time.Now()}, false) }
	long := func() { // the last tool ended long ago
		w.mu.Lock()
		w.ended[packagers] = toolRun{time.Now().Add(-2 * time.Minute), time.Now().Add(-time.Minute)}
		w.mu.Unlock()
	}
	dpkg(7)
	add("mine") // before anybody reads
	o := follows(t, run, w, event.System)
	o.wait(t, "package-changed action=installed name=mine version=1")
	if strings.Contains(o.all(), "before") {
		t.Errorf("what was there before is told:\n%s", o.all())
	}
	w.gone(7)
	long()

	add("nobodys")
	handled("nobodys")
	again := time.Now().Add(heardOf + 500*time.Millisecond)
	time.Sleep(2 * noticed)
	dpkg(8) // begun after it
	add("his")
	o.wait(t, "package-changed action=installed name=his version=1")
	time.Sleep(time.Until(again)) // it runs when it is asked about "nobodys" again
	w.gone(8)
	long()

	began := time.Now()
	add("unheard")
	handled("unheard")
	w.looked(9, seen{name: "dpkg", at: began}, false) // of whom nothing was heard yet
	w.gone(9)
	o.wait(t, "package-changed action=installed name=unheard version=1")
	if strings.Contains(o.all(), "nobodys") {
		t.Errorf("what nobody of the session did is told:\n%s", o.all())
	}
}

// fakeSystemd is systemd's manager on a bus of the test.
type fakeSystemd struct {
	mu    sync.Mutex
	state map[string]string
}

func (f *fakeSystemd) Subscribe() *dbus.Error { return nil }

func (f *fakeSystemd) ListUnitFiles() ([]struct{ Path, State string }, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []struct{ Path, State string }
	for n, s := range f.state {
		out = append(out, struct{ Path, State string }{"/lib/systemd/system/" + n, s})
	}
	return out, nil
}

type fakeJob struct{ kind string }

func (j fakeJob) Get(_, _ string) (dbus.Variant, *dbus.Error) { return dbus.MakeVariant(j.kind), nil }

// TestServices: what becomes of services while the session works on them is
// told, failures always and once; other units and other people's doing are not.
//
// Planted: without did, cron's restart is told; without fails' memory, smbd
// fails twice; the name of the unit is not decoded.
func TestServices(t *testing.T) {
	m := logindtest.Start(t)
	f := &fakeSystemd{state: map[string]string{"cups.service": "disabled", "ssh.service": "enabled"}}
	if err := m.Conn.Export(f, systemdPath, systemdMan); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Conn.RequestName(systemdBus, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Conn.RequestName("org.freedesktop.login1", 0); err != nil {
		t.Fatal(err)
	}
	w := newWork()
	o := follows(t, runServices, w, event.System)
	id := uint32(0)
	job := func(unit, kind, result string) {
		t.Helper()
		id++
		path := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", id))
		if err := m.Conn.Export(fakeJob{kind}, path, properties); err != nil {
			t.Fatal(err)
		}
		for _, s := range []struct {
			name string
			args []any
		}{{"JobNew", []any{id, path, unit}}, {"JobRemoved", []any{id, path, unit, result}}} {
			if err := m.Conn.Emit(systemdPath, systemdMan+"."+s.name, s.args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A failure is told whoever did it: until one is, the bus is not listened to.
	for n := 0; !strings.Contains(o.all(), "name=probe"); n++ {
		job(fmt.Sprintf("probe%d.service", n), "start", "failed")
		time.Sleep(50 * time.Millisecond)
		if n > 200 {
			t.Fatal("nothing is heard")
		}
	}
	job("cron.service", "restart", "done")
	job("done1.service", "start", "failed") // everything before it has been handled
	o.wait(t, "service-changed action=failed name=done1")
	w.looked(9, seen{name: "systemctl", args: []string{"systemctl", "restart", "cups"}}, false)
	job("cups.service", "restart", "done")
	job("dev-sda.device", "start", "done")
	job("ssh.service", "reload", "done")
	job("smbd.service", "start", "failed")
	if err := m.Conn.Emit("/org/freedesktop/systemd1/unit/smbd_2eservice", properties+".PropertiesChanged", systemdUnit,
		map[string]dbus.Variant{"ActiveState": dbus.MakeVariant("failed")}, []string{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Conn.Emit("/org/freedesktop/systemd1/unit/nginx_2dold_2eservice", properties+".PropertiesChanged", systemdUnit,
		map[string]dbus.Variant{"ActiveState": dbus.MakeVariant("failed")}, []string{}); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.state["cups.service"] = "enabled"
	f.mu.Unlock()
	if err := m.Conn.Emit(systemdPath, systemdMan+".UnitFilesChanged"); err != nil {
		t.Fatal(err)
	}
	if err := m.Conn.Emit("/org/freedesktop/login1", loginMan+".PrepareForShutdown", true); err != nil {
		t.Fatal(err)
	}
	o.wait(t, "service-changed action=restarted name=cups", "service-changed action=reloaded name=ssh", "service-changed action=failed name=smbd",
		"service-changed action=failed name=nginx-old", "service-changed action=enabled name=cups", "restart stage=requested")
	for _, no := range []string{"cron", "dev-sda"} {
		if strings.Contains(o.all(), no) {
			t.Errorf("%s is told:\n%s", no, o.all())
		}
	}
	if n := strings.Count(o.all(), "name=smbd"); n != 1 {
		t.Errorf("smbd failed %d times:\n%s", n, o.all())
	}
}

func TestUnitOf(t *testing.T) {
	for path, want := range map[dbus.ObjectPath]string{
		"/org/freedesktop/systemd1/unit/cups_2eservice": "cups.service", "/org/freedesktop/systemd1/unit/a_40b_2d1_2eservice": "a@b-1.service", "/x/_": "_", "/x/_zz": "_zz",
	} {
		if got := unitOf(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestErrors: one program's errors over and over are a few events and a count;
// Aval's own are none, and of a trace only the first line is told.
func TestErrors(t *testing.T) {
	var got []string
	l := &errorLog{by: map[string]*errorsOf{}, tell: func(_ time.Time, program, text string, n int) {
		got = append(got, fmt.Sprintf("%s|%s|%d", program, text, n))
	}}
	at := time.Unix(1000, 0)
	say := func(ident, comm, text string) {
		l.entry(journal.Entry{At: at, Fields: map[string]string{"SYSLOG_IDENTIFIER": ident, "_COMM": comm, "MESSAGE": text}})
	}
	for i := range 10 {
		say("smbd", "smbd", fmt.Sprintf("bind %d\nat line 3", i))
	}
	say("aval", "aval", "x")
	say("", "kernel", "I/O error")
	at = at.Add(2 * alikeFor)
	say("smbd", "smbd", "again")
	want := []string{"smbd|bind 0|1", "smbd|bind 1|1", "smbd|bind 2|1", "kernel|I/O error|1", "smbd|bind 9|7", "smbd|again|1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestUevent(t *testing.T) {
	for text, want := range map[string]device{
		"add@/devices/pci0/usb1/1-2|ACTION=add|DEVPATH=/devices/pci0/usb1/1-2|SUBSYSTEM=usb|DEVTYPE=usb_device|PRODUCT=3f0/1": {"usb", "/devices/pci0/usb1/1-2"},
		"add@/devices/pci0/block/sdb|ACTION=add|DEVPATH=/devices/pci0/block/sdb|SUBSYSTEM=block|DEVTYPE=disk":                 {"disk", "/devices/pci0/block/sdb"},
		"add@/devices/virtual/block/loop0|DEVPATH=/devices/virtual/block/loop0|SUBSYSTEM=block|DEVTYPE=disk":                  {},
		"add@/devices/pci0/usb1/1-2:1.0|DEVPATH=/devices/pci0/usb1/1-2:1.0|SUBSYSTEM=usb|DEVTYPE=usb_interface":               {},
		"remove@/devices/pci0/usb1/1-2|DEVPATH=/devices/pci0/usb1/1-2|SUBSYSTEM=usb|DEVTYPE=usb_device":                       {},
		"add@/x|DEVPATH=/devices/../../etc|SUBSYSTEM=usb|DEVTYPE=usb_device":                                                  {},
		"libudev|x": {},
	} {
		got, ok := parseUevent([]byte(strings.ReplaceAll(text, "|", "\x00")))
		if !ok {
			got = device{}
		}
		if got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func FuzzUevent(f *testing.F) {
	f.Add([]byte("add@/devices/x\x00DEVPATH=/devices/x\x00SUBSYSTEM=usb\x00DEVTYPE=usb_device\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, ok := parseUevent(b); ok && (d.class == "" || strings.Contains(d.path, "..")) {
			t.Fatalf("%+v", d)
		}
	})
}

// TestDelivers: this system delivers every group here, for the tests need it.
func TestDelivers(t *testing.T) {
	if got := Delivers(); !slices.Equal(got, event.Groups) {
		t.Errorf("%v", got)
	}
}
