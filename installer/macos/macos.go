// Package macos writes the package for macOS, a flat one for Apple's installer, on
// any system: the programs for both kinds of processor in one file each, what launchd
// is told, and the scripts that lie in files.
//
// The one rule that must not be broken: in every folder that the package makes, and
// in which something of it runs, root alone can write; the scripts look before they
// install, and name no program by a folder that others can change.
package macos

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"aval/agent/service"
)

// ID names the package in the receipts of macOS (pkgutil(1)).
const ID = "aval.Aval"

// MinVersion is the oldest macOS on which programs made by this Go start (Go 1.26's
// release notes).
const MinVersion = "12.0"

//go:embed files
var files embed.FS

// Program is one program of the package: for both kinds of processor in one file.
type Program struct {
	Name string
	Data []byte
}

// Options say what a package is made of.
type Options struct {
	// Version is MAJOR.MINOR.PATCH, optionally with a pre-release.
	Version string
	// At is the time of everything in it, so that the same options give the same bytes.
	At time.Time
	// Programs are those that it installs; aval and aval-desktop must be among them.
	Programs []Program
	// Texts are further files for the program's folder, by name: licences.
	Texts map[string][]byte
}

// Universal joins a program for Intel and one for Apple silicon.
func Universal(intel, apple []byte) ([]byte, error) { return universal(intel, apple) }

// versions are what may stand in a script and in XML.
var versions = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// Write writes the package.
func Write(w io.Writer, o Options) error {
	if !versions.MatchString(o.Version) || o.At.Unix() < 0 {
		return fmt.Errorf("make package: version %q of %v: not like 1.2.3, or of a time that no file has", o.Version, o.At)
	}
	entries, err := o.entries()
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	packed, err := payload(entries, o.At)
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	list, err := bom(entries, o.At)
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	scripts, err := o.scripts()
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	kilobytes := 0
	for _, e := range entries {
		kilobytes += (len(e.data) + 1023) / 1024
	}
	fill := strings.NewReplacer("@ID@", ID, "@VERSION@", escaped(o.Version), "@MIN@", MinVersion,
		"@KILOBYTES@", fmt.Sprint(kilobytes), "@FILES@", fmt.Sprint(len(entries)))
	err = writeXar(w, []member{
		{name: "aval.pkg", members: []member{
			{name: "Bom", data: list},
			{name: "Payload", data: packed},
			{name: "Scripts", data: scripts},
			{name: "PackageInfo", data: []byte(fill.Replace(packageInfo))},
		}},
		{name: "Distribution", data: []byte(fill.Replace(distribution))},
	}, o.At)
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	return nil
}

// packageInfo: relocatable would have the installer put an upgrade wherever somebody
// has moved the programs; what overwrite-permissions gives is the system's own modes.
const packageInfo = `<?xml version="1.0" encoding="utf-8"?>
<pkg-info format-version="2" identifier="@ID@" version="@VERSION@" install-location="/" auth="root" relocatable="false" overwrite-permissions="true" postinstall-action="none">
  <payload numberOfFiles="@FILES@" installKBytes="@KILOBYTES@"/>
  <scripts>
    <preinstall file="./preinstall"/>
    <postinstall file="./postinstall"/>
  </scripts>
</pkg-info>
`

// distribution lets it be installed on the running system alone, by administrators,
// without Rosetta ("Distribution XML Reference").
const distribution = `<?xml version="1.0" encoding="utf-8"?>
<installer-gui-script minSpecVersion="2">
  <title>Aval</title>
  <options customize="never" require-scripts="false" rootVolumeOnly="true" hostArchitectures="x86_64,arm64"/>
  <domains enable_anywhere="false" enable_currentUserHome="false" enable_localSystem="true"/>
  <volume-check>
    <allowed-os-versions>
      <os-version min="@MIN@"/>
    </allowed-os-versions>
  </volume-check>
  <choices-outline>
    <line choice="aval"/>
  </choices-outline>
  <choice id="aval" title="Aval" visible="false">
    <pkg-ref id="@ID@"/>
  </choice>
  <pkg-ref id="@ID@" version="@VERSION@" installKBytes="@KILOBYTES@" auth="root">#aval.pkg</pkg-ref>
</installer-gui-script>
`

// entries are what the package installs, with the folders above.
func (o Options) entries() ([]entry, error) {
	var out []entry
	add := func(to string, mode uint32, data []byte) { out = append(out, entry{to, mode, data}) }
	have := map[string]bool{}
	for _, p := range o.Programs {
		if p.Name != path.Base(p.Name) || len(p.Data) == 0 {
			return nil, fmt.Errorf("program %q: it has no plain name, or is empty", p.Name)
		}
		have[p.Name] = true
		add(path.Join(service.MacPrograms, p.Name), typeFile|0o755, p.Data)
	}
	if !have["aval"] || !have["aval-desktop"] {
		return nil, fmt.Errorf("aval and aval-desktop must be among the programs")
	}
	daemon, err := service.Daemon(path.Join(service.MacPrograms, "aval"))
	if err != nil {
		return nil, err
	}
	add(service.MacDaemon, typeFile|0o644, []byte(daemon))
	for name, to := range map[string]string{"aval-desktop.plist": "/Library/LaunchAgents/aval-desktop.plist", "uninstall": service.MacUninstall} {
		raw, err := files.ReadFile("files/" + name)
		if err != nil {
			return nil, err
		}
		mode := uint32(typeFile | 0o644)
		if bytes.HasPrefix(raw, []byte("#!")) {
			mode = typeFile | 0o755
		}
		add(to, mode, raw)
	}
	add("/private/etc/paths.d/aval", typeFile|0o644, []byte(service.MacPrograms+"\n")) // path_helper(8)
	for name, raw := range o.Texts {
		add(service.MacFolder+"/"+name, typeFile|0o644, raw)
	}
	for _, dir := range []string{"policies/managed", "policies/recommended"} {
		add("/private/etc/aval/"+dir, typeDir|0o755, nil)
	}
	add("/private/etc/aval/enroll.d", typeDir|0o700, nil)
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	add(service.MacFolder+"/files", typeFile|0o644, shipped(out))
	return withFolders(out)
}

// shipped is the list of files with which aval doctor compares what is there. The
// program that asks gets its group from the script after the installation.
func shipped(all []entry) []byte {
	var b bytes.Buffer
	for _, e := range all {
		if e.mode&typeMask != typeFile {
			continue
		}
		mode, group := e.mode&0o7777, "wheel"
		if slices.Contains(service.MacAsking, path.Base(e.path)) && path.Dir(e.path) == service.MacPrograms {
			mode, group = mode|0o2000, service.MacGroup
		}
		fmt.Fprintf(&b, "%x %o %s %s\n", sha256.Sum256(e.data), mode, group, e.path)
	}
	return b.Bytes()
}

// scripts are those that the installer runs, as an archive of their own.
func (o Options) scripts() ([]byte, error) {
	all := []entry{{path: ".", mode: typeDir | 0o755}}
	for _, name := range []string{"postinstall", "preinstall"} {
		raw, err := files.ReadFile("files/" + name)
		if err != nil {
			return nil, err
		}
		raw = bytes.ReplaceAll(raw, []byte("@VERSION@"), []byte(o.Version))
		all = append(all, entry{name, typeFile | 0o755, raw})
	}
	return payload(all, o.At)
}
