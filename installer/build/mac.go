package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"aval/installer/macos"
	"aval/installer/mdm"
)

// MacFlags are given to every go build for macOS.
var MacFlags = []string{"-trimpath", "-tags", "migrated_fynedo,no_emoji"}

// forMac are the programs that need no Mac to be built. aval-ui needs Apple's
// libraries: installer/macos/build-ui.sh builds it on one.
var forMac = []string{"aval", "aval-desktop"}

// macOptions say how the package for macOS is made.
type macOptions struct {
	toml    string // the file with name and version
	version string // instead of that of toml
	out     string // folder of the package
	// programs is the folder of programs that are there already, each for both kinds
	// of processor; empty: they are built, into the folder macos in bin, or else in out.
	programs, bin string
	// team is that of the certificate by which the programs are signed; with it the
	// profile of rights names the programs by their signature.
	team string
}

// mac makes out/aval-VERSION.pkg and the profile that goes with it, and returns the
// path of the package.
func mac(ctx context.Context, o macOptions) (string, error) {
	version, err := versionOf(o.toml, o.version)
	if err != nil {
		return "", err
	}
	at, err := sourceTime(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return "", err
	}
	programs := o.programs
	if programs == "" {
		programs = filepath.Join(cmp.Or(o.bin, o.out), "macos")
		if err := buildMac(ctx, version, programs); err != nil {
			return "", err
		}
	}
	p := macos.Options{Version: version, At: at, Texts: map[string][]byte{}}
	for _, name := range append(forMac, "aval-ui") {
		raw, err := os.ReadFile(filepath.Join(programs, name))
		if name == "aval-ui" && errors.Is(err, fs.ErrNotExist) {
			fmt.Println("without aval-ui: installer/macos/build-ui.sh builds it on a Mac")
			continue
		}
		if err != nil {
			return "", err
		}
		p.Programs = append(p.Programs, macos.Program{Name: name, Data: raw})
	}
	for _, name := range []string{"LICENSE", "NOTICE", "THIRD_PARTY.md", "CHANGELOG.md"} {
		if p.Texts[name], err = os.ReadFile(name); err != nil {
			return "", err
		}
	}
	var b bytes.Buffer
	if err := macos.Write(&b, p); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(o.out, "aval-"+version+"-rights.mobileconfig"), mdm.Rights(o.team), 0o644); err != nil {
		return "", err
	}
	to := filepath.Join(o.out, "aval-"+version+".pkg")
	return to, os.WriteFile(to, b.Bytes(), 0o644)
}

// buildMac builds the programs for both kinds of processor and joins them.
func buildMac(ctx context.Context, version, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, name := range forMac {
		var parts [2][]byte
		for i, arch := range []string{"amd64", "arm64"} {
			to := filepath.Join(out, name+"-"+arch)
			args := append(append([]string{"build"}, MacFlags...), "-ldflags", "-s -w -X main.version="+version, "-o", to, "./cmd/"+name)
			cmd := exec.CommandContext(ctx, "go", args...)
			cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			fmt.Printf("building %s for macOS, %s, %s\n", name, arch, version)
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w", to, err)
			}
			raw, err := os.ReadFile(to)
			if err != nil {
				return err
			}
			parts[i] = raw
			if err := os.Remove(to); err != nil {
				return err
			}
		}
		both, err := macos.Universal(parts[0], parts[1])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), both, 0o755); err != nil {
			return err
		}
	}
	return nil
}
