package service

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLogFile: a log that nobody else keeps small takes no more of the disk than it may,
// loses no record among the ones that are kept, splits none, and has what is written past
// it (as a panic is) in the latest file. Planted once each: the exchange of the
// descriptor left out (all goes on into the first file), the names counted from below (one
// record is in two files' place), no limit.
func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aval.log")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if !isFile(to, path) {
		t.Fatal("the log is not known")
	}
	l := newLogFile(to, path, func(f *os.File) error { return unix.Dup3(int(f.Fd()), int(to.Fd()), 0) })
	l.limit = 1000
	const writers, records = 4, 60
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range records {
				line := fmt.Sprintf("writer=%d record=%d %s\n", w, i, strings.Repeat("x", i%50))
				if n, err := l.Write([]byte(line)); err != nil || n != len(line) {
					t.Errorf("%d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := to.WriteString("panic: past the logger\n"); err != nil {
		t.Fatal(err)
	}

	var all string
	for n := keptLogs; n >= 0; n-- {
		name := path
		if n > 0 {
			name = fmt.Sprintf("%s.%d", path, n)
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(name)
		if err != nil || fi.Mode().Perm() != 0o600 || len(raw) > 1100 || len(raw) == 0 || raw[len(raw)-1] != '\n' {
			t.Errorf("%s: %v, %d bytes, %v", name, fi.Mode(), len(raw), err)
		}
		all += string(raw)
	}
	if names, _ := filepath.Glob(path + "*"); len(names) != 1+keptLogs {
		t.Errorf("there are %q", names)
	}
	// Of each writer what is kept is the end of what it wrote, in order.
	last := map[int]int{}
	for line := range strings.Lines(all) {
		var w, i int
		if strings.HasPrefix(line, "panic: ") {
			continue
		}
		if _, err := fmt.Sscanf(line, "writer=%d record=%d", &w, &i); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if before, ok := last[w]; ok && i != before+1 {
			t.Errorf("writer %d: record %d follows %d", w, i, before)
		}
		last[w] = i
	}
	for w, i := range last {
		if i != records-1 {
			t.Errorf("writer %d ends with record %d", w, i)
		}
	}
	if !strings.HasSuffix(all, "panic: past the logger\n") {
		t.Error("what was written past the logger is not at the end of the latest file")
	}
}

// TestLogFileGoesOn: where no new file can be begun, the old one is written on, and says
// so once for each length of a file.
func TestLogFileGoesOn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "aval.log")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	l := newLogFile(to, path, func(*os.File) error { return nil })
	l.limit = 100
	if err := os.MkdirAll(path+".new/in-the-way", 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if _, err := fmt.Fprintf(l, "record=%d of about twenty\n", i); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Count(string(raw), "record=") != 12 {
		t.Errorf("%v\n%s", err, raw)
	}
	if n := strings.Count(string(raw), "begin a new log"); n < 1 || n > 3 {
		t.Errorf("it says so %d times:\n%s", n, raw)
	}

	link := filepath.Join(dir, "link.log")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if isFile(to, link) || isFile(to, dir) {
		t.Error("a link, or a folder, is taken for the log")
	}
}
