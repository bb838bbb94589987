package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/service"
)

// maintainer stands in every package (Debian policy 5.6.2 wants one).
const maintainer = "The Aval authors <aval@aval.invalid>"

// file is one entry of a package.
type file struct {
	to    string // the path on the system
	from  string // a file of the checkout or of the programs; empty: data
	data  []byte
	mode  os.FileMode // of bits as chmod(1) has them; 0 is 0644
	group string      // empty: root
	// config keeps an administrator's changes (conffile, %config(noreplace)).
	config bool
	dir    bool
	link   string // the target of a symbolic link
	only   string // deb or rpm; empty: both
}

// bundle is one package, whatever its format.
type bundle struct {
	name, summary, text string
	section, group      string // of Debian, of RPM
	files               []file
	scripts             string // folder with deb/ and rpm/ in it
	deb, rpm            needs
	lintian             []string // overrides, each with its reason before it
}

// needs are what else has to be, or should be, installed.
type needs struct{ pre, depends, recommends, suggests []string }

// stage is what is needed to describe packages.
type stage struct {
	version string
	at      time.Time // of everything in the packages
	bin     string
	dir     string // for what is made on the way
	made    int
	tool    string // nfpm; see buildTool
	pgp     string // file of the key that signs packages; empty: none does
	quick   bool   // larger packages, sooner, for tests
}

// pack makes the packages of the programs in bin, into p.out.
func pack(ctx context.Context, toml, bin, given string, p packing) error {
	version, err := versionOf(toml, given)
	if err != nil {
		return err
	}
	at, err := sourceTime(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "aval-packages-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{version: version, at: at, bin: bin, dir: dir, pgp: p.pgp, quick: p.quick}
	if err := os.MkdirAll(p.out, 0o755); err != nil {
		return err
	}
	if err := s.buildTool(ctx); err != nil {
		return err
	}
	agent, err := s.agent(ctx)
	if err != nil {
		return err
	}
	server, err := s.summarizer(ctx)
	if err != nil {
		return err
	}
	for _, b := range []bundle{agent, server} {
		for _, format := range []string{"deb", "rpm"} {
			to := filepath.Join(p.out, fileName(b.name, version, format))
			if err := s.write(ctx, b, format, to); err != nil {
				return err
			}
			fi, err := os.Stat(to)
			if err != nil {
				return err
			}
			fmt.Printf("made %s (%.1f MB)\n", to, float64(fi.Size())/1e6)
		}
	}
	return nil
}

// buildTool builds nfpm, which is a module of its own.
func (s *stage) buildTool(ctx context.Context) error {
	s.tool = filepath.Join(s.dir, "nfpm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.tool, ".")
	cmd.Dir, cmd.Stderr = filepath.FromSlash("installer/build/nfpm"), os.Stderr
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build nfpm: %w", err)
	}
	return nil
}

// write makes one package.
func (s *stage) write(ctx context.Context, b bundle, format, to string) error {
	raw, err := s.describe(b, format)
	if err != nil {
		return err
	}
	args := []string{"-format", format, "-out", to}
	if s.quick {
		args = append(args, "-preset", "1")
	}
	cmd := exec.CommandContext(ctx, s.tool, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make %s: %w", to, err)
	}
	return nil
}

func fileName(name, version, format string) string {
	if format == "deb" {
		return fmt.Sprintf("%s_%s_%s.deb", name, packageVersion(version), runtime.GOARCH)
	}
	return fmt.Sprintf("%s-%s-1.%s.rpm", name, packageVersion(version), rpmArch())
}

// packageVersion writes a pre-release as both formats sort it: before the release.
func packageVersion(v string) string { return strings.Replace(v, "-", "~", 1) }

func rpmArch() string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
}

// agent is the package for people's computers.
func (s *stage) agent(ctx context.Context) (bundle, error) {
	glibc, err := newestSymbol(s.program("aval-ui"), "GLIBC_")
	if err != nil {
		return bundle{}, err
	}
	return s.agentOf(ctx, glibc)
}

// agentOf is agent with programs that need that version of libc.
func (s *stage) agentOf(ctx context.Context, glibc string) (bundle, error) {
	unit, err := service.Unit("/usr/bin/aval", service.Options{})
	if err != nil {
		return bundle{}, err
	}
	man, err := s.ask(ctx, "aval", "man")
	if err != nil {
		return bundle{}, err
	}
	b := bundle{name: "aval", section: "admin", group: "Applications/System", scripts: "installer/linux",
		summary: "Consent of the person at the computer to summaries of remote support",
		text: "When somebody connects to this computer for support, Aval decides whether the\n" +
			"session may be recorded for a summary, asks the person in front of the screen\n" +
			"where they must be asked, records only with a grant, and lets that person see,\n" +
			"stop and delete what was recorded. The connection itself is never refused.",
		// What the window needs beside libc is recommended only: on a server, or
		// without OpenGL, questions come as a dialog.
		deb: needs{pre: []string{"passwd"}, depends: []string{"libc6 (>= " + glibc + ")", "init-system-helpers (>= 1.51)"},
			recommends: []string{"libgl1", "libx11-6", "libxcursor1", "libxrandr2", "libxinerama1", "libxi6", "libxxf86vm1", "zenity | kdialog", "fonts-noto-color-emoji"}},
		rpm: needs{depends: []string{"libc.so.6(GLIBC_" + glibc + ")(64bit)", "shadow-utils", "systemd"},
			recommends: []string{"libglvnd-glx", "libX11", "libXcursor", "libXrandr", "libXinerama", "libXi", "libXxf86vm", "zenity", "google-noto-color-emoji-fonts"}},
		lintian: []string{
			"# Go links its programs statically; they hold no C library.",
			"statically-linked-binary [usr/bin/aval]", "statically-linked-binary [usr/bin/aval-desktop]",
			"# The service knows the programs that ask by their group, and the group keeps",
			"# the person's other programs from tracing and preloading them.",
			"elevated-privileges 2755 root/_aval [usr/bin/aval-desktop]", "elevated-privileges 2755 root/_aval [usr/bin/aval-ui]",
			"# OpenGL is recommended, not needed: the question then comes as a dialog.",
			"missing-dependency-on-libc",
			"# It is the build that is tested; for another all of it is compiled once more, or",
			"# every program is dynamically linked.",
			"hardening-no-pie [usr/bin/aval-ui]",
			"# Token files are secrets.",
			"non-standard-dir-perm 0700 != 0755 [etc/aval/enroll.d/]",
		},
	}
	b.files = []file{
		{to: "/usr/bin/aval", from: s.program("aval"), mode: 0o755},
		{to: "/usr/lib/systemd/system/aval.service", data: []byte(unit)},
		{to: "/usr/lib/systemd/system-preset/80-aval.preset", from: "installer/linux/aval.preset", only: "rpm"},
		{to: "/usr/lib/systemd/user/aval-desktop.service", from: "installer/linux/aval-desktop.service"},
		{to: "/usr/lib/systemd/user/graphical-session.target.wants/aval-desktop.service", link: "../aval-desktop.service"},
		{to: "/etc/xdg/autostart/aval-desktop.desktop", from: "installer/linux/aval-desktop.desktop", config: true},
		{to: "/usr/lib/sysusers.d/aval.conf", from: "installer/linux/aval.sysusers"},
		{to: "/usr/lib/tmpfiles.d/aval.conf", from: "installer/linux/aval.tmpfiles"},
		{to: "/usr/share/aval/pam-sshd", from: "installer/linux/pam-sshd"},
		{to: "/usr/share/pam-configs/aval", from: "installer/linux/pam-config", only: "deb"},
		{to: "/usr/share/applications/aval.Aval.desktop", from: "installer/linux/aval.Aval.desktop"},
		{to: "/usr/share/metainfo/aval.Aval.metainfo.xml", from: "installer/linux/aval.Aval.metainfo.xml"},
		{to: "/usr/share/icons/hicolor/scalable/apps/aval.Aval.svg", from: "assets/brand/icon.svg"},
		{to: "/usr/share/man/man1/aval.1.gz", data: man},
		{to: "/usr/share/man/man1/aval-desktop.1.gz", from: "installer/linux/aval-desktop.1"},
		{to: "/usr/share/man/man1/aval-ui.1.gz", from: "installer/linux/aval-ui.1"},
		{to: "/etc/aval", dir: true, mode: 0o755},
		{to: "/etc/aval/policies", dir: true, mode: 0o755},
		{to: "/etc/aval/policies/managed", dir: true, mode: 0o755},
		{to: "/etc/aval/policies/recommended", dir: true, mode: 0o755},
		{to: service.DefaultTokenDir, dir: true, mode: 0o700},
	}
	for _, name := range service.Asking {
		b.files = append(b.files, file{to: "/usr/bin/" + name, from: s.program(name), mode: 0o2755, group: service.Group})
	}
	for _, size := range []string{"16", "22", "24", "32", "48", "64", "128", "256", "512"} {
		b.files = append(b.files, file{to: "/usr/share/icons/hicolor/" + size + "x" + size + "/apps/aval.Aval.png", from: "assets/icons/" + size + ".png"})
	}
	return b, s.common(ctx, &b, "aval")
}

// summarizer is the package for a company's server.
func (s *stage) summarizer(ctx context.Context) (bundle, error) {
	man, err := s.ask(ctx, "aval-summarizer", "man")
	if err != nil {
		return bundle{}, err
	}
	b := bundle{name: "aval-summarizer", section: "admin", group: "System Environment/Daemons", scripts: "installer/linux/summarizer",
		summary: "Server for summaries of remote support that were agreed to",
		text: "Stores the sessions that the person at the computer, or a policy that was\n" +
			"announced to them, allowed to be recorded, writes a summary of each, and shows\n" +
			"it to the company's people. It runs with an embedded database.",
		deb: needs{pre: []string{"passwd"}, depends: []string{"init-system-helpers (>= 1.51)"}},
		rpm: needs{depends: []string{"shadow-utils", "systemd"}},
		lintian: []string{
			"# Go links its programs statically; they hold no C library.",
			"statically-linked-binary [usr/bin/aval-summarizer]",
		},
	}
	b.files = []file{
		{to: "/usr/bin/aval-summarizer", from: s.program("aval-summarizer"), mode: 0o755},
		{to: "/usr/lib/systemd/system/aval-summarizer.service", from: "installer/linux/summarizer/aval-summarizer.service"},
		{to: "/usr/lib/sysusers.d/aval-summarizer.conf", from: "installer/linux/summarizer/sysusers"},
		{to: "/etc/default/aval-summarizer", from: "installer/linux/summarizer/default", config: true},
		{to: "/usr/share/man/man1/aval-summarizer.1.gz", data: man},
	}
	return b, s.common(ctx, &b, "aval-summarizer")
}

// common adds what both packages have: completion, licence, changes.
func (s *stage) common(ctx context.Context, b *bundle, program string) error {
	for shell, to := range map[string]string{
		"bash": "/usr/share/bash-completion/completions/" + program,
		"zsh":  "/usr/share/zsh/vendor-completions/_" + program,
		"fish": "/usr/share/fish/vendor_completions.d/" + program + ".fish",
	} {
		text, err := s.ask(ctx, program, "completion", shell)
		if err != nil {
			return err
		}
		if shell != "zsh" {
			b.files = append(b.files, file{to: to, data: text})
			continue
		}
		b.files = append(b.files, file{to: to, data: text, only: "deb"}, file{to: "/usr/share/zsh/site-functions/_" + program, data: text, only: "rpm"})
	}
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	notice, err := os.ReadFile("NOTICE")
	if err != nil {
		return err
	}
	copyright := "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: 2026 the Aval authors\nLicense: Apache-2.0\n" +
		" On Debian systems the whole licence is in /usr/share/common-licenses/Apache-2.0.\n\n" +
		"Comment:\n" + indent(string(notice))
	changes := fmt.Sprintf("%s (%s) stable; urgency=medium\n\n  * The changes of this version are in CHANGELOG.md of the source.\n\n -- %s  %s\n",
		b.name, packageVersion(s.version), maintainer, s.at.Format(time.RFC1123Z))
	doc := "/usr/share/doc/" + b.name
	b.files = append(b.files,
		file{to: doc + "/copyright", data: []byte(copyright), only: "deb"},
		file{to: doc + "/changelog.gz", data: []byte(changes), only: "deb"},
		file{to: doc + "/THIRD_PARTY.md.gz", from: "THIRD_PARTY.md"},
		file{to: doc + "/CHANGELOG.md.gz", from: "CHANGELOG.md"},
		file{to: "/usr/share/licenses/" + b.name + "/LICENSE", data: licence, only: "rpm"},
		file{to: "/usr/share/licenses/" + b.name + "/NOTICE", data: notice, only: "rpm"},
		file{to: "/usr/share/lintian/overrides/" + b.name, data: []byte(overrides(*b)), only: "deb"},
	)
	return nil
}

// overrides names the package before each tag (lintian(1)).
func overrides(b bundle) string {
	var out strings.Builder
	for _, l := range b.lintian {
		if !strings.HasPrefix(l, "#") {
			l = b.name + ": " + l
		}
		out.WriteString(l + "\n")
	}
	return out.String()
}

// indent makes the text of a field of a Debian control file.
func indent(s string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimSpace(s)) {
		if line = strings.TrimRight(line, "\n"); strings.TrimSpace(line) == "" {
			line = "."
		}
		out.WriteString(" " + line + "\n")
	}
	return out.String()
}

func (s *stage) program(name string) string { return filepath.Join(s.bin, name) }

// ask runs a built program for what it says of itself.
func (s *stage) ask(ctx context.Context, program string, args ...string) ([]byte, error) {
	abs, err := filepath.Abs(s.program(program))
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, abs, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return out, nil
}

// newestSymbol is the newest version of a library that a program needs, by the
// versions of the symbols that it takes from there.
func newestSymbol(path, prefix string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	var newest []int
	for _, sym := range symbols {
		text, ok := strings.CutPrefix(sym.Version, prefix)
		if !ok {
			continue
		}
		var v []int
		for part := range strings.SplitSeq(text, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return "", fmt.Errorf("read %s: version %s", path, sym.Version)
			}
			v = append(v, n)
		}
		if slices.Compare(v, newest) > 0 {
			newest = v
		}
	}
	if newest == nil {
		return "", fmt.Errorf("%s needs no %s", path, prefix)
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(newest), " ", "."), "[]"), nil
}

// describe is nfpm's description of b in one format.
func (s *stage) describe(b bundle, format string) ([]byte, error) {
	need := b.deb
	if format == "rpm" {
		need = b.rpm
	}
	var contents []object
	var shipped strings.Builder // as aval doctor reads it
	slices.SortFunc(b.files, func(x, y file) int { return strings.Compare(x.to, y.to) })
	for _, f := range b.files {
		if f.only != "" && f.only != format {
			continue
		}
		mode, group := f.mode, f.group
		if mode == 0 {
			mode = 0o644
		}
		if group == "" {
			group = "root"
		}
		o := object{"dst": f.to, "file_info": object{"owner": "root", "group": group, "mode": mode, "mtime": s.at}}
		switch {
		case f.dir:
			o["type"] = "dir"
		case f.link != "":
			o["type"], o["src"], o["file_info"] = "symlink", f.link, object{"owner": "root", "group": "root", "mode": 0o777, "mtime": s.at}
		default:
			src, err := s.source(f)
			if err != nil {
				return nil, err
			}
			o["src"] = src
			raw, err := os.ReadFile(src)
			if err != nil {
				return nil, err
			}
			if !f.config {
				fmt.Fprintf(&shipped, "%x %o %s %s\n", sha256.Sum256(raw), mode, group, f.to)
			}
			switch {
			case f.config:
				o["type"] = "config|noreplace"
			case strings.HasPrefix(f.to, "/usr/share/doc/"), strings.HasPrefix(f.to, "/usr/share/man/"):
				o["type"] = map[string]string{"rpm": "doc"}[format]
			case strings.HasPrefix(f.to, "/usr/share/licenses/"):
				o["type"] = "license"
			}
		}
		contents = append(contents, o)
	}
	if b.name == "aval" {
		src, err := s.source(file{data: []byte(shipped.String())})
		if err != nil {
			return nil, err
		}
		contents = append(contents, object{"dst": service.ShippedList, "src": src, "file_info": object{"owner": "root", "group": "root", "mode": 0o644, "mtime": s.at}})
	}
	scripts := object{}
	names := map[string][4]string{"deb": {"preinst", "postinst", "prerm", "postrm"}, "rpm": {"pre", "post", "preun", "postun"}}[format]
	for i, key := range []string{"preinstall", "postinstall", "preremove", "postremove"} {
		src, err := s.source(file{to: names[i], from: filepath.Join(b.scripts, format, names[i])})
		if err != nil {
			return nil, err
		}
		scripts[key] = src
	}
	d := object{
		"name": b.name, "arch": runtime.GOARCH, "platform": "linux", "version": packageVersion(s.version), "version_schema": "none",
		"section": b.section, "priority": "optional", "maintainer": maintainer, "license": "Apache-2.0",
		"mtime": s.at, "depends": need.depends, "recommends": need.recommends, "suggests": need.suggests,
		"contents": contents, "scripts": scripts, "disable_globbing": true,
		"deb": object{"compression": "xz", "predepends": need.pre},
		"rpm": object{"compression": "xz", "summary": b.summary, "group": b.group, "buildhost": "localhost", "packager": maintainer},
	}
	if s.pgp != "" {
		// In a deb the member _gpgorigin (debsigs(1)), in an rpm its header's own.
		d["deb"].(object)["signature"] = object{"key_file": s.pgp, "method": "debsign", "type": "origin"}
		d["rpm"].(object)["signature"] = object{"key_file": s.pgp}
	}
	d["description"] = b.summary + "\n" + b.text
	if format == "rpm" {
		// JSON is YAML, which nfpm reads its changes as (github.com/goreleaser/chglog).
		changes, err := json.Marshal([]object{{"semver": packageVersion(s.version) + "-1", "date": s.at, "packager": maintainer,
			"changes": []object{{"note": "The changes of this version are in CHANGELOG.md of the source."}}}})
		if err != nil {
			return nil, err
		}
		src, err := s.source(file{data: changes})
		if err != nil {
			return nil, err
		}
		d["release"], d["description"], d["changelog"] = "1", b.text, src
	}
	return json.Marshal(d)
}

// source is the file of an entry, on disk: with the version in it where it is
// text, and packed where its name says so.
func (s *stage) source(f file) (string, error) {
	raw, text := f.data, f.data != nil
	if f.from != "" {
		if filepath.Dir(f.from) == s.bin {
			return filepath.Abs(f.from)
		}
		var err error
		if raw, err = os.ReadFile(f.from); err != nil {
			return "", err
		}
		text = filepath.Ext(f.from) != ".png"
	}
	if text {
		raw = []byte(strings.NewReplacer("@VERSION@", packageVersion(s.version), "@DATE@", s.at.Format("2006-01-02")).Replace(string(raw)))
	}
	if filepath.Ext(f.to) == ".gz" {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression) // without name and time
		if err != nil {
			return "", err
		}
		if _, err := z.Write(raw); err != nil {
			return "", err
		}
		if err := z.Close(); err != nil {
			return "", err
		}
		raw = b.Bytes()
	}
	s.made++
	to := filepath.Join(s.dir, strconv.Itoa(s.made))
	return to, os.WriteFile(to, raw, 0o644)
}
