package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"aval/agent/event"
)

// Bounds of the watch for files.
const (
	maxPlaces = 64              // folders watched at a time; the least used goes
	placeFor  = 5 * time.Minute // how long a folder is watched after the last step in it
	maxPaths  = 8               // arguments of a command that are looked at
	maxCatch  = 1000            // entries of a new folder that are looked through
	maxWaits  = 1000            // changed files that wait to be told
	// fileSettle is how long a file must be left alone before it is told of:
	// who saves a file writes, renames and removes several.
	fileSettle = time.Second
	// fileAtMost is when a file is told of that is never left alone.
	fileAtMost = 30 * time.Second
	// maxFiles is how many files of one folder are told one by one; more at a
	// time are one event with a count.
	maxFiles = 5
)

// folders are those that the session works in.
type folders struct {
	watch *fsnotify.Watcher
	used  map[string]time.Time
	// known are the files that were there: what takes the place of one of them
	// has changed it.
	known map[string]map[string]bool // by folder
	waits map[string]*fileWait
}

// fileWait is a file that has changed.
type fileWait struct {
	action string
	at     time.Time // of the last change
	first  time.Time // of the first one that was not told
}

// runFiles tells of files that appear, change or go in the folders that the
// session's commands work in or name: their names, never what is in them. It
// does not go down into other folders.
func runFiles(ctx context.Context, g *gate, w *work) error {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer fw.Close()
	f := &folders{watch: fw, used: map[string]time.Time{}, known: map[string]map[string]bool{}, waits: map[string]*fileWait{}}
	var due <-chan time.Time
	for {
		if due == nil && len(f.waits)+len(f.used) > 0 {
			due = time.After(f.pause())
		}
		select {
		case <-ctx.Done():
			return nil
		case p := <-w.places:
			sooner := len(f.waits) == 0
			for _, dir := range p.folders() {
				if !within(dir, w.scope.Own) {
					f.use(dir, p.at)
				}
			}
			if sooner {
				due = nil
			}
		case e, ok := <-fw.Events:
			if !ok {
				return errors.New("watch files: the system stopped telling")
			}
			if e.Op == fsnotify.Chmod || ignoredFile(e.Name) || e.Name == w.scope.Own || w.did(time.Now(), packagers) && strings.HasPrefix(e.Name, "/etc/") {
				continue // what a package brings is told as a package
			}
			if len(f.waits) == 0 {
				due = nil
			}
			f.changed(e, time.Now())
		case _, ok := <-fw.Errors: // notices were lost (inotify(7), IN_Q_OVERFLOW)
			if !ok {
				return errors.New("watch files: the system stopped telling")
			}
			g.missed(0)
		case now := <-due:
			due = nil
			f.tell(g, now)
			f.trim(now)
		}
	}
}

// pause is when something is to be told, or a folder to be let go.
func (f *folders) pause() time.Duration {
	if len(f.waits) > 0 {
		return fileSettle / 2
	}
	return placeFor / 4
}

// use watches a folder from now on. What changed in it since the step began,
// before it was watched, is found by its time.
func (f *folders) use(dir string, since time.Time) {
	for d := range f.used {
		if samePath(d, dir) {
			dir = d
		}
	}
	_, known := f.used[dir]
	if !known {
		if !watchable(dir) {
			return
		}
		if len(f.used) >= maxPlaces {
			f.drop(oldest(f.used))
		}
		if f.watch.Add(dir) != nil {
			return
		}
	}
	f.used[dir] = since
	if known {
		return
	}
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	list, _ := d.ReadDir(maxCatch)
	f.known[dir] = make(map[string]bool, len(list))
	for _, e := range list {
		f.known[dir][e.Name()] = true
		name := filepath.Join(dir, e.Name())
		if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() && fi.ModTime().After(since.Add(-10*time.Millisecond)) && !ignoredFile(name) {
			f.wait(name, "changed", time.Now())
		}
	}
}

func oldest(m map[string]time.Time) string {
	var name string
	for k, t := range m {
		if name == "" || t.Before(m[name]) {
			name = k
		}
	}
	return name
}

func (f *folders) drop(dir string) {
	delete(f.used, dir)
	delete(f.known, dir)
	f.watch.Remove(dir)
}

// trim lets folders go in which nothing was done for a while.
func (f *folders) trim(now time.Time) {
	for dir, at := range f.used {
		if now.Sub(at) > placeFor {
			f.drop(dir)
		}
	}
}

func (f *folders) changed(e fsnotify.Event, now time.Time) {
	known, b := f.known[filepath.Dir(e.Name)], filepath.Base(e.Name)
	switch {
	case e.Has(fsnotify.Create) && !known[b]:
		f.wait(e.Name, "created", now)
	case e.Has(fsnotify.Create), e.Has(fsnotify.Write):
		if fi, err := os.Lstat(e.Name); err == nil && fi.IsDir() {
			return // something in it has changed, which is not looked at
		}
		f.wait(e.Name, "changed", now)
	case known == nil: // of the folder itself: who looks at the one above tells of it
		return
	case e.Has(fsnotify.Remove), e.Has(fsnotify.Rename):
		delete(known, b)
		f.wait(e.Name, "deleted", now)
		return
	}
	if known != nil && len(known) < maxCatch {
		known[b] = true
	}
}

// wait joins what happens to one file within a moment: a file that was there
// and is there again was changed; one that came and went is nothing.
func (f *folders) wait(name, action string, now time.Time) {
	p := f.waits[name]
	switch {
	case p == nil && len(f.waits) < maxWaits:
		f.waits[name] = &fileWait{action, now, now}
	case p == nil:
	case p.action == "created" && action == "deleted":
		delete(f.waits, name)
	case p.action == "deleted" && action != "deleted": // saved anew
		*p = fileWait{"changed", now, p.first}
	case p.action == "created":
		p.at = now
	default:
		*p = fileWait{action, now, p.first}
	}
}

// tell tells of the files that were left alone for a moment.
func (f *folders) tell(g *gate, now time.Time) {
	type key struct{ dir, action string }
	by := map[key][]string{}
	for name, p := range f.waits {
		if now.Sub(p.at) < fileSettle && now.Sub(p.first) < fileAtMost {
			continue
		}
		delete(f.waits, name)
		if settingOf(name) != "" && g.may(event.SettingChanged, now) {
			continue // told as that
		}
		k := key{filepath.Dir(name), p.action}
		by[k] = append(by[k], name)
	}
	for k, names := range by {
		if len(names) > maxFiles {
			g.pass(event.FileChanged, now, map[string]string{"action": k.action, "name": k.dir, "count": strconv.Itoa(len(names))})
			continue
		}
		slices.Sort(names)
		for _, name := range names {
			g.pass(event.FileChanged, now, map[string]string{"action": k.action, "name": name})
		}
	}
}

// folders are the folders that a step works in: where it runs, and those of the
// files that it names.
func (p place) folders() []string {
	var out []string
	add := func(dir string) {
		if dir = filepath.Clean(dir); filepath.IsAbs(dir) && !ignoredFolder(dir) && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	add(p.cwd)
	looked := 0
	for _, a := range p.args[min(1, len(p.args)):] {
		if _, v, ok := strings.Cut(a, "="); ok && strings.HasPrefix(a, "-") {
			a = v
		}
		if a == "" || strings.HasPrefix(a, "-") || len(a) > 1000 || strings.Contains(a, "://") {
			continue
		}
		if looked++; looked > maxPaths {
			break
		}
		if !filepath.IsAbs(a) {
			if !strings.ContainsAny(a, "/"+string(filepath.Separator)) || p.cwd == "" {
				continue // in the folder where it runs, if it is a file
			}
			a = filepath.Join(p.cwd, a)
		}
		add(filepath.Dir(a))
		if fi, err := os.Stat(a); err == nil && fi.IsDir() {
			add(a)
		}
	}
	return out
}

// within tells whether a path is a folder or in it. Nothing is in the folder "".
func within(path, dir string) bool {
	return dir != "" && (samePath(path, dir) || len(path) > len(dir) && samePath(path[:len(dir)], dir) && os.IsPathSeparator(path[len(dir)]))
}

// ignoredFolder: the system's own places, whose changes are told by other
// sources or are nobody's doing, and what programs keep for themselves.
func ignoredFolder(dir string) bool {
	if systemFolder(dir) {
		return true
	}
	for part := range strings.SplitSeq(filepath.ToSlash(dir), "/") {
		if strings.HasPrefix(part, ".") && part != ".ssh" && part != ".config" {
			return true
		}
	}
	return false
}

// ignoredFile: what editors, shells and package managers put beside a file for
// themselves.
func ignoredFile(name string) bool {
	b := filepath.Base(name)
	for _, suffix := range []string{"~", ".swp", ".swo", ".swx", ".swpx", ".tmp", ".part", ".lock", "_history", ".dpkg-new", ".dpkg-tmp", ".dpkg-dist", ".rpmnew", ".pid", "#", "-"} {
		if strings.HasSuffix(b, suffix) {
			return true
		}
	}
	for _, prefix := range []string{".#", "#", ".~lock", ".goutputstream", ".lesshst", ".viminfo", ".Xauthority", ".ICEauthority", ".sudo_as_admin", ".xsession-errors", ".wget-hsts", ".fuse_hidden", ".nfs"} {
		if strings.HasPrefix(b, prefix) {
			return true
		}
	}
	return b == "4913" || b == ".DS_Store" || strings.EqualFold(b, "desktop.ini") || strings.EqualFold(b, "thumbs.db") ||
		strings.HasPrefix(b, "~$") // vim tries with the first whether it may write; Office keeps the last beside a document
}
