//go:build linux || darwin

package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aval/agent/policy/source"
)

// TestTake: a token file is taken only where nobody else could have written it,
// put another in its place, or read it.
// Faults planted once, each caught by the line that names it: the file's owner not
// looked at, O_NOFOLLOW left out, the mode for readers not looked at, the folder's
// mode not looked at.
func TestTake(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(t *testing.T, dir, path string) string // the path that is given
		says    string                                      // empty: it is taken
	}{
		"its owner's alone": {nil, ""},
		"in a folder with the sticky bit": {func(t *testing.T, dir, path string) string {
			must(t, os.Chmod(dir, 0o777|os.ModeSticky))
			return path
		}, ""},
		"readable, in a closed folder": {func(t *testing.T, dir, path string) string {
			must(t, os.Chmod(path, 0o644))
			must(t, os.Chmod(dir, 0o700))
			return path
		}, ""},
		"readable by all": {func(t *testing.T, _, path string) string { must(t, os.Chmod(path, 0o644)); return path }, "can be read by other users"},
		"readable by a group": {func(t *testing.T, _, path string) string {
			must(t, os.Chmod(path, 0o640))
			return path
		}, "can be read by other users"},
		"writable by all": {func(t *testing.T, _, path string) string { must(t, os.Chmod(path, 0o602)); return path }, "can be written by others"},
		"another user's": {func(t *testing.T, _, path string) string {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			must(t, os.Chown(path, 65534, 65534))
			return path
		}, "belongs to user id 65534"},
		"in another user's folder": {func(t *testing.T, dir, path string) string {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			must(t, os.Chown(dir, 65534, 65534))
			return path
		}, "belongs to user id 65534"},
		"in a folder that all may change": {func(t *testing.T, dir, path string) string {
			must(t, os.Chmod(dir, 0o777))
			return path
		}, "can be written by others"},
		"below one that all may change": {func(t *testing.T, dir, path string) string {
			sub := filepath.Join(dir, "sub")
			must(t, os.Mkdir(sub, 0o755))
			must(t, os.Rename(path, filepath.Join(sub, "token.json")))
			must(t, os.Chmod(dir, 0o777))
			return filepath.Join(sub, "token.json")
		}, "can be written by others"},
		"a link": {func(t *testing.T, dir, path string) string {
			must(t, os.Symlink(path, filepath.Join(dir, "link.json")))
			return filepath.Join(dir, "link.json")
		}, "symbolic link"},
		"a pipe": {func(t *testing.T, dir, path string) string {
			must(t, os.Remove(path))
			must(t, syscall.Mkfifo(path, 0o600))
			return path
		}, "no regular file"},
		"none": {func(_ *testing.T, dir, _ string) string { return filepath.Join(dir, "other.json") }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "laid")
			must(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755)) // it is made for its owner alone
			must(t, os.Mkdir(dir, 0o755))
			path := filepath.Join(dir, "token.json")
			must(t, os.WriteFile(path, []byte("a token"), 0o600))
			if c.arrange != nil {
				path = c.arrange(t, dir, path)
			}
			raw, err := source.DropIn{Own: true}.Take(path)
			switch {
			case c.says == "" && (err != nil || string(raw) != "a token"):
				t.Errorf("%q, %v", raw, err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("taken as %q, %v; it should say %q", raw, err, c.says)
			}
		})
	}
}

// TestPut: a file is laid down whole, for its owner alone, and what somebody has
// put in its way is not written through.
// Fault planted once: the file made without O_EXCL and O_NOFOLLOW, and not removed before.
func TestPut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "enroll.d")
	must(t, os.Mkdir(dir, 0o700))
	in := source.DropIn{Dir: dir, Own: true}
	canary := filepath.Join(t.TempDir(), "canary")
	must(t, os.WriteFile(canary, []byte("canary"), 0o644))
	must(t, os.Symlink(canary, filepath.Join(dir, ".token.json.new")))
	must(t, os.Symlink(canary, filepath.Join(dir, "token.json")))
	must(t, in.Put("token.json", []byte("a token")))
	if raw, err := os.ReadFile(canary); err != nil || string(raw) != "canary" {
		t.Errorf("it was written through a link: %q, %v", raw, err)
	}
	st, err := os.Lstat(filepath.Join(dir, "token.json"))
	if err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	got, err := in.Read()
	if err != nil || len(got) != 1 || string(got[0].Raw) != "a token" {
		t.Errorf("%v, %v", got, err)
	}
	must(t, os.Chmod(dir, 0o777))
	if err := in.Put("token.json", []byte("another")); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("into a folder that all may change: %v", err)
	}
}

// TestTakeRaces swaps the file for a link to another's while it is taken: what is
// read is always a file that passed. Fault planted once: the file looked at by
// its name, with Lstat, and then opened by its name.
func TestTakeRaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "laid")
	must(t, os.Mkdir(dir, 0o755))
	path, canary := filepath.Join(dir, "token.json"), filepath.Join(dir, "canary")
	must(t, os.WriteFile(canary, []byte("canary"), 0o600))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		next := filepath.Join(dir, "next")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%2 == 0 {
				os.WriteFile(next, []byte("a token"), 0o600)
			} else {
				os.Symlink(canary, next)
			}
			os.Rename(next, path)
		}
	}()
	taken := 0
	for range 20_000 {
		raw, err := source.DropIn{Own: true}.Take(path)
		if err == nil && string(raw) == "canary" {
			t.Error("what the link leads to was taken")
			break
		}
		if err == nil && string(raw) == "a token" {
			taken++
		}
	}
	close(stop)
	<-stopped
	if taken == 0 {
		t.Error("the file itself was never taken: nothing was tried")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
