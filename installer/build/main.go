// Command build makes the four programs and the packages that install them,
// with name, id and version out of FyneApp.toml, the one place where they are
// written.
//
// The one rule that must not be broken: one set of flags for every build, test
// and package, so that what was tested is what is shipped.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
)

// Flags are given to every go build and go test: no paths of the building
// machine, X11 only (a window under Wayland can be neither placed nor kept on
// top), Fyne's threads as its second migration has them, and no font of emoji,
// which was a quarter of the package: the system's own are drawn.
var Flags = []string{"-trimpath", "-tags", "x11,migrated_fynedo,no_emoji"}

// programs lists what is built, and whether it needs a C compiler.
var programs = []struct {
	name string
	cgo  bool
}{{"aval", false}, {"aval-desktop", false}, {"aval-summarizer", false}, {"aval-ui", true}}

func main() {
	out := flag.String("out", "bin", "folder for the programs")
	only := flag.String("only", "", "build this program alone")
	toml := flag.String("app", "FyneApp.toml", "the file with name and version")
	packages := packing{}
	flag.StringVar(&packages.out, "packages", "", "folder for the deb and rpm packages of the programs in -out; without it none are made")
	flag.StringVar(&packages.pgp, "pgp-key", "", "with -packages: OpenPGP key that signs them; its passphrase, if any, is in NFPM_PASSPHRASE")
	flag.BoolVar(&packages.quick, "quick", false, "with -packages: larger ones, sooner, for tests")
	given := flag.String("version", "", "build as this version instead of the file's, to try an upgrade out")
	described := flag.Bool("release", false, "with -packages: also those for Windows and macOS, sums, bill of materials and provenance")
	releaseKey := flag.String("release-key", "", "with -release: Ed25519 key that signs the sums, PEM")
	win := msiOptions{}
	flag.StringVar(&win.out, "msi", "", "folder for the package for Windows alone; nothing else is made then")
	flag.StringVar(&win.programs, "programs", "", "with -msi or -macos: folder with the programs for that system, instead of building them")
	flag.BoolVar(&win.wine, "wine", false, "with -msi: a package for tests under Wine, not for computers")
	flag.StringVar(&win.cert, "cert", "", "with -msi or -release: certificate that signs what is for Windows, PEM")
	flag.StringVar(&win.key, "key", "", "with -msi or -release: its key, PEM")
	flag.StringVar(&win.arch, "arch", "amd64", "with -msi: amd64 or arm64")
	flag.StringVar(&win.mesa, "mesa", "", "with -msi or -release: folder with Mesa's opengl32.dll and libgallium_wgl.dll, for computers without OpenGL")
	apple := macOptions{}
	flag.StringVar(&apple.out, "macos", "", "folder for the package for macOS; nothing else is made then")
	flag.StringVar(&apple.team, "team", "", "with -macos: team of the certificate that signs the programs, for the profile of rights")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	win.toml, win.version = *toml, *given
	apple.toml, apple.version, apple.programs = *toml, *given, win.programs
	var path string
	var err error
	switch {
	case win.out != "":
		path, err = msi(ctx, win)
	case apple.out != "":
		path, err = mac(ctx, apple)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	if path != "" {
		fmt.Println(path)
		return
	}
	err = build(ctx, *toml, *out, *only, *given)
	if err == nil && packages.out != "" {
		err = pack(ctx, *toml, *out, *given, packages)
	}
	if err == nil && *described {
		err = forOthers(ctx, win, apple, *out, packages.out)
	}
	if err == nil && *described {
		err = release(ctx, *toml, *out, packages.out, *given, *releaseKey)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// packing says how packages are made.
type packing struct {
	out   string // folder
	pgp   string // file of the key that signs them; empty: none does
	quick bool
}

// versionOf is the version that is built: the given one, else the file's.
func versionOf(toml, given string) (string, error) {
	if given != "" {
		return Version("Version = \"" + given + "\"")
	}
	raw, err := os.ReadFile(toml)
	if err != nil {
		return "", fmt.Errorf("read app file: %w", err)
	}
	version, err := Version(string(raw))
	if err != nil {
		return "", fmt.Errorf("%s: %w", toml, err)
	}
	return version, nil
}

func build(ctx context.Context, toml, out, only, given string) error {
	version, err := versionOf(toml, given)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	built := false
	for _, p := range programs {
		if only != "" && only != p.name {
			continue
		}
		built = true
		args := append([]string{"build"}, Flags...)
		args = append(args, "-ldflags", "-s -w -X main.version="+version, "-o", filepath.Join(out, p.name), "./cmd/"+p.name)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+map[bool]string{true: "1", false: "0"}[p.cgo])
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		fmt.Printf("building %s %s\n", p.name, version)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if !built {
		return fmt.Errorf("there is no program %q", only)
	}
	return nil
}

var versionLine = regexp.MustCompile(`(?m)^\s*Version\s*=\s*"([^"]*)"\s*$`)

// Version reads the version out of the text of FyneApp.toml: MAJOR.MINOR.PATCH,
// optionally with a pre-release (semver.org).
func Version(toml string) (string, error) {
	m := versionLine.FindAllStringSubmatch(toml, -1)
	if len(m) != 1 {
		return "", fmt.Errorf("it has %d lines Version = \"…\" instead of one", len(m))
	}
	v := m[0][1]
	if !regexp.MustCompile(`^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9A-Za-z.-]+)?$`).MatchString(v) || strings.Contains(v, "..") {
		return "", errors.New("its version " + v + " is not like 1.2.3")
	}
	return v, nil
}
