package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/service"
)

// staged is a stage whose programs are scripts that say something of themselves.
func staged(t *testing.T) *stage {
	t.Helper()
	t.Chdir("../..")
	bin := t.TempDir()
	for _, p := range programs {
		if err := os.WriteFile(filepath.Join(bin, p.name), []byte("#!/bin/sh\necho \"$0 $*\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &stage{version: "1.2.3-rc.1", at: time.Unix(1e9, 0).UTC(), bin: bin, dir: t.TempDir()}
}

type described struct {
	Name, Version string
	Contents      []struct {
		Dst, Src, Type string
		Info           struct {
			Owner, Group string
			Mode         uint32
		} `json:"file_info"`
	}
	Scripts map[string]string
}

func describedAs(t *testing.T, s *stage, b bundle, format string) described {
	t.Helper()
	raw, err := s.describe(b, format)
	if err != nil {
		t.Fatal(err)
	}
	var d described
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAgentPackage: the unit is the one that aval install writes, the programs
// that ask and no others belong to the group, and nothing else than root owns or
// may write what is installed.
// Fault planted once: mode 0o2755 given to aval as well.
func TestAgentPackage(t *testing.T) {
	s := staged(t)
	b, err := s.agentOf(t.Context(), "2.34")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"deb", "rpm"} {
		d := describedAs(t, s, b, format)
		if d.Version != "1.2.3~rc.1" {
			t.Errorf("%s: version %s", format, d.Version)
		}
		var withGroup []string
		for _, c := range d.Contents {
			if c.Info.Owner != "root" || c.Type != "symlink" && c.Info.Mode&0o022 != 0 {
				t.Errorf("%s: %s: %s, %o", format, c.Dst, c.Info.Owner, c.Info.Mode)
			}
			if c.Info.Mode&0o6000 != 0 || c.Info.Group != "root" {
				withGroup = append(withGroup, filepath.Base(c.Dst))
				if c.Info.Mode != 0o2755 || c.Info.Group != service.Group {
					t.Errorf("%s: %s: %o of %s", format, c.Dst, c.Info.Mode, c.Info.Group)
				}
			}
			if c.Dst == "/usr/lib/systemd/system/aval.service" {
				got, err := os.ReadFile(c.Src)
				want, uerr := service.Unit("/usr/bin/aval", service.Options{})
				if err != nil || uerr != nil || string(got) != want {
					t.Errorf("%s: the unit is not that of aval install: %v, %v", format, err, uerr)
				}
			}
		}
		slices.Sort(withGroup)
		if !slices.Equal(withGroup, []string{"aval-desktop", "aval-ui"}) {
			t.Errorf("%s: with the group: %v", format, withGroup)
		}
	}
}

// TestScripts: every script can be read by a shell, finds programs in the
// system's folders alone, and its version has been filled in.
func TestScripts(t *testing.T) {
	s := staged(t)
	agent, err := s.agentOf(t.Context(), "2.34")
	if err != nil {
		t.Fatal(err)
	}
	server, err := s.summarizer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []bundle{agent, server} {
		for _, format := range []string{"deb", "rpm"} {
			for step, path := range describedAs(t, s, b, format).Scripts {
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command("sh", "-n", path).CombinedOutput(); err != nil {
					t.Errorf("%s %s %s: %s", b.name, format, step, out)
				}
				if !strings.Contains(string(raw), "\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n") && !strings.HasPrefix(string(raw), "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n") {
					t.Errorf("%s %s %s has no PATH of its own", b.name, format, step)
				}
				if strings.Contains(string(raw), "@VERSION@") {
					t.Errorf("%s %s %s does not know its version", b.name, format, step)
				}
			}
		}
	}
}

// TestPackagesAgain writes the agent's packages, and once more from another
// folder: the same bytes; and signed: gpg and rpm accept the signatures by our key and by
// no other, and not once a byte has changed.
// Faults planted once: the time of now in the description; the key left out of
// that of the rpm.
func TestPackagesAgain(t *testing.T) {
	s := staged(t)
	if err := s.buildTool(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := *s
	again.dir = t.TempDir()
	b, err := s.agentOf(t.Context(), "2.34")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	made := func(s *stage, format, name string) (string, []byte) {
		t.Helper()
		path := filepath.Join(out, name+"."+format)
		if err := s.write(t.Context(), b, format, path); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, raw
	}
	for _, format := range []string{"deb", "rpm"} {
		_, one := made(s, format, "one")
		if _, two := made(&again, format, "two"); !bytes.Equal(one, two) {
			t.Errorf("%s: other bytes in another folder", format)
		}
	}
	for _, tool := range []string{"gpg", "rpm", "ar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the signatures are not looked at: %s is not installed", tool)
		}
	}
	key, public := signingKey(t)
	again.pgp = key
	deb, _ := made(&again, "deb", "signed")
	rpm, raw := made(&again, "rpm", "signed")
	run := func(dir, name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		t.Logf("%s %s: %s", name, strings.Join(args, " "), said)
		return err
	}
	// A deb: what stands in it before the signature, one after another (debsigs(1)).
	members := t.TempDir()
	if err := run(members, "ar", "x", deb); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, n := range []string{"debian-binary", "control.tar.gz", "data.tar.xz"} {
		raw, err := os.ReadFile(filepath.Join(members, n))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, raw...)
	}
	for _, changed := range []bool{false, true} {
		if changed {
			text[len(text)/2] ^= 1
		}
		if err := os.WriteFile(filepath.Join(members, "text"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := run(members, "gpg", "--homedir", filepath.Dir(key), "--verify", "_gpgorigin", "text"); (err == nil) == changed {
			t.Errorf("the deb's signature, changed %v: %v", changed, err)
		}
	}
	// An rpm: rpm itself, which counts a signature by an unknown key as a failure.
	db, none := t.TempDir(), t.TempDir()
	if err := run(out, "rpm", "--dbpath", db, "--import", public); err != nil {
		t.Fatal(err)
	}
	if err := run(out, "rpm", "--dbpath", db, "-Kv", rpm); err != nil {
		t.Errorf("the rpm's signature: %v", err)
	}
	if err := run(out, "rpm", "--dbpath", none, "-Kv", rpm); err == nil {
		t.Error("a signature by an unknown key was accepted")
	}
	raw[len(raw)-100] ^= 1
	if err := os.WriteFile(rpm, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(out, "rpm", "--dbpath", db, "-Kv", rpm); err == nil {
		t.Error("a changed package was accepted")
	}
}

// signingKey is a new OpenPGP key, made by gpg: the file of the key, in a home of
// gpg's of its own, and of its public half.
func signingKey(t *testing.T) (key, public string) {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg-") // a socket lies in it: a short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	gpg := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"}, args...)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %v: %v", args, err)
		}
		return out
	}
	gpg("--quick-gen-key", "Example <releases@example.com>", "rsa3072", "sign", "never")
	key, public = filepath.Join(home, "key.asc"), filepath.Join(home, "public.asc")
	for to, how := range map[string]string{key: "--export-secret-keys", public: "--export"} {
		if err := os.WriteFile(to, gpg("--armor", how), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key, public
}

func TestNewestSymbol(t *testing.T) {
	if _, err := newestSymbol("../linux/pam-sshd", "GLIBC_"); err == nil {
		t.Error("a text was taken for a program")
	}
	if _, err := os.Stat("/bin/ls"); err != nil {
		t.Skip("there is no program that is linked with libc")
	}
	got, err := newestSymbol("/bin/ls", "GLIBC_")
	if err != nil || !strings.HasPrefix(got, "2.") {
		t.Errorf("%q, %v", got, err)
	}
}
