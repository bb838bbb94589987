package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"aval/agent/event"
)

// LogFile is a log that a remote tool writes on this computer.
type LogFile struct {
	Tool string
	Path string
	// Owner is whose folder it is in; 0: the system's, which only an
	// administrator writes.
	Owner uint32
	// Shared: other programs write to it too, so that it says nothing of whether
	// the tool is installed.
	Shared bool
}

// logReader turns the lines of a tool's logs into sessions. It reads neither
// clocks nor files; what it does not know it leaves out.
type logReader interface {
	// line takes one line of the file at path; now is when it was read.
	line(path, text string, now time.Time)
}

// logTools are the tools that are heard of by their logs alone.
var logTools = map[string]func(Sink) logReader{
	ToolTeamViewer: newTeamViewer,
	ToolAnyDesk:    newAnyDesk,
	ToolRustDesk:   newRustDesk,
	ToolChrome:     newChromeSyslog,
}

// Feed hears of sessions by a log of the system that is no file of lines.
type Feed struct {
	Name  string // "journal"
	Tools []string
	// run has each sign taken by the goroutine that owns the sessions, until ctx
	// ends or there is nothing to hear.
	run func(ctx context.Context, log *slog.Logger, sink Sink, take func(func())) error
}

// Logs hears of sessions by the log files of their tools.
type Logs struct {
	log   *slog.Logger
	sink  Sink
	files []LogFile
	feeds []Feed
	inbox chan func()
	// readers by whose files they read: the files of a tool repeat each other.
	readers map[logOwner]logReader
	hints   []Hint // that wait for their line, oldest first
	// started is called when all files are followed; nil: nobody asks.
	started func()
}

// NewLogs makes a watcher of these files and feeds; sink is called by Run's goroutine.
func NewLogs(log *slog.Logger, sink Sink, files []LogFile, feeds []Feed) *Logs {
	return &Logs{log: log, sink: sink, files: files, feeds: feeds, inbox: make(chan func(), 64), readers: map[logOwner]logReader{}}
}

type logOwner struct {
	tool  string
	owner uint32
}

// Hint takes a server's word about a connection. It counts where exactly one
// tool's log knows that connection, and is dropped otherwise, or while Run is busy
// or over. Any goroutine may call it.
func (l *Logs) Hint(h Hint) {
	select {
	case l.inbox <- func() { l.hint(h) }:
	default:
	}
}

func (l *Logs) hint(h Hint) {
	if !l.apply(h) && !h.Closed {
		if len(l.hints) >= maxHints {
			l.hints = l.hints[1:]
		}
		l.hints = append(l.hints, h)
	}
}

// apply has the hint used where it is known whom it concerns.
func (l *Logs) apply(h Hint) bool {
	var known hinted
	for k, r := range l.readers {
		if r, ok := r.(hinted); ok && k.tool == h.Tool && r.knows(h) {
			if known != nil {
				return false // two logs have that number: it cannot be told
			}
			known = r
		}
	}
	if known != nil {
		known.hint(h)
	}
	return known != nil
}

// again tries the hints that wait, after a line that may be theirs.
func (l *Logs) again(tool string, now time.Time) {
	l.hints = slices.DeleteFunc(l.hints, func(h Hint) bool {
		if d := now.Sub(h.At); d < 0 || d > hintWaits {
			return true
		}
		return h.Tool == tool && l.apply(h)
	})
}

// Run watches until ctx ends. What the files hold by now is left out: it was
// before Aval was there. It calls no End for what still goes on.
func (l *Logs) Run(ctx context.Context) error {
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer work.Wait()
	defer cancel()
	take := func(f func()) {
		select {
		case l.inbox <- f:
		case <-ctx.Done():
		}
	}
	for _, f := range l.files {
		read, ok := logTools[f.Tool]
		if !ok {
			continue
		}
		tail, err := OpenTail(f.Path, nil, l.log)
		if err != nil {
			l.log.Warn("follow log of a remote tool", "tool", f.Tool, "path", f.Path, "err", err)
			continue
		}
		k := logOwner{f.Tool, f.Owner}
		if l.readers[k] == nil {
			l.readers[k] = read(owned{l.sink, f.Owner})
		}
		r := l.readers[k]
		work.Go(func() {
			defer tail.Close()
			err := tail.Run(ctx, func(text string, _ Position) {
				now := time.Now()
				take(func() {
					r.line(f.Path, text, now)
					if len(l.hints) > 0 {
						l.again(f.Tool, now)
					}
				})
			})
			if err != nil && ctx.Err() == nil {
				l.log.Error("follow log of a remote tool", "tool", f.Tool, "path", f.Path, "err", err)
			}
		})
	}
	for _, f := range l.feeds {
		work.Go(func() {
			if err := f.run(ctx, l.log, l.sink, take); err != nil && ctx.Err() == nil {
				l.log.Warn("remote tools are not heard", "by", f.Name, "tools", f.Tools, "err", err)
			}
		})
	}
	if l.started != nil {
		l.started()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-l.inbox:
			f()
		}
	}
}

// owned marks sessions that an ordinary user's files tell of: each user has
// their own name space of ids, so that nobody's file ends another's session.
type owned struct {
	Sink
	uid uint32
}

func (o owned) id(s string) string {
	if o.uid == 0 {
		return s
	}
	return fmt.Sprintf("u%d:%s", o.uid, s)
}

func (o owned) Begin(f Found) {
	if o.uid != 0 { // else the reader may know better
		f.ID, f.Owner = o.id(f.ID), o.uid
	}
	if start, ok := ProcStart(f.Leader); f.Leader > 0 && ok {
		f.LeaderStart = start // where no line tells of the end, the process does
	} else {
		f.Leader = 0
	}
	o.Sink.Begin(f)
}

func (o owned) Kinds(tool, id string, kinds []string) { o.Sink.Kinds(tool, o.id(id), kinds) }

func (o owned) Event(tool, id string, kind event.Kind, fields map[string]string) {
	o.Sink.Event(tool, o.id(id), kind, fields)
}

func (o owned) End(tool, id, reason string) { o.Sink.End(tool, o.id(id), reason) }

// maxHomeLogs bounds the logs that are followed in users' folders: each takes one
// of the system's watches (inotify(7), max_user_instances).
const maxHomeLogs = 32

// LogFiles are the places in which the tools write their logs on this computer:
// those of the system, whether they are there by now or not, and those in users'
// folders that have the tool's own folder by now.
func LogFiles() []LogFile {
	out := systemLogs()
	for _, h := range homes() {
		for tool, patterns := range homeLogs {
			for _, p := range patterns {
				for _, path := range expand(filepath.Join(h.dir, p)) {
					if _, err := os.Stat(filepath.Dir(path)); err == nil && len(out) < maxHomeLogs {
						out = append(out, LogFile{Tool: tool, Path: path, Owner: h.uid})
					}
				}
			}
		}
	}
	return slices.CompactFunc(slices.SortedFunc(slices.Values(out), compareFiles), func(a, b LogFile) bool { return a.Path == b.Path })
}

func compareFiles(a, b LogFile) int {
	switch {
	case a.Path < b.Path:
		return -1
	case a.Path > b.Path:
		return 1
	}
	return int(int64(a.Owner) - int64(b.Owner))
}

// expand gives the files that a pattern names by now; a path without a pattern
// may appear later.
func expand(pattern string) []string {
	if filepath.Base(pattern) == pattern || !hasMeta(pattern) {
		return []string{pattern}
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return found
}

func hasMeta(s string) bool {
	for _, c := range s {
		if c == '*' || c == '?' || c == '[' {
			return true
		}
	}
	return false
}

// home is the folder of a user.
type home struct {
	dir string
	uid uint32
}

// WrittenLogs are the logs that exist: their tool is or was installed here.
func WrittenLogs() []LogFile {
	return slices.DeleteFunc(LogFiles(), func(f LogFile) bool {
		if f.Shared {
			return true
		}
		st, err := os.Stat(f.Path)
		return err != nil || !st.Mode().IsRegular()
	})
}

// earlier keeps a time out of the future: a clock that runs ahead must not make
// a session begin after it was read of.
func earlier(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// maxOpen bounds what a flood of lines in a log can do: the oldest is dropped.
const maxOpen = 64
