package watch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

const (
	// maxLine is the longest line that is delivered, in bytes; longer ones are
	// left out. The longest that a remote tool was seen to write has 400.
	maxLine = 64 << 10
	// headBytes is how much of a file's beginning tells it from another one that
	// took its place. Log files begin with a time or a version.
	headBytes = 256
	// maxBehind is how much of what was added is read at one go, in bytes: of more,
	// the end. A sparse file of any length costs its owner nothing.
	maxBehind = 64 << 20
	// maxSiblings bounds the search for a file that was renamed meanwhile.
	maxSiblings = 4096
)

// Position is how far a log file has been read. Its JSON form may be kept over a
// restart.
type Position struct {
	// File is the file's identity within this computer: device and inode, or
	// what the system has in their place.
	File string `json:"file"`
	// Head is the SHA-256 of the first HeadLen bytes, in hex: inodes are used
	// again.
	Head    string `json:"head"`
	HeadLen int    `json:"head_len"`
	// Offset is where the first line begins that was not delivered, in bytes.
	Offset int64 `json:"offset"`
}

// Start is the position before everything that the file holds.
var Start Position

// Tail delivers the lines that are added to a log file, each once and whole. The
// file may be absent, renamed, replaced, emptied or written in pieces; folders
// above it may appear later. It waits for the system's notices and never polls.
//
// A line that was cut off by an emptied file is lost, as it is in the file.
type Tail struct {
	path  string
	log   *slog.Logger
	watch *fsnotify.Watcher
	dir   string // that is watched: the file's, or the nearest above it that exists

	cur *reading // nil: the file is not there
	// old is the file before: who writes may go on in it until it is told to
	// open the new one.
	old *reading
}

// reading is one open file.
type reading struct {
	f    *os.File
	id   string
	next int64  // where to read on
	part []byte // the line that has no end yet
	skip bool   // it was too long: leave out what follows up to its end
	head []byte
}

// OpenTail begins to follow a file. from is where it was left, nil on a first
// run: then what the file holds by now is left out. What was written while
// nobody read is delivered first, also out of a file that has been renamed
// within its folder. Close ends it.
func OpenTail(path string, from *Position, log *slog.Logger) (*Tail, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	t := &Tail{path: filepath.Clean(path), log: log, watch: w}
	if err := t.follow(); err != nil {
		w.Close()
		return nil, err
	}
	if err := t.resume(from); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Close gives the files back; Run must have returned. A second call does nothing.
func (t *Tail) Close() error {
	err := t.watch.Close()
	for _, r := range []*reading{t.cur, t.old} {
		if r != nil {
			r.f.Close()
		}
	}
	t.cur, t.old = nil, nil
	return err
}

// Run delivers lines, without their ends, until ctx ends; the position is where
// the line after it begins. Both are called by Run's goroutine. It returns an
// error when the system stops telling of changes.
func (t *Tail) Run(ctx context.Context, line func(text string, next Position)) error {
	for {
		if err := t.follow(); err != nil {
			return err
		}
		if err := t.drain(line); err != nil {
			t.log.Warn("read log of a remote tool", "path", t.path, "err", err)
		}
		if err := t.wait(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// wait returns when something may have changed.
func (t *Tail) wait(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-t.watch.Events:
			if !ok {
				return errors.New("watch log of a remote tool: closed")
			}
			if t.concerns(e) {
				return nil
			}
		case _, ok := <-t.watch.Errors: // notices were lost: look
			if !ok {
				return errors.New("watch log of a remote tool: closed")
			}
			return nil
		}
	}
}

// concerns leaves out the other files of the folder: /var/log has many. A file
// that was renamed away keeps its place in old.
func (t *Tail) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	if t.dir != filepath.Dir(t.path) { // a folder above: what is written in it says nothing
		return e.Has(fsnotify.Create | fsnotify.Rename | fsnotify.Remove)
	}
	if e.Name == t.path || e.Name == t.dir || e.Has(fsnotify.Rename|fsnotify.Create|fsnotify.Remove) {
		return true
	}
	return t.old != nil && strings.HasPrefix(filepath.Base(e.Name), stem(t.path))
}

// stem is what a log keeps of its name when it is rotated: xrdp.log.1,
// TeamViewer15_Logfile_OLD.log.
func stem(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// follow watches the folder of the file, or the nearest above it that exists.
func (t *Tail) follow() error {
	dir := filepath.Dir(t.path)
	for {
		if dir == t.dir {
			if st, err := os.Stat(dir); err == nil && st.IsDir() && slices.Contains(t.watch.WatchList(), dir) {
				return nil
			}
		}
		err := t.watch.Add(dir)
		if err == nil {
			if t.dir != "" && t.dir != dir {
				_ = t.watch.Remove(t.dir) // gone with its folder, if that went
			}
			t.dir = dir
			return nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return fmt.Errorf("watch %s: %w", t.path, err)
		}
		dir = up
	}
}

// resume opens the file at the place where it was left.
func (t *Tail) resume(from *Position) error {
	r, err := open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		r, err = nil, nil
	}
	if err != nil {
		return err
	}
	switch {
	case from == nil && r != nil:
		if r.next, err = r.f.Seek(0, io.SeekEnd); err != nil {
			r.f.Close()
			return fmt.Errorf("find the end of %s: %w", t.path, err)
		}
		// The end may be in the middle of a line, of which nothing is known.
		var last [1]byte
		if r.next > 0 {
			if _, err := r.f.ReadAt(last[:], r.next-1); err == nil && last[0] != '\n' {
				r.skip = true
			}
		}
	case from == nil, *from == Start:
	case r != nil && r.matches(*from):
		r.next = from.Offset
	default:
		if old := t.find(*from); old != nil {
			old.next = from.Offset
			t.old = old
		}
	}
	t.cur = r
	return nil
}

// find looks for the file that was left, under the names that it may have got.
func (t *Tail) find(p Position) *reading {
	d, err := os.Open(filepath.Dir(t.path))
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxSiblings) // what could not be read is not found
	for _, name := range names {
		if !strings.HasPrefix(name, stem(t.path)) {
			continue
		}
		r, err := open(filepath.Join(filepath.Dir(t.path), name))
		if err != nil {
			continue
		}
		if r.matches(p) {
			return r
		}
		r.f.Close()
	}
	return nil
}

// open opens a regular file for reading; who writes may rename and delete it.
func open(path string) (*reading, error) {
	f, err := openShared(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("read %s: not a regular file", path)
	}
	var id string
	if err == nil {
		id, err = fileID(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &reading{f: f, id: id}, nil
}

// matches tells whether the file is the one of a position, and at least as long.
func (r *reading) matches(p Position) bool {
	if r.id != p.File || p.HeadLen < 0 || p.HeadLen > headBytes || p.Offset < 0 {
		return false
	}
	st, err := r.f.Stat()
	if err != nil || st.Size() < p.Offset {
		return false
	}
	head := make([]byte, p.HeadLen)
	if _, err := r.f.ReadAt(head, 0); err != nil {
		return false
	}
	return sum(head) == p.Head
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// drain delivers what has been added.
func (t *Tail) drain(line func(string, Position)) error {
	for range 8 { // a file that is replaced faster than it is read waits for the next notice
		if t.old != nil {
			if err := t.old.read(line); err != nil {
				return err
			}
		}
		if t.cur != nil {
			if err := t.cur.read(line); err != nil {
				return err
			}
		}
		now, err := open(t.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // renamed away: what is written to it is still read
		}
		if err != nil {
			return err
		}
		if t.cur != nil && now.id == t.cur.id {
			now.f.Close()
			return nil
		}
		if t.old != nil {
			t.old.f.Close()
		}
		t.old, t.cur = t.cur, now
	}
	return nil
}

// read delivers the lines up to where the file ends now: of what is added
// meanwhile there will be a notice.
func (r *reading) read(line func(string, Position)) error {
	end, err := r.checkHead()
	if err != nil {
		return err
	}
	if end-r.next > maxBehind {
		r.next, r.part, r.skip = end-maxBehind, nil, true
	}
	buf := make([]byte, 32<<10)
	for r.next < end {
		n, err := r.f.ReadAt(buf[:min(int64(len(buf)), end-r.next)], r.next)
		r.take(buf[:n], line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", r.f.Name(), err)
		}
	}
	return nil
}

// checkHead begins again where the file has been emptied, also if it is longer
// by now than it was. It returns how long that is, in bytes.
func (r *reading) checkHead() (size int64, err error) {
	st, err := r.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", r.f.Name(), err)
	}
	head := make([]byte, headBytes)
	n, err := r.f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read %s: %w", r.f.Name(), err)
	}
	if head = head[:n]; st.Size() < r.next || !bytes.HasPrefix(head, r.head) {
		r.next, r.part, r.skip = 0, nil, false
	}
	r.head = head
	return st.Size(), nil
}

// take splits what was read into lines.
func (r *reading) take(b []byte, line func(string, Position)) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		n := i + 1
		if i < 0 {
			n = len(b)
		}
		if !r.skip {
			r.part = append(r.part, b[:n]...)
		}
		r.next += int64(n)
		b = b[n:]
		if len(r.part) > maxLine {
			r.part, r.skip = nil, true
		}
		if i < 0 {
			return
		}
		if !r.skip {
			// A file that was emptied under somebody who writes on at the old
			// place begins with zeroes.
			text := strings.TrimLeft(strings.TrimRight(string(r.part), "\r\n"), "\x00")
			line(text, r.position())
		}
		r.part, r.skip = nil, false
	}
}

// position is where the line after the last one begins.
func (r *reading) position() Position {
	head := r.head[:min(int64(len(r.head)), r.next)]
	return Position{File: r.id, Head: sum(head), HeadLen: len(head), Offset: r.next}
}
