//go:build e2e

package macos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/service"
	"aval/installer/macos"
	"aval/installer/mdm"
	"aval/test/rig"
)

// run runs a program of this computer and returns what it wrote.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// universal is a small program, as Go makes it for macOS.
func universal(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var parts [][]byte
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", arch, "main.go")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		raw, err := os.ReadFile(filepath.Join(dir, arch))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, raw)
	}
	both, err := macos.Universal(parts[0], parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return both
}

// TestPackage: bsdtar and 7-Zip read the archive and find its sums right, cpio the
// payload, lsbom (of npm; it was written for bills that Apple's mkbom had made) the
// bill of materials, with the sums of cksum; file(1) knows the programs, plistutil and
// Python the property lists. Planted once: the end of the compressed payload left out
// (cpio fails), the sum over the data alone (cksum disagrees), one changed byte in the
// archive (7-Zip fails).
func TestPackage(t *testing.T) {
	if err := rig.Need("bsdtar", "7zz", "cpio", "zcat", "node", "file", "plistutil", "python3", "cksum"); err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	judge := filepath.Join(cache, "aval-test", "lsbom-1.0.1", "node_modules", "lsbom", "cli.js")
	if _, err := os.Stat(judge); err != nil {
		t.Fatal("lsbom is not there: run test/deps.sh e2e:", err)
	}
	program := universal(t)
	dir := t.TempDir()
	pkg := filepath.Join(dir, "aval.pkg")
	f, err := os.Create(pkg)
	if err != nil {
		t.Fatal(err)
	}
	if err := macos.Write(f, macos.Options{Version: "1.2.3", At: time.Unix(1_700_000_000, 0),
		Programs: []macos.Program{{Name: "aval", Data: program}, {Name: "aval-desktop", Data: program}, {Name: "aval-ui", Data: program}}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "7zz", "t", pkg)
	raw, err := os.ReadFile(pkg)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	broken := filepath.Join(dir, "broken.pkg")
	if err := os.WriteFile(broken, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "7zz", "t", broken).CombinedOutput(); err == nil {
		t.Errorf("a changed byte passes:\n%s", out)
	}

	open, root := filepath.Join(dir, "open"), filepath.Join(dir, "root")
	for _, d := range []string{open, root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, open, "bsdtar", "-xf", pkg)
	run(t, root, "sh", "-c", "zcat "+filepath.Join(open, "aval.pkg", "Payload")+" | cpio -id --quiet")
	if out := run(t, root, "file", "opt/aval/bin/aval"); !strings.Contains(out, "universal binary with 2 architectures") || !strings.Contains(out, "x86_64") || !strings.Contains(out, "arm64") {
		t.Error(out)
	}

	// Every line of the bill against the disk: path, mode, owner, size and sum.
	listing := run(t, root, "node", judge, filepath.Join(open, "aval.pkg", "Bom"))
	var have, want []string
	for line := range strings.Lines(listing) {
		have = append(have, strings.TrimRight(line, "\t\n"))
	}
	for _, p := range strings.Fields(run(t, root, "find", ".")) {
		fi, err := os.Lstat(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		if fi.IsDir() {
			want = append(want, fmt.Sprintf("%s\t4%04o\t0/0", p, fi.Mode().Perm()))
			continue
		}
		sum := strings.Fields(run(t, root, "cksum", p))
		want = append(want, fmt.Sprintf("%s\t10%04o\t0/0\t%s\t%s", p, fi.Mode().Perm(), sum[1], sum[0]))
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("the bill of materials says\n%s\nand the disk\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}

	// Property lists, by two readers.
	profile := filepath.Join(dir, "rights.mobileconfig")
	if err := os.WriteFile(profile, mdm.Rights("ABCDE12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	lists, err := filepath.Glob("../../installer/mdm/macos/*.mobileconfig")
	if err != nil || len(lists) < 2 {
		t.Fatal(lists, err)
	}
	for _, l := range append(lists, profile, filepath.Join(root, service.MacDaemon), filepath.Join(root, "Library/LaunchAgents/aval-desktop.plist")) {
		abs, err := filepath.Abs(l)
		if err != nil {
			t.Fatal(err)
		}
		run(t, dir, "plistutil", "-i", abs, "-f", "bin", "-o", filepath.Join(dir, "binary"))
		run(t, dir, "python3", "-c", "import plistlib, sys; plistlib.load(open(sys.argv[1], 'rb'))", abs)
	}
}
