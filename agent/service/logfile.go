package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// What a log of the service's own takes of the disk: the file that is written to and the
// older ones, which have a number after their name, 1 being the latest.
const (
	maxLog   = 5 << 20 // bytes of each
	keptLogs = 4       // older ones
)

// logFile is a log that somebody else has opened for the service and that nobody but the
// service keeps small. It is always the same descriptor that is written to; what it is
// open on is exchanged. So what does not come through here (a panic) is in the latest
// file too.
type logFile struct {
	mu    sync.Mutex
	path  string
	to    *os.File
	point func(to *os.File) error // has the descriptor of to be open on another file
	limit int64
	size  int64 // of the file that it is open on
}

// newLogFile keeps the log at path small, which to is open on.
func newLogFile(to *os.File, path string, point func(*os.File) error) *logFile {
	l := &logFile{path: path, to: to, point: point, limit: maxLog}
	if fi, err := to.Stat(); err == nil {
		l.size = fi.Size()
	}
	return l
}

// isFile tells whether f is open on what is at path itself, and not where a link leads.
func isFile(f *os.File, path string) bool {
	have, err1 := f.Stat()
	want, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(have, want)
}

// Write writes one record, whole, into one file. A log that cannot be exchanged for a
// new one is written on.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(p)) > l.limit {
		err := l.exchange()
		l.size = 0 // as after a new one: else each record would try again
		if err != nil {
			fmt.Fprintf(l.to, "level=ERROR msg=%q err=%q\n", "begin a new log", err)
		}
	}
	n, err := l.to.Write(p)
	l.size += int64(n)
	return n, err
}

// exchange begins a new file and counts the older ones up; the oldest goes. A new one
// that cannot be made leaves all as it is.
func (l *logFile) exchange() error {
	fresh := l.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	name := func(n int) string {
		if n == 0 {
			return l.path
		}
		return fmt.Sprintf("%s.%d", l.path, n)
	}
	for n := keptLogs; n > 0; n-- {
		if err := os.Rename(name(n-1), name(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(fresh, l.path); err != nil {
		return err
	}
	return l.point(f)
}
