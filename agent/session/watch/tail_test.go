package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// logFile is a log that a test writes as a tool would.
type logFile struct {
	t    *testing.T
	path string
	tail *Tail
	got  []string
	at   *Position
}

func newLog(t *testing.T) *logFile {
	return &logFile{t: t, path: filepath.Join(t.TempDir(), "tool.log")}
}

func (l *logFile) write(s string) { l.writeTo(l.path, s) }

func (l *logFile) writeTo(path, s string) {
	l.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(s)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *logFile) open() {
	l.t.Helper()
	tail, err := OpenTail(l.path, l.at, slog.New(slog.DiscardHandler))
	if err != nil {
		l.t.Fatal(err)
	}
	l.tail = tail
	l.t.Cleanup(func() { tail.Close() })
}

func (l *logFile) look() {
	l.t.Helper()
	err := l.tail.drain(func(s string, p Position) { l.got, l.at = append(l.got, s), &p })
	if err != nil {
		l.t.Fatal(err)
	}
}

// restart keeps the position as the service does, over its JSON form.
func (l *logFile) restart() {
	l.t.Helper()
	l.tail.Close()
	if b, err := json.Marshal(l.at); err != nil {
		l.t.Fatal(err)
	} else if err := json.Unmarshal(b, &l.at); err != nil {
		l.t.Fatal(err)
	}
	l.open()
}

func (l *logFile) do(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestTail plays each trap that a log file sets. Planted once and caught here:
// no comparison of identities (rename, replaced), of heads (emptied, emptied and
// longer), a line delivered without its end (halves), the position
// taken after the unfinished line (restart in a line), reading from the
// beginning on a first run.
func TestTail(t *testing.T) {
	for name, c := range map[string]struct {
		play func(l *logFile)
		want []string
	}{
		"a first run begins at the end": {func(l *logFile) {
			l.write("before\n")
			l.open()
			l.look()
			l.write("after\n")
			l.look()
		}, []string{"after"}},
		"a first run in the middle of a line": {func(l *logFile) {
			l.write("before\nhalf of")
			l.open()
			l.write(" a line\nwhole\n")
			l.look()
		}, []string{"whole"}},
		"from its start": {func(l *logFile) {
			l.write("one\ntwo")
			l.at = &Start
			l.open()
			l.look()
			l.write("\n")
			l.look()
		}, []string{"one", "two"}},
		"the file appears later": {func(l *logFile) {
			l.open()
			l.look()
			l.write("first\n")
			l.look()
		}, []string{"first"}},
		"halves": {func(l *logFile) {
			l.open()
			for _, s := range []string{"on", "e\r", "\ntw", "o\nthr"} {
				l.write(s)
				l.look()
			}
		}, []string{"one", "two"}},
		"renamed, and written under both names": {func(l *logFile) {
			l.write("x\n")
			l.open()
			l.write("one\n")
			l.do(os.Rename(l.path, l.path+".1"))
			l.look()
			l.writeTo(l.path+".1", "two\n")
			l.look()
			l.write("") // the new file, empty
			l.look()
			l.writeTo(l.path+".1", "three\n") // before the tool was told
			l.look()
			l.write("four\n")
			l.look()
		}, []string{"one", "two", "three", "four"}},
		"twice renamed": {func(l *logFile) {
			l.open()
			for _, s := range []string{"one\n", "two\n", "three\n"} {
				l.write(s)
				l.look()
				l.do(os.Rename(l.path, l.path+"."+s[:2]))
			}
		}, []string{"one", "two", "three"}},
		"replaced by a longer file": {func(l *logFile) {
			l.write("a\n")
			l.open()
			l.writeTo(l.path+".new", "b\nc\nd\n")
			l.do(os.Rename(l.path+".new", l.path))
			l.look()
		}, []string{"b", "c", "d"}},
		"emptied": {func(l *logFile) {
			l.write("long line of the time before\n")
			l.open()
			l.look()
			l.do(os.Truncate(l.path, 0))
			l.write("one\n")
			l.look()
		}, []string{"one"}},
		"emptied and longer than before when seen": {func(l *logFile) {
			l.write("x 1\n")
			l.open()
			l.look()
			l.do(os.Truncate(l.path, 0))
			l.write("y 2\nz 3\n")
			l.look()
		}, []string{"y 2", "z 3"}},
		"emptied in the middle of a line": {func(l *logFile) {
			l.open()
			l.write("long line without an e")
			l.look()
			l.do(os.Truncate(l.path, 0))
			l.look()
			l.write("one\n")
			l.look()
		}, []string{"one"}},
		"emptied, and written at the old place": {func(l *logFile) {
			l.open()
			l.write(strings.Repeat("x", 90) + "\n")
			l.look()
			l.got = nil
			l.do(os.Truncate(l.path, 0))
			l.look()
			l.write(strings.Repeat("\x00", 91) + "one\n")
			l.look()
		}, []string{"one"}},
		"restart, and what was written meanwhile": {func(l *logFile) {
			l.open()
			l.write("one\n")
			l.look()
			l.tail.Close()
			l.write("two\n")
			l.restart()
			l.look()
			l.look()
		}, []string{"one", "two"}},
		"restart in a line": {func(l *logFile) {
			l.open()
			l.write("one\ntw")
			l.look()
			l.restart()
			l.write("o\n")
			l.look()
		}, []string{"one", "two"}},
		"restart, renamed meanwhile": {func(l *logFile) {
			l.open()
			l.write("one\n")
			l.look()
			l.write("two\n")
			l.do(os.Rename(l.path, l.path+".1"))
			l.write("three\n")
			l.restart()
			l.look()
		}, []string{"one", "two", "three"}},
		"restart, emptied meanwhile": {func(l *logFile) {
			l.open()
			l.write("one\n")
			l.look()
			l.do(os.Truncate(l.path, 0))
			l.write("other\nmore\n")
			l.restart()
			l.look()
		}, []string{"one", "other", "more"}},
		"a line that is too long": {func(l *logFile) {
			l.open()
			l.write("one\n" + strings.Repeat("x", maxLine+1))
			l.look()
			l.write(strings.Repeat("x", maxLine) + "\ntwo\n")
			l.look()
		}, []string{"one", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.t = t
			c.play(l)
			if !slices.Equal(l.got, c.want) {
				t.Errorf("%q, want %q", l.got, c.want)
			}
		})
	}
}

func TestTailRefuses(t *testing.T) {
	l := newLog(t)
	l.do(os.Mkdir(l.path, 0o700))
	if tail, err := OpenTail(l.path, nil, slog.New(slog.DiscardHandler)); err == nil {
		tail.Close()
		t.Error("a folder was taken for a log")
	}
}

// TestTailRun waits for the system's notices, also for those of folders that do
// not exist yet. Planted once: without the watch on the nearest folder above,
// the new folder is not announced.
func TestTailRun(t *testing.T) {
	l := newLog(t)
	l.path = filepath.Join(t.TempDir(), "var", "log", "tool.log")
	l.open()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	l.do(os.Mkdir(filepath.Dir(filepath.Dir(l.path)), 0o700))
	if err := l.tail.wait(ctx); err != nil || ctx.Err() != nil {
		t.Fatal("the new folder was not announced", err)
	}
	var mu sync.Mutex
	done := make(chan error)
	go func() {
		done <- l.tail.Run(ctx, func(s string, _ Position) { mu.Lock(); defer mu.Unlock(); l.got = append(l.got, s) })
	}()
	want := func(lines ...string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			ok := slices.Equal(l.got, lines)
			mu.Unlock()
			if ok {
				return
			}
			if time.Now().After(end) {
				mu.Lock()
				defer mu.Unlock()
				t.Fatalf("%q, want %q", l.got, lines)
			}
		}
	}
	l.do(os.Mkdir(filepath.Dir(l.path), 0o700))
	l.write("one\n")
	want("one")
	l.do(os.Rename(l.path, l.path+".1"))
	l.write("two\n")
	want("one", "two")
	l.do(os.Truncate(l.path, 0))
	want("one", "two")
	l.write("3\n")
	want("one", "two", "3")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// FuzzTail gives the same lines however a file is cut into writes.
func FuzzTail(f *testing.F) {
	f.Add([]byte("one\r\ntwo\n\x00three\nfou"), uint8(3))
	f.Fuzz(func(t *testing.T, content []byte, step uint8) {
		if len(content) > maxLine {
			return
		}
		r := &reading{}
		var got []string
		for rest, n := content, int(step)+1; len(rest) > 0; rest = rest[min(n, len(rest)):] {
			r.take(rest[:min(n, len(rest))], func(s string, _ Position) { got = append(got, s) })
		}
		whole := strings.SplitAfter(string(content), "\n")
		var want []string
		for _, s := range whole[:len(whole)-1] {
			want = append(want, strings.TrimLeft(strings.TrimRight(s, "\r\n"), "\x00"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestSparse: a log of a terabyte that holds nothing deafens nobody, and its last
// lines are heard. (Without maxBehind the drain, in which all tools' watcher waits,
// takes minutes.)
func TestSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tool.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("\nthe last\n"), 1<<40); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	tail, err := OpenTail(path, &Start, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	done := make(chan error, 1)
	go func() { done <- tail.drain(func(text string, _ Position) { got = append(got, text) }) }()
	select {
	case err := <-done:
		if err != nil || len(got) != 1 || got[0] != "the last" {
			t.Errorf("%q, %v", got, err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it is still being read")
	}
	tail.Close()
}
