package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"aval/agent/event"
)

// ownSession is the desktop session that the tests run in.
func ownSession(t *testing.T) Scope {
	t.Helper()
	var id uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &id); err != nil {
		t.Fatal(err)
	}
	return Scope{Display: fmt.Sprintf("session-%d", id)}
}

// folder is one of the test's own. Wine cannot remove one as t.TempDir does.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(`C:\`, "aval-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, n := range append(names, dir) {
			_ = os.Remove(n)
		}
	})
	return dir
}

// TestWindowsPrograms: what is started in the session is told with its command
// line, how it ended with its status; another session's is not.
//
// Planted, each seen caught: the session's number not compared (the other session
// has programs); no handle kept (an end without a status).
func TestWindowsPrograms(t *testing.T) {
	scope := ownSession(t)
	var here, there out
	groups := []event.Group{event.Windows, event.Commands}
	r, err := Start(t.Context(), scope, here.emit, GrantFor(t, "g", time.Hour, groups...))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	other, err := Start(t.Context(), Scope{Display: "session-4711"}, there.emit, GrantFor(t, "g", time.Hour, groups...))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	if _, err := Start(t.Context(), Scope{Display: ":0"}, there.emit, GrantFor(t, "g", time.Hour, groups...)); err == nil {
		t.Error("a display of another system was taken")
	}

	cmd := exec.Command("cmd", "/c", "set /p x= & exit 3")
	cmd.Dir = folder(t)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	here.wait(t, `program-started command=cmd /c "set /p x= & exit 3" program=cmd`)
	in.Close()
	cmd.Wait()
	here.wait(t, "program-ended program=cmd seconds=0 status=3")
	if got := there.all(); got != "" {
		t.Errorf("of another session: %s", got)
	}
}

// TestWindowsProcess: a process's folder is read out of it, its name has nothing
// that only Windows adds.
func TestWindowsProcess(t *testing.T) {
	cmd := exec.Command("cmd", "/c", "set /p x=")
	cmd.Dir = folder(t)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	w, err := newProgramWatch(ownSession(t), func(program) {}, func(ending) {}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	list := w.processes()
	i := slices.IndexFunc(list, func(l listed) bool { return l.pid == cmd.Process.Pid })
	if i < 0 || list[i].ppid != os.Getpid() || list[i].start == 0 {
		t.Fatalf("%d is not in %+v", cmd.Process.Pid, list)
	}
	s, ok := w.read(list[i])
	if !ok || s.name != "cmd" || !strings.EqualFold(filepath.Base(s.file), "cmd.exe") || !samePath(strings.TrimRight(s.cwd, `\`), cmd.Dir) {
		t.Errorf("%+v, not in %s", s, cmd.Dir)
	}
	stale := list[i]
	stale.start++
	if _, ok := w.read(stale); ok {
		t.Error("another process of the same number was taken for it")
	}
}

// TestWindowsFiles: a file in a folder that a step works in is told; in the
// system's folders nothing is, whatever the case of their letters.
func TestWindowsFiles(t *testing.T) {
	dir := folder(t)
	w := newWork()
	o := follows(t, runFiles, w, event.Files)
	w.looked(1, seen{name: "cmd", cwd: dir, args: []string{"cmd"}}, false)
	w.looked(2, seen{name: "cmd", cwd: strings.ToUpper(dir), args: []string{"cmd"}}, false)
	name := filepath.Join(dir, "report.txt")
	for end := time.Now().Add(30 * time.Second); !strings.Contains(o.all(), "report.txt"); time.Sleep(300 * time.Millisecond) {
		if err := os.WriteFile(name, []byte("CANARY-CONTENT"), 0o600); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("nothing was told")
		}
		time.Sleep(2 * fileSettle)
	}
	if strings.Contains(o.all(), "CANARY") {
		t.Error(o.all())
	}
	for dir, ignored := range map[string]bool{
		`C:\`: true, `c:\windows\temp`: true, `C:\Program Files\Example`: true, `C:\Users\ana\AppData\Local\x`: true,
		`C:\Users\ana\Documents`: false, `C:\windows\system32\DRIVERS\etc`: false, `D:\data`: false,
	} {
		if ignoredFolder(dir) != ignored {
			t.Errorf("%s: %v", dir, !ignored)
		}
	}
}

// TestWindowsPackages: entries that come, change and go in a list of what is
// installed are told while an installer of the session runs, and not otherwise.
//
// Planted, each seen caught: did not asked (the system's own update is told);
// SystemComponent not read (a part of a program is told).
func TestWindowsPackages(t *testing.T) {
	path := fmt.Sprintf(`Software\Aval-Test-%d`, os.Getpid())
	k, _, err := registry.CreateKey(registry.CURRENT_USER, path, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	entry := func(key, name, version string, hidden uint32) {
		t.Helper()
		e, _, err := registry.CreateKey(k, key, registry.ALL_ACCESS)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.SetDWordValue("SystemComponent", hidden); err != nil {
			t.Fatal(err)
		}
		if err := e.SetStringValue("DisplayVersion", version); err != nil {
			t.Fatal(err)
		}
		if err := e.SetStringValue("DisplayName", name); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, n := range []string{"{A}", "{B}", "{C}", "{D}"} {
			_ = registry.DeleteKey(registry.CURRENT_USER, path+`\`+n)
		}
		_ = registry.DeleteKey(registry.CURRENT_USER, path)
	})
	entry("{A}", "Archiver 22.01", "22.01", 0)
	w := newWork()
	o := follows(t, func(ctx context.Context, g *gate, w *work) error {
		return followInstalled(ctx, []uninstallList{{registry.CURRENT_USER, path, registry.WOW64_64KEY}}, g, w)
	}, w, event.System)

	setup := seen{name: "archiver-x64", file: `C:\Users\ana\Downloads\archiver-x64.exe`}
	w.looked(7, setup, false)
	for end := time.Now().Add(30 * time.Second); o.all() == "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		entry("{B}", "Editor", fmt.Sprint(time.Now().UnixMilli()), 0) // until it is followed
	}
	entry("{C}", "A part", "1.0", 1)
	w.gone(7)
	w.mu.Lock()
	clear(w.ended) // long ago
	w.mu.Unlock()
	time.Sleep(2 * packageSettle)
	told := strings.Count(o.all(), "\n")
	entry("{D}", "Updated by itself", "1", 0) // nobody's doing here
	time.Sleep(2*packageSettle + 2*noticed)
	setup.at = time.Now() // begun after it
	w.looked(8, setup, false)
	if err := registry.DeleteKey(registry.CURRENT_USER, path+`\{A}`); err != nil {
		t.Fatal(err)
	}
	entry("{C}", "Archiver 23.00", "23.00", 0)
	o.wait(t, "package-changed action=upgraded before=22.01 name=Archiver 23.00 version=23.00")
	if got := o.all(); !strings.Contains(got, " name=Editor ") || strings.Contains(got, "A part") || strings.Contains(got, "by itself") || strings.Count(got, "\n") != told+1 {
		t.Error(got)
	}
}

// TestWindowsServices: a service that is stopped and started while the session
// works on services is told.
func TestWindowsServices(t *testing.T) {
	m, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Disconnect()
	s, err := m.OpenService("Spooler")
	if err != nil {
		t.Skip("no service that the test may stop:", err)
	}
	defer s.Close()
	state := func(want svc.State) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			now, err := s.Query()
			if err == nil && now.State == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%+v, %v", now, err)
			}
		}
	}
	if now, err := s.Query(); err == nil && now.State == svc.Stopped {
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
	}
	state(svc.Running)
	w := newWork()
	o := follows(t, runServices, w, event.System)
	w.looked(7, seen{name: "sc"}, false)
	time.Sleep(2 * servicesEvery) // the first reading
	if _, err := s.Control(svc.Stop); err != nil {
		t.Fatal(err)
	}
	state(svc.Stopped)
	list, err := services(m.Handle)
	if err != nil {
		t.Fatal(err)
	}
	title := list["Spooler"].name
	o.wait(t, "service-changed action=stopped name="+title)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	o.wait(t, "service-changed action=started name="+title)
}

// TestWindowsSettings: a value that is somebody's choice is told by its place; one
// that changes by itself is not; nor is what is in it.
func TestWindowsSettings(t *testing.T) {
	path := fmt.Sprintf(`Software\Aval-Settings-%d`, os.Getpid())
	k, _, err := registry.CreateKey(registry.CURRENT_USER, path+`\{1}`, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	t.Cleanup(func() {
		_ = registry.DeleteKey(registry.CURRENT_USER, path+`\{1}`)
		_ = registry.DeleteKey(registry.CURRENT_USER, path)
	})
	key := settingKey{"network", path, nil, []string{"NameServer", "EnableDHCP"}}
	o := follows(t, func(ctx context.Context, g *gate, _ *work) error {
		return followSettings(ctx, registry.CURRENT_USER, []settingKey{key}, g)
	}, newWork(), event.System)
	time.Sleep(time.Second) // it is asked for
	if err := k.SetDWordValue("LeaseObtainedTime", 7); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * settingSettle)
	if got := o.all(); got != "" {
		t.Errorf("a lease: %s", got)
	}
	if err := k.SetStringValue("NameServer", "192.0.2.53"); err != nil {
		t.Fatal(err)
	}
	o.wait(t, `setting-changed name=HKLM\`+path+`\{1} setting=network`)
	if strings.Contains(o.all(), "192.0.2.53") {
		t.Error(o.all())
	}
}

// TestWindowsLists: the system's lists of accounts, services, devices and installed
// programs can be read at all.
func TestWindowsLists(t *testing.T) {
	if all, err := accounts(); err != nil && !errors.Is(err, windows.ERROR_INVALID_LEVEL) || err == nil && len(all) == 0 { // Wine has no such list
		t.Errorf("accounts: %v, %v", all, err)
	}
	if _, err := devices(); err != nil {
		t.Errorf("devices: %v", err)
	}
	for _, l := range uninstallLists(ownSession(t)) {
		if _, err := l.read(); err != nil && !errors.Is(err, registry.ErrNotExist) {
			t.Errorf("%s: %v", l.path, err)
		}
	}
}
