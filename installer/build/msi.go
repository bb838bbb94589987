package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"aval/assets"
	"aval/installer/mdm"
)

// WindowsFlags are given to every go build for Windows. One set for packages and
// tests: the windows alone take minutes to compile.
var WindowsFlags = []string{"-trimpath", "-tags", "migrated_fynedo,no_emoji"}

// forWindows are the programs of the package for Windows; what has windows has no
// console.
var forWindows = []struct {
	name       string
	cgo        bool
	noTerminal bool
}{{"aval", false, false}, {"aval-desktop", false, true}, {"aval-ui", true, true}}

// softwareFiles are what a folder of Mesa for Windows (its "llvmpipe" build, 22 or
// later, docs.mesa3d.org) holds of what aval-ui needs to be drawn without a driver.
var softwareFiles = []string{"opengl32.dll", "libgallium_wgl.dll"}

// msiOptions say how the package for Windows is made.
type msiOptions struct {
	toml string // the file with name and version
	out  string // folder of the package
	// programs is the folder of programs that are there already; empty: they are
	// built, into the folder windows, or windows-arm64, in bin, or else in out.
	programs, bin string
	version       string // instead of that of toml
	// cert and key sign the programs and the package, in PEM; empty: nothing is signed.
	cert, key string
	// wine makes a package for tests under Wine alone: its service knows itself as one
	// there, and its name says what it is.
	wine bool
	// arch is amd64 or arm64. For arm64, aval-ui is the program for amd64, which Windows
	// 11 runs there: Debian has no C compiler that makes another.
	arch string
	// mesa is a folder with softwareFiles, put into the package as a second try for
	// computers without OpenGL; empty: there is none.
	mesa string
}

// architectures are the names of processors in the package (Microsoft Learn, "Template
// Summary property") and in its file's name.
var architectures = map[string]struct{ template, name string }{"amd64": {"x64", "x64"}, "arm64": {"Arm64", "arm64"}}

// built is the folder into which the programs are built.
func (o msiOptions) built() string {
	name := "windows"
	if o.arch != "amd64" {
		name += "-" + o.arch
	}
	return filepath.Join(cmp.Or(o.bin, o.out), name)
}

// msi makes out/aval-VERSION-x64.msi, or -arm64.msi, and returns its path.
func msi(ctx context.Context, o msiOptions) (string, error) {
	version, err := versionOf(o.toml, o.version)
	if err != nil {
		return "", err
	}
	arch, ok := architectures[o.arch]
	if !ok {
		return "", fmt.Errorf("there is no Windows for %q: amd64 or arm64", o.arch)
	}
	number, _, _ := strings.Cut(version, "-") // Windows Installer compares three numbers
	at, err := sourceTime(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return "", err
	}
	programs := o.programs
	if programs == "" {
		programs = o.built()
		if err := buildWindows(ctx, version, programs, o.arch, o.wine); err != nil {
			return "", err
		}
	}
	stage, err := os.MkdirTemp("", "aval-msi-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage)
	// wixl takes paths below its own folder alone.
	files := map[string]string{"LICENSE.txt": "LICENSE", "THIRD_PARTY.md": "THIRD_PARTY.md"}
	for _, p := range forWindows {
		files[p.name+".exe"] = filepath.Join(programs, p.name+".exe")
	}
	if o.mesa != "" {
		for _, name := range softwareFiles {
			files[name] = filepath.Join(o.mesa, name)
		}
	}
	if err := describeMSI(filepath.Join(stage, "aval.wxs"), o.mesa != ""); err != nil {
		return "", err
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
	product, code, err := codes(number, o.arch, o.wine, stage)
	if err != nil {
		return "", err
	}
	if err := aged(stage, at); err != nil {
		return "", err
	}
	if err := tool(ctx, stage, "wixl", "-a", "x64", "-D", "Version="+number, "-D", "ProductCode="+product, "-o", "aval.msi", "aval.wxs"); err != nil {
		return "", err
	}
	queries := append(fixes(), strings.Split(recovery, "\n")...)
	if o.mesa != "" {
		queries = append(queries, strings.Split(duplicate, "\n")...)
	}
	if o.wine {
		queries = append(queries, visibleServices)
	}
	for _, q := range queries {
		if err := tool(ctx, stage, "msibuild", "aval.msi", "-q", q); err != nil {
			return "", err
		}
	}
	// wixl knows no name for arm64; msibuild makes the whole summary anew.
	if err := tool(ctx, stage, "msibuild", "aval.msi", "-s", "Consent for summaries of remote support", "Aval", arch.template+";1033", "{"+code+"}"); err != nil {
		return "", err
	}
	made, err := os.ReadFile(filepath.Join(stage, "aval.msi"))
	if err == nil {
		err = setTimes(made, at)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(stage, "aval.msi"), made, 0o644)
	}
	if err != nil {
		return "", err
	}
	if o.cert == "" {
		fmt.Fprintln(os.Stderr, "not signed, neither the package for Windows "+arch.name+" nor the programs in it: no -cert was given")
	}
	if err := sign(ctx, o, filepath.Join(stage, "aval.msi")); err != nil {
		return "", err
	}
	to := filepath.Join(o.out, "aval-"+version+"-"+arch.name+".msi")
	if o.wine {
		to = filepath.Join(o.out, "aval-"+version+"-"+arch.name+"-wine-test.msi")
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

// remembered are the properties that a later installation keeps, with their component.
var remembered = []struct{ property, component string }{
	{"SERVERURL", "Server"}, {"TOKENFILE", "Token"}, {"SETTINGSFILE", "Settings"}, {"ACCESSCONTROL", "Access"}, {"LANGUAGE", "Language"},
}

// fixes put in what wixl ignores: which properties are passed on, when something is
// done, and under which condition a component is installed.
//
// The older version is removed first (1501, right after InstallInitialize): wixl has
// it removed last, which would take what the new one has just written. Its data is
// removed after its service (2000) and before its files (3500), and only when the whole
// of it is removed by somebody. An upgrade is told from that in two ways, either of
// which is enough: Windows sets UPGRADINGPRODUCTCODE (Microsoft Learn,
// "UPGRADINGPRODUCTCODE property"), and the older version is removed by the name of its
// one feature, not by ALL ("Upgrade table", column Remove). Wine has the second alone;
// Windows makes ALL of it at InstallValidate ("REMOVE property").
func fixes() []string {
	out := []string{
		"UPDATE InstallExecuteSequence SET Sequence=1501 WHERE Action='RemoveExistingProducts'",
		"UPDATE InstallExecuteSequence SET Sequence=2050 WHERE Action='Purge'",
		"UPDATE Upgrade SET Remove='Aval' WHERE ActionProperty='WIX_UPGRADE_DETECTED'",
		// Else it is looked for in the part that runs as the user, and forgotten.
		"DELETE FROM InstallUISequence WHERE Action='AppSearch'",
		"UPDATE Property SET Value='WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;" + properties() + "' WHERE Property='SecureCustomProperties'",
	}
	for i, r := range remembered {
		// Removed it is whatever was given: what the service could not use is still there.
		out = append(out, fmt.Sprintf("UPDATE Component SET Condition='%s OR REMOVE' WHERE Component='%s'", r.property, r.component))
		// What is not given is what the installation before was given. A repair, which any
		// user may start and give properties, changes nothing of that: it is put back, right
		// after it was looked for (50), and no file is read for somebody whom nobody has
		// asked (type 51, to set a property; Microsoft Learn, "Custom Action Type 51").
		out = append(out, fmt.Sprintf("INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('Keep%s', 51, '%s', '[OLD%s]')", r.component, r.property, r.property),
			fmt.Sprintf("INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('Keep%s', 'Installed OR NOT %s', %d)", r.component, r.property, 60+i))
	}
	return out
}

// duplicate has aval-ui.exe laid once more beside the library for it, out of the same
// file of the package (Microsoft Learn, "DuplicateFile table").
const duplicate = "CREATE TABLE DuplicateFile (FileKey CHAR(72) NOT NULL, Component_ CHAR(72) NOT NULL, File_ CHAR(72) NOT NULL, DestName CHAR(255) LOCALIZABLE, DestFolder CHAR(72) PRIMARY KEY FileKey)\n" +
	"INSERT INTO DuplicateFile (FileKey, Component_, File_, DestFolder) VALUES ('SoftWindows', 'Software', 'aval_ui.exe', 'SoftFolder')\n" +
	"INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('RemoveDuplicateFiles', 3400)\n" +
	"INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('DuplicateFiles', 4210)"

// onlySoftware is what of the description is there for software that draws alone.
var onlySoftware = regexp.MustCompile(`(?s)[ \t]*<!-- only with software for OpenGL -->.*?<!-- end -->\n`)

// describeMSI writes the description of the package, with or without that software.
func describeMSI(to string, software bool) error {
	raw, err := os.ReadFile("installer/windows/aval.wxs")
	if err != nil {
		return err
	}
	if !software {
		raw = onlySoftware.ReplaceAll(raw, nil)
	}
	return os.WriteFile(to, raw, 0o644)
}

// recovery has Windows start the service again after a failure: after 1, 5 and then
// always 30 s, counted anew after a day without one (Microsoft Learn,
// MsiServiceConfigFailureActions Table: Actions and DelayActions are separated by
// [~], 1 is to restart, times are in ms and the period in s).
const recovery = "CREATE TABLE MsiServiceConfigFailureActions (MsiServiceConfigFailureActions CHAR(72) NOT NULL, Name CHAR(255) NOT NULL, Event SHORT NOT NULL, ResetPeriod LONG, RebootMessage CHAR(255), Command CHAR(255), Actions CHAR(255), DelayActions CHAR(255), Component_ CHAR(72) NOT NULL PRIMARY KEY MsiServiceConfigFailureActions)\n" +
	"INSERT INTO MsiServiceConfigFailureActions (MsiServiceConfigFailureActions, Name, Event, ResetPeriod, Actions, DelayActions, Component_) VALUES ('AvalRecovery', 'aval', 1, 86400, '1[~]1[~]1', '1000[~]5000[~]30000', 'Service')\n" +
	"INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('MsiConfigureServices', 'VersionNT >= 600', 5850)"

// buildWindows builds the programs for Windows into a folder.
func buildWindows(ctx context.Context, version, out, arch string, wine bool) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, p := range forWindows {
		link := "-s -w -X main.version=" + version
		env := []string{"GOOS=windows", "GOARCH=" + arch, "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0"}
		if p.noTerminal {
			link += " -H windowsgui"
		}
		if p.cgo {
			// -O1: the bindings to OpenGL are one file of C that takes minutes at more.
			env = append(env[:3], "GOARCH=amd64", "CGO_ENABLED=1", "CC=x86_64-w64-mingw32-gcc", "CGO_CFLAGS=-O1")
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
