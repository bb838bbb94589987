package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"aval/assets"
	"aval/installer/mdm"
)

// WindowsFlags are given to every go build for Windows. One set for packages and
// tests: the windows alone take minutes to compile.
var WindowsFlags = []string{"-trimpath", "-tags", "migrated_fynedo"}

// forWindows are the programs of the package for Windows; what has windows has no
// console.
var forWindows = []struct {
	name       string
	cgo        bool
	noTerminal bool
}{{"aval", false, false}, {"aval-desktop", false, true}, {"aval-ui", true, true}}

// msiOptions say how the package for Windows is made.
type msiOptions struct {
	toml string // the file with name and version
	out  string // folder of the package
	// programs is the folder of programs that are there already; empty: they are
	// built, into out/windows.
	programs string
	version  string // instead of that of toml
	// cert and key sign the programs and the package, in PEM; empty: nothing is signed.
	cert, key string
	// wine makes a package for tests under Wine alone: its service knows itself as one
	// there, and its name says what it is.
	wine bool
}

// msi makes out/aval-VERSION-x64.msi and returns its path.
func msi(ctx context.Context, o msiOptions) (string, error) {
	version, err := versionOf(o.toml, o.version)
	if err != nil {
		return "", err
	}
	number, _, _ := strings.Cut(version, "-") // Windows Installer compares three numbers
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return "", err
	}
	programs := o.programs
	if programs == "" {
		programs = filepath.Join(o.out, "windows")
		if err := buildWindows(ctx, version, programs, o.wine); err != nil {
			return "", err
		}
	}
	stage, err := os.MkdirTemp("", "aval-msi-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage)
	// wixl takes paths below its own folder alone.
	files := map[string]string{"aval.wxs": "installer/windows/aval.wxs", "LICENSE.txt": "LICENSE", "THIRD_PARTY.md": "THIRD_PARTY.md"}
	for _, p := range forWindows {
		files[p.name+".exe"] = filepath.Join(programs, p.name+".exe")
	}
	for name, from := range files {
		if err := copyFile(filepath.Join(stage, name), from); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(stage, "aval.ico"), icon(), 0o644); err != nil {
		return "", err
	}
	for _, p := range forWindows {
		if err := sign(ctx, o, filepath.Join(stage, p.name+".exe")); err != nil {
			return "", err
		}
	}
	if err := tool(ctx, stage, "wixl", "-a", "x64", "-D", "Version="+number, "-o", "aval.msi", "aval.wxs"); err != nil {
		return "", err
	}
	queries := append(fixes(), strings.Split(recovery, "\n")...)
	if o.wine {
		queries = append(queries, visibleServices)
	}
	for _, q := range queries {
		if err := tool(ctx, stage, "msibuild", "aval.msi", "-q", q); err != nil {
			return "", err
		}
	}
	if err := sign(ctx, o, filepath.Join(stage, "aval.msi")); err != nil {
		return "", err
	}
	to := filepath.Join(o.out, "aval-"+version+"-x64.msi")
	if o.wine {
		to = filepath.Join(o.out, "aval-"+version+"-x64-wine-test.msi")
	}
	return to, copyFile(to, filepath.Join(stage, "aval.msi"))
}

// visibleServices has Wine give the service, and with it what the service starts,
// the desktop that is shown: SERVICE_INTERACTIVE_PROCESS beside the own process.
const visibleServices = "UPDATE ServiceInstall SET ServiceType=272 WHERE ServiceInstall='AvalService'"

// properties are the public ones. Windows Installer passes on to the part that runs
// as the system only those that it is told of.
func properties() string {
	var names []string
	for _, p := range mdm.Properties {
		names = append(names, p.Name)
	}
	return strings.Join(names, ";")
}

// fixes put in what wixl ignores: which properties are passed on, when something is
// done, and under which condition a component is installed.
//
// The older version is removed first (1501, right after InstallInitialize): wixl has
// it removed last, which would take what the new one has just written. Its data is
// removed after its service (2000) and before its files (3500).
func fixes() []string {
	out := []string{
		"UPDATE InstallExecuteSequence SET Sequence=1501 WHERE Action='RemoveExistingProducts'",
		"UPDATE InstallExecuteSequence SET Sequence=2050 WHERE Action='Purge'",
		"UPDATE Property SET Value='WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;" + properties() + "' WHERE Property='SecureCustomProperties'",
	}
	for component, condition := range map[string]string{
		"ServerNow": "SERVERURL", "ServerKept": "OLDSERVERURL AND NOT SERVERURL",
		"Token": "TOKENFILE", "Settings": "SETTINGSFILE",
		"AccessNow": "ACCESSCONTROL", "AccessKept": "OLDACCESSCONTROL AND NOT ACCESSCONTROL",
		"LanguageNow": "LANGUAGE", "LanguageKept": "OLDLANGUAGE AND NOT LANGUAGE",
	} {
		out = append(out, fmt.Sprintf("UPDATE Component SET Condition='%s' WHERE Component='%s'", condition, component))
	}
	return out
}

// recovery has Windows start the service again after a failure: after 1, 5 and then
// always 30 s, counted anew after a day without one (Microsoft Learn,
// MsiServiceConfigFailureActions Table: Actions and DelayActions are separated by
// [~], 1 is to restart, times are in ms and the period in s).
const recovery = "CREATE TABLE MsiServiceConfigFailureActions (MsiServiceConfigFailureActions CHAR(72) NOT NULL, Name CHAR(255) NOT NULL, Event SHORT NOT NULL, ResetPeriod LONG, RebootMessage CHAR(255), Command CHAR(255), Actions CHAR(255), DelayActions CHAR(255), Component_ CHAR(72) NOT NULL PRIMARY KEY MsiServiceConfigFailureActions)\n" +
	"INSERT INTO MsiServiceConfigFailureActions (MsiServiceConfigFailureActions, Name, Event, ResetPeriod, Actions, DelayActions, Component_) VALUES ('AvalRecovery', 'aval', 1, 86400, '1[~]1[~]1', '1000[~]5000[~]30000', 'Service')\n" +
	"INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('MsiConfigureServices', 'VersionNT >= 600', 5850)"

// buildWindows builds the programs for Windows into a folder.
func buildWindows(ctx context.Context, version, out string, wine bool) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, p := range forWindows {
		link := "-s -w -X main.version=" + version
		env := []string{"GOOS=windows", "GOARCH=amd64", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0"}
		if p.noTerminal {
			link += " -H windowsgui"
		}
		if p.cgo {
			// -O1: the bindings to OpenGL are one file of C that takes minutes at more.
			env = append(env[:3], "CGO_ENABLED=1", "CC=x86_64-w64-mingw32-gcc", "CGO_CFLAGS=-O1")
		}
		flags := WindowsFlags
		if wine && p.name == "aval" {
			flags = []string{flags[0], flags[1], flags[2] + ",wine"}
		}
		args := append(append([]string{"build"}, flags...), "-ldflags", link, "-o", filepath.Join(out, p.name+".exe"), "./cmd/"+p.name)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		fmt.Printf("building %s.exe %s\n", p.name, version)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s.exe: %w", p.name, err)
		}
	}
	return nil
}

// sign signs a file in its place by osslsigncode (Authenticode).
func sign(ctx context.Context, o msiOptions, path string) error {
	if o.cert == "" && o.key == "" {
		return nil
	}
	if o.cert == "" || o.key == "" {
		return errors.New("sign: both -cert and -key are needed")
	}
	cert, err1 := filepath.Abs(o.cert)
	key, err2 := filepath.Abs(o.key)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	signed := path + ".signed"
	if err := tool(ctx, filepath.Dir(path), "osslsigncode", "sign", "-certs", cert, "-key", key, "-h", "sha256", "-n", "Aval", "-in", path, "-out", signed); err != nil {
		return err
	}
	return os.Rename(signed, path)
}

// tool runs a program and gives what it wrote when it fails. wixl writes warnings
// of its library even when all is well.
func tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// icon is the icon file of the package: a directory of pictures, each a PNG
// (ICONDIR and ICONDIRENTRY; Windows Vista and later take PNG).
func icon() []byte {
	sizes := []int{16, 32, 48, 64}
	var head, body bytes.Buffer
	put := func(vs ...any) {
		for _, v := range vs {
			_ = binary.Write(&head, binary.LittleEndian, v) // a buffer takes everything
		}
	}
	put(uint16(0), uint16(1), uint16(len(sizes)))
	for _, n := range sizes {
		png := assets.Icon(n)
		put(uint8(n), uint8(n), uint8(0), uint8(0), uint16(1), uint16(32), uint32(len(png)), uint32(6+16*len(sizes)+body.Len()))
		body.Write(png)
	}
	return append(head.Bytes(), body.Bytes()...)
}
