//go:build unix

package module

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPlace: a folder that is held stays, one that was left behind goes with the
// lock files of its programs, and so does the own one in the end. To see it fail,
// let clean not look whether it is held, or not call wipe.
func TestPlace(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	file := func(dir, name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	there := func(path string, want bool) {
		t.Helper()
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: there=%v, want %v", path, err == nil, want)
		}
	}
	p, err := newPlace()
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(p.dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	mine := file(p.dir, "k")
	left := filepath.Join(base(), placePrefix+"left")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	file(left, "k")
	idle, busy := file(base(), "aval-desktop:1.lock"), file(base(), "aval-desktop:2.lock")
	living, err := hold(busy)
	if err != nil || living == nil {
		t.Fatal(err)
	}
	defer living.Close()
	elsewhere := t.TempDir()
	kept := file(elsewhere, "k")
	if err := os.Symlink(elsewhere, filepath.Join(base(), placePrefix+"link")); err != nil {
		t.Fatal(err)
	}
	clean()
	there(mine, true)
	there(left, false)
	there(idle, false)
	there(busy, true)
	there(kept, true)
	// What is removed is overwritten first: another name of the file shows it.
	if err := os.Link(mine, filepath.Join(elsewhere, "second")); err != nil {
		t.Fatal(err)
	}
	if err := p.destroy(); err != nil {
		t.Fatal(err)
	}
	there(p.dir, false)
	if raw, err := os.ReadFile(filepath.Join(elsewhere, "second")); err != nil || string(raw) != "\x00\x00\x00" {
		t.Errorf("%q, %v", raw, err)
	}
}
