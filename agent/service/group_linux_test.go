package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestGroup sets the group up for real, in a copy of /etc of its own: as root,
// in a mount namespace, so that the computer's own groups stay as they are.
// Leave the mode out of own, or take the owner after it, and it fails.
func TestGroup(t *testing.T) {
	if os.Getenv("AVAL_GROUP_TEST") == "" {
		if os.Geteuid() != 0 {
			t.Skip("only root can give programs to a group")
		}
		dir := t.TempDir()
		script := `mount -t tmpfs none "$1" && cp -a /etc "$1/etc" && mount --bind "$1/etc" /etc && mkdir -m 755 "$1/bin" && chmod 755 "$1" && exec "$2" -test.run '^TestGroup$' -test.v`
		cmd := exec.Command("unshare", "--mount", "sh", "-c", script, "sh", dir, os.Args[0])
		cmd.Env = append(os.Environ(), "AVAL_GROUP_TEST="+dir)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "unshare failed") || strings.Contains(string(out), "permission denied") && !strings.Contains(string(out), "TestGroup") {
			t.Skipf("no mount namespace here: %s", out)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := filepath.Join(os.Getenv("AVAL_GROUP_TEST"), "bin")
	for _, name := range append([]string{"aval"}, Asking...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	owner := func(name string) (uint32, uint32, os.FileMode) {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		return st.Uid, st.Gid, fi.Mode()
	}
	for range 2 { // again changes nothing
		if err := setGroup(dir); err != nil {
			t.Fatal(err)
		}
	}
	gid, err := groupID()
	if err != nil || gid == 0 {
		t.Fatalf("group %d, %v", gid, err)
	}
	for _, name := range Asking {
		if uid, g, mode := owner(name); uid != 0 || int(g) != gid || mode != os.ModeSetgid|0o755 {
			t.Errorf("%s: %d:%d %v", name, uid, g, mode)
		}
	}
	if _, g, mode := owner("aval"); g != 0 || mode != 0o700 {
		t.Errorf("aval itself: group %d, %v", g, mode)
	}
	if err := unsetGroup(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range Asking {
		if uid, g, mode := owner(name); uid != 0 || g != 0 || mode != 0o755 {
			t.Errorf("%s, taken back: %d:%d %v", name, uid, g, mode)
		}
	}
	if _, err := groupID(); err == nil {
		t.Error("the group is still there")
	}
	// What is not a program of its own is left alone.
	ui := filepath.Join(dir, "aval-ui")
	if err := os.Link(ui, filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if err := setGroup(dir); err == nil {
		t.Error("a file with two names became a program of the group")
	}
	if err := os.Remove(ui); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/sh", ui); err != nil {
		t.Fatal(err)
	}
	if err := setGroup(dir); err == nil {
		t.Error("a link became a program of the group")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := rootsAlone(dir); err == nil {
		t.Error("a folder of everybody's was taken")
	}
}
