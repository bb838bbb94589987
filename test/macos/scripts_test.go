//go:build e2e

package macos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/installer/macos"
	"aval/test/rig"
)

// tools are what the scripts use of a system, and find in their PATH of four folders.
var tools = []string{"sh", "awk", "cat", "chmod", "chown", "echo", "id", "ls", "mkdir", "mv", "rm", "rmdir", "sleep", "sort"}

// played are those of macOS that no other system has: each writes down what it was
// called with, and does as much as the scripts see.
var played = map[string]string{
	"launchctl": `[ "$1" != print ]`, // nothing is running
	"pkgutil":   "",
	"stat":      `[ "$*" = "-f %u /dev/console" ] && echo 501`,
	"ps":        `[ "$*" = "-axo uid=,comm=" ] && printf '%s\n' '    0 /sbin/launchd' '  501 /opt/aval/bin/aval-desktop' '  502 /tmp/aval-desktopper'`,
	"dseditgroup": `case $* in
		"-o read _aval") grep -q '^_aval:' /etc/group ;;
		"-o create -r Aval _aval") echo '_aval:x:700:' >>/etc/group ;;
		"-o delete _aval") : >/etc/group ;;
		*) exit 64 ;;
	esac`,
}

// system is a root of its own, laid out as that of a Mac, in which scripts run.
type system struct {
	t    *testing.T
	root string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run scripts in a root of their own")
	}
	if err := rig.Need("unshare", "chroot", "cpio", "zcat", "bsdtar", "openssl"); err != nil {
		t.Fatal(err)
	}
	s := &system{t, t.TempDir()}
	s.must(os.Chmod(s.root, 0o755))
	for _, dir := range []string{"usr/bin", "usr/sbin", "sbin", "dev", "host", "Library/LaunchDaemons", "Library/LaunchAgents", "Library/Logs", "private/etc", "private/var/db"} {
		s.must(os.MkdirAll(s.path(dir), 0o755))
	}
	for link, to := range map[string]string{"bin": "usr/bin", "lib": "host/lib", "lib64": "host/lib64", "etc": "private/etc", "var": "private/var"} {
		s.must(os.Symlink(to, s.path(link)))
	}
	for _, name := range append([]string{"grep"}, tools...) {
		path, err := exec.LookPath(name)
		s.must(err)
		path, err = filepath.EvalSymlinks(path)
		s.must(err)
		s.must(os.Symlink("/host"+strings.TrimPrefix(path, "/usr"), s.path("usr/bin/"+name)))
	}
	for name, does := range played {
		s.must(os.WriteFile(s.path("usr/bin/"+name), []byte("#!/bin/sh\necho "+name+" \"$@\" >>/log\n"+does+"\n"), 0o755))
	}
	s.must(os.WriteFile(s.path("etc/passwd"), []byte("root:x:0:0::/:/bin/sh\n"), 0o644))
	s.must(os.WriteFile(s.path("etc/group"), []byte("wheel:x:0:\n"), 0o644))
	return s
}

func (s *system) path(p string) string { return filepath.Join(s.root, p) }

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// script runs a script in the root. What it wrote comes back, and whether it went well.
func (s *system) script(text string, args ...string) (string, bool) {
	s.t.Helper()
	s.must(os.WriteFile(s.path("script"), []byte(text), 0o755))
	const enter = `mount --bind /usr "$0/host" && r=$0 && exec chroot "$r" /bin/sh /script "$@"`
	cmd := exec.CommandContext(s.t.Context(), "unshare", append([]string{"--mount", "sh", "-c", enter, s.root}, args...)...)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "unshare failed") || strings.Contains(string(out), "mount:") {
		s.t.Skipf("this computer gives no mount namespace: %s", out)
	}
	return string(out), err == nil
}

// log is what the tools of macOS were called with since it was asked last.
func (s *system) log() string {
	s.t.Helper()
	raw, _ := os.ReadFile(s.path("log")) // none of them was called
	s.must(os.RemoveAll(s.path("log")))
	return string(raw)
}

// open makes a package of a version and returns its scripts; unpack lays its files
// into the root, as the installer does between them.
func (s *system) open(version string) (before, after string, unpack func()) {
	s.t.Helper()
	var b bytes.Buffer
	program := fmt.Sprintf("#!/bin/sh\ncase $1 in\n--version) echo aval %s ;;\npurge) [ ! -e /private/var/db/aval/waits ] && rm -rf /private/var/db/aval ;;\nesac\n", version)
	s.must(macos.Write(&b, macos.Options{Version: version, At: time.Unix(1_700_000_000, 0),
		Programs: []macos.Program{{Name: "aval", Data: []byte(program)}, {Name: "aval-desktop", Data: []byte(program)}}}))
	dir := s.t.TempDir()
	s.must(os.WriteFile(filepath.Join(dir, "a.pkg"), b.Bytes(), 0o600))
	run(s.t, dir, "bsdtar", "-xf", "a.pkg")
	run(s.t, dir, "sh", "-c", "zcat aval.pkg/Scripts | cpio -id --quiet")
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		s.must(err)
		return string(raw)
	}
	return read("preinstall"), read("postinstall"), func() {
		run(s.t, s.root, "sh", "-c", "zcat "+filepath.Join(dir, "aval.pkg", "Payload")+" | cpio -idu --quiet --no-preserve-owner")
	}
}

// install does what the installer does.
func (s *system) install(version string) (out string, ok bool) {
	before, after, unpack := s.open(version)
	if out, ok := s.script(before, "/a.pkg", "/", "/"); !ok {
		return out, false
	}
	unpack()
	return s.script(after, "/a.pkg", "/", "/")
}

func (s *system) lacks(paths ...string) {
	s.t.Helper()
	for _, p := range paths {
		if _, err := os.Lstat(s.path(p)); err == nil {
			s.t.Errorf("%s is still there", p)
		}
	}
}

// TestScripts is the life of an installation, as the scripts see it. Planted once:
// chmod before chown in postinstall (the kernel takes the bit away with the owner);
// the comparison of versions turned round; the bootout left out of preinstall.
func TestScripts(t *testing.T) {
	s := newSystem(t)
	s.must(os.MkdirAll(s.path("etc/aval/enroll.d"), 0o755)) // a token that came first
	s.must(os.WriteFile(s.path("etc/aval/enroll.d/token.json"), []byte("{}"), 0o600))
	if out, ok := s.install("1.2.3"); !ok {
		t.Fatal(out)
	}
	log := s.log()
	for _, want := range []string{"launchctl bootstrap system /Library/LaunchDaemons/aval.plist\n", "launchctl bootstrap gui/501 /Library/LaunchAgents/aval-desktop.plist\n", "dseditgroup -o create -r Aval _aval\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("not called: %s in\n%s", want, log)
		}
	}
	fi, err := os.Stat(s.path("opt/aval/bin/aval-desktop"))
	s.must(err)
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 0 || st.Gid != 700 || st.Mode&0o7777 != 0o2755 {
		t.Errorf("aval-desktop: %d:%d, %o", st.Uid, st.Gid, st.Mode)
	}
	if fi, err := os.Stat(s.path("etc/aval/enroll.d")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the folder of tokens: %v, %v", fi.Mode(), err)
	}
	if raw, err := os.ReadFile(s.path("etc/aval/enroll.d/token.json")); err != nil || string(raw) != "{}" {
		t.Error("the token that was there is gone:", err)
	}

	// An older version is refused before anything is stopped; the same one repairs, and
	// a newer one stops the service before its files.
	for version, may := range map[string]bool{"1.2.2": false, "1.2.3-rc.9": false, "0.99.99": false, "1.2.3": true, "1.2.10": true, "2.0.0-rc.1": true} {
		before, _, _ := s.open(version)
		out, ok := s.script(before, "/a.pkg", "/", "/")
		log := s.log()
		if ok != may || may != strings.Contains(log, "launchctl bootout system/aval\n") || !may && !strings.Contains(out, "1.2.3 is installed") {
			t.Errorf("%s over 1.2.3: %v, %q, %q", version, ok, out, log)
		}
	}
	if out, ok := s.install("1.3.0"); !ok {
		t.Fatal(out)
	}
	if log := s.log(); strings.Contains(log, "dseditgroup -o create") || strings.Index(log, "bootout system/aval") > strings.Index(log, "bootstrap system") {
		t.Errorf("upgrade: %s", log)
	}

	// Removal: the data stays, then goes when it is told to and nothing waits.
	s.must(os.MkdirAll(s.path("private/var/db/aval"), 0o700))
	s.must(os.WriteFile(s.path("private/var/db/aval/waits"), nil, 0o600))
	s.must(os.WriteFile(s.path("etc/aval/policies/managed/company.json"), []byte("{}"), 0o644))
	uninstall, err := os.ReadFile(s.path("opt/aval/uninstall"))
	s.must(err)
	if out, ok := s.script(string(uninstall), "--data"); ok || !strings.Contains(out, "nothing was removed") {
		t.Errorf("what waits: %v, %s", ok, out)
	}
	if _, err := os.Stat(s.path("opt/aval/bin/aval")); err != nil {
		t.Error(err)
	}
	if out, ok := s.script(string(uninstall), "--dat"); ok || !strings.Contains(out, "usage") {
		t.Errorf("a wrong word: %v, %s", ok, out)
	}
	s.log()
	if out, ok := s.script(string(uninstall)); !ok || !strings.Contains(out, "stay in /var/db/aval") {
		t.Errorf("removal: %v, %s", ok, out)
	}
	log = s.log()
	for _, want := range []string{"launchctl bootout system/aval\n", "launchctl bootout gui/501/aval-desktop\n", "dseditgroup -o delete _aval\n", "pkgutil --forget aval.Aval\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("not called: %s in\n%s", want, log)
		}
	}
	if strings.Contains(log, "502") {
		t.Errorf("another's program was taken for ours: %s", log)
	}
	s.lacks("opt", "Library/LaunchDaemons/aval.plist", "Library/LaunchAgents/aval-desktop.plist", "etc/paths.d/aval", "etc/aval/enroll.d", "etc/aval/policies/recommended")
	for _, stays := range []string{"private/var/db/aval/waits", "etc/aval/policies/managed/company.json", "Library/LaunchDaemons"} {
		if _, err := os.Stat(s.path(stays)); err != nil {
			t.Error(err)
		}
	}
	s.must(os.Remove(s.path("private/var/db/aval/waits")))
	if out, ok := s.install("1.3.0"); !ok {
		t.Fatal(out)
	}
	if out, ok := s.script(string(uninstall), "--data"); !ok {
		t.Error(out)
	}
	s.lacks("private/var/db/aval", "opt")
}

// TestHostileFolders: where somebody else than root could put a program in the place
// of ours, nothing is installed, and it says where. Planted once: the 9th letter of
// the mode not looked at.
func TestHostileFolders(t *testing.T) {
	for why, c := range map[string]struct {
		dir    string
		change func(s *system, path string)
	}{
		"everybody may write": {"/opt", func(s *system, p string) { s.must(os.Chmod(p, 0o777)) }},
		"a group may write":   {"/opt/aval/bin", func(s *system, p string) { s.must(os.Chmod(p, 0o775)) }},
		"a user owns it":      {"/opt/aval", func(s *system, p string) { s.must(os.Chown(p, 501, 0)) }},
		"it leads elsewhere": {"/opt/aval", func(s *system, p string) {
			s.must(os.Remove(p + "/bin"))
			s.must(os.Remove(p))
			s.must(os.Symlink("/tmp", p))
		}},
		"daemons of others":   {"/Library/LaunchDaemons", func(s *system, p string) { s.must(os.Chmod(p, 0o757)) }},
		"the data leads away": {"/private/var/db/aval", func(s *system, p string) { s.must(os.Remove(p)); s.must(os.Symlink("/Users/Shared", p)) }},
		"logs of others":      {"/Library/Logs/Aval", func(s *system, p string) { s.must(os.Chown(p, 501, 20)) }},
		"policies of others":  {"/private/etc/aval", func(s *system, p string) { s.must(os.Chown(p, 501, 20)) }},
	} {
		t.Run(why, func(t *testing.T) {
			s := newSystem(t)
			for _, d := range []string{"opt/aval/bin", "private/var/db/aval", "private/etc/aval", "Library/Logs/Aval"} {
				s.must(os.MkdirAll(s.path(d), 0o755))
			}
			before, _, _ := s.open("1.2.3")
			if out, ok := s.script(before, "/a.pkg", "/", "/"); !ok {
				t.Fatal("with folders of root's:", out)
			}
			c.change(s, s.path(c.dir))
			if out, ok := s.script(before, "/a.pkg", "/", "/"); ok || !strings.Contains(out, c.dir) {
				t.Errorf("%v: %s", ok, out)
			}
		})
	}
}

// TestJamf runs the examples of the page for Jamf, in their order: the profile is signed
// and verified, the token lies where the service takes it, closed to others, after the
// package and before it, and the removal leaves nothing. Planted once: the umask left out.
func TestJamf(t *testing.T) {
	page, err := os.ReadFile("../../docs/mdm/jamf.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != 4 {
		t.Fatalf("%d examples", len(blocks))
	}
	sign, enrol, look, remove := blocks[0], blocks[1], blocks[2], blocks[3]

	dir := t.TempDir()
	profile, err := os.ReadFile("../../installer/mdm/macos/Aval.mobileconfig")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Aval.mobileconfig"), profile, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Aval test", "-keyout", "key.pem", "-out", "cert.pem")
	run(t, dir, "sh", "-c", sign)
	run(t, dir, "openssl", "smime", "-verify", "-binary", "-inform", "der", "-CAfile", "cert.pem", "-purpose", "any", "-in", "Aval-signed.mobileconfig", "-out", "plain")
	if plain, err := os.ReadFile(filepath.Join(dir, "plain")); err != nil || !bytes.Equal(plain, profile) {
		t.Error("the signed profile is another one:", err)
	}

	s := newSystem(t)
	for _, when := range []string{"before", "after"} {
		if out, ok := s.script(enrol, "/", "mac", "ana", "{\"token\": \"t\"}"); !ok {
			t.Fatal(when, out)
		}
		fi, err := os.Stat(s.path("etc/aval/enroll.d/token.json"))
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s the package: %v", when, err)
		}
		if when == "before" {
			if out, ok := s.install("1.2.3"); !ok {
				t.Fatal(out)
			}
		}
	}
	if out, _ := s.script(look); out != "<result>ok</result>\n" {
		t.Errorf("the extension attribute: %q", out)
	}
	if out, ok := s.script(remove); !ok {
		t.Error(out)
	}
	s.lacks("opt", "etc/aval/enroll.d")
}

// TestShell: the scripts of a package and those for a Mac hold what shellcheck asks.
func TestShell(t *testing.T) {
	if err := rig.Need("shellcheck"); err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("../../installer/macos/*.sh")
	if err != nil || len(scripts) < 3 {
		t.Fatal(scripts, err)
	}
	for _, name := range []string{"preinstall", "postinstall", "uninstall"} {
		scripts = append(scripts, filepath.Join("../../installer/macos/files", name))
	}
	run(t, ".", "shellcheck", append([]string{"-s", "sh"}, scripts...)...)
}
