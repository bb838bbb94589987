package capture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"aval/agent/event"
)

// sources of macOS. What launchd starts and stops, and what is plugged in, the
// system tells programs with C code alone; a restart is told to nobody before it.
var sources = []source{
	{name: "files", kinds: []event.Kind{event.FileChanged}, there: always, run: runFiles},
	{name: "packages", kinds: []event.Kind{event.PackageChanged}, there: always, run: runPackages},
	{name: "settings", kinds: []event.Kind{event.SettingChanged}, there: always, run: runSettings},
	{name: "errors", kinds: []event.Kind{event.ErrorLogged}, there: func() bool { _, err := os.Stat(logProgram); return err == nil }, run: runErrors},
}

// toolsOf are the tools of a sort (work.go).
var toolsOf = map[string]func(seen) bool{
	packagers: named("installer Installer softwareupdate brew port mas pkgutil munki managedsoftwareupdate"),
	servicers: named("launchctl"),
}

const (
	// installHistory lists what Apple's installers have installed.
	installHistory = "/Library/Receipts/InstallHistory.plist"
	// maxHistory is the longest of those lists that is read, in bytes.
	maxHistory = 8 << 20
)

// runPackages tells what is installed and upgraded while an installer of the session
// runs. Programs that are dragged into a folder, and what is removed, nothing tells.
func runPackages(ctx context.Context, g *gate, w *work) error {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("follow packages: %w", err)
	}
	defer fw.Close()
	if err := fw.Add(filepath.Dir(installHistory)); err != nil {
		return fmt.Errorf("follow packages: %w", err)
	}
	read := func() ([]receipt, error) {
		if st, err := os.Stat(installHistory); err != nil || st.Size() > maxHistory {
			return nil, err
		}
		raw, err := os.ReadFile(installHistory)
		if err != nil {
			return nil, err
		}
		return parseInstallHistory(raw)
	}
	before, err := read()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("follow packages: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-fw.Events:
			if !ok {
				return errors.New("follow packages: the system stopped telling")
			}
			if e.Name != installHistory {
				continue
			}
			now, err := read()
			if err != nil {
				continue // half written: another notice follows
			}
			changes := receiptChanges(before, now)
			before = now
			g.packages(w, changes...)
		case _, ok := <-fw.Errors:
			if !ok {
				return errors.New("follow packages: the system stopped telling")
			}
			// Notices were lost: what they told of is found by the next one.
		}
	}
}

// logProgram reads the system's log; never one that a PATH names.
const logProgram = "/usr/bin/log"

// runErrors tells of the faults in the system's log, which are its worst: ordinary
// errors there are so many that nobody would see one (log(1), os_log_type_t).
func runErrors(ctx context.Context, g *gate, _ *work) error {
	cmd := exec.CommandContext(ctx, logProgram, "stream", "--style", "ndjson", "--predicate", "messageType == fault")
	cmd.Env, cmd.Dir, cmd.WaitDelay = []string{"PATH=/usr/bin:/bin"}, "/", time.Second
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	l := newErrorLog(g)
	in := bufio.NewScanner(lines)
	in.Buffer(make([]byte, 64<<10), 1<<20)
	for in.Scan() {
		if at, program, text, ok := parseLogLine(in.Text()); ok {
			l.add(at, program, text)
		}
	}
	err = errors.Join(in.Err(), cmd.Wait())
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("follow the log: %w", err)
}

// systemFolder: places whose changes are told by other sources or are nobody's
// doing.
func systemFolder(dir string) bool {
	if dir == "/" {
		return true
	}
	for _, p := range []string{"/System", "/usr", "/bin", "/sbin", "/dev", "/Library", "/Applications", "/private/tmp", "/private/var", "/tmp", "/var", "/cores", "/Volumes/Recovery"} {
		if within(dir, p) && !within(dir, "/usr/local") && !within(dir, "/Library/Preferences") && !within(dir, "/Library/LaunchDaemons") && !within(dir, "/Library/LaunchAgents") {
			return true
		}
	}
	parts := strings.Split(dir, "/") // /Users/NAME/Library/…
	return len(parts) > 3 && parts[1] == "Users" && parts[3] == "Library" && (len(parts) < 5 || parts[4] != "Preferences" && parts[4] != "LaunchAgents")
}

// samePath tells whether two paths name the same: by default case says nothing.
func samePath(a, b string) bool { return strings.EqualFold(a, b) }

// maxEntries is how many entries a watched folder may have: kqueue(2) holds each of
// them open.
const maxEntries = 200

// watchable tells whether a folder is small enough to be watched.
func watchable(dir string) bool {
	d, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxEntries + 1)
	return len(names) <= maxEntries
}
