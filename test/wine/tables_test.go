//go:build e2e

package wine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aval/test/rig"
)

// database is a package that was built, by its tables (msiinfo).
type database struct {
	t    *testing.T
	path string
}

// built makes a package of programs that are short texts, as for a release.
func built(t *testing.T, more ...string) database {
	t.Helper()
	if err := rig.Need("wixl", "msibuild", "msiinfo", "7zz"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"aval.exe", "aval-desktop.exe", "aval-ui.exe", "opengl32.dll", "libgallium_wgl.dll"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "-trimpath", "./installer/build", "-msi", dir, "-programs", dir, "-mesa", dir, "-version", "1.2.3"}, more...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("build the package: %v\n%s", err, out)
	}
	return database{t, strings.TrimSpace(string(out))}
}

// rows are those of a table, by column; no table is none.
func (d database) rows(table string) (out []map[string]string) {
	d.t.Helper()
	raw, err := exec.CommandContext(d.t.Context(), "msiinfo", "export", d.path, table).Output()
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(raw), "\r", ""), "\n"), "\n")
	if len(lines) < 3 {
		return nil
	}
	columns := strings.Split(lines[0], "\t")
	for _, l := range lines[3:] { // names, types, keys
		row := map[string]string{}
		for i, v := range strings.Split(l, "\t") {
			row[columns[i]] = v
		}
		out = append(out, row)
	}
	return out
}

// row is the one of a table that has a value in a column.
func (d database) row(table, column, value string) string {
	d.t.Helper()
	for _, r := range d.rows(table) {
		if r[column] == value {
			return fmt.Sprint(r)
		}
	}
	d.t.Fatalf("%s has no %s", table, value)
	return ""
}

// summary is what a package says of itself, its times in UTC.
func (d database) summary() string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), "msiinfo", "suminfo", d.path)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatal(err)
	}
	return string(out)
}

// cabinet is what is in the package's archive, by 7-Zip.
func (d database) cabinet() string {
	d.t.Helper()
	raw, err := exec.CommandContext(d.t.Context(), "msiinfo", "extract", d.path, "aval.cab").Output()
	if err != nil {
		d.t.Fatal(err)
	}
	path := filepath.Join(d.t.TempDir(), "aval.cab")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		d.t.Fatal(err)
	}
	out, err := exec.CommandContext(d.t.Context(), "7zz", "l", "-slt", path).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	return string(out)
}

// public tells whether a name is one that whoever starts the installer can set
// (Microsoft Learn, "Public Properties": no letter of it is small).
func public(name string) bool { return strings.ToUpper(name) == name }

// faults are what is wrong with a package whose installation could be turned against
// the computer by somebody who is no administrator there.
func (d database) faults() (out []string) {
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	// Everything lies below Program Files, which administrators alone can change, and
	// nobody can name another place for it.
	above := map[string]string{}
	for _, r := range d.rows("Directory") {
		above[r["Directory"]] = r["Directory_Parent"]
	}
	within := func(dir string) bool {
		for ; dir != "ProgramFiles64Folder"; dir = above[dir] {
			if dir == "" || public(dir) {
				return false
			}
		}
		return true
	}
	component := map[string]string{}
	for _, r := range d.rows("Component") {
		component[r["Component"]] = r["Directory_"]
		if !within(r["Directory_"]) {
			fault("component %s lies in %s", r["Component"], r["Directory_"])
		}
		if n, err := strconv.Atoi(r["Attributes"]); err != nil || n&256 == 0 {
			fault("component %s is not one of 64 bits", r["Component"])
		}
	}
	files := map[string]string{}
	for _, r := range d.rows("File") {
		files[r["File"]] = component[r["Component_"]]
		// A library beside a program is loaded in the place of the system's own.
		if name := strings.ToLower(r["FileName"]); strings.HasSuffix(name, ".dll") && component[r["Component_"]] != "SoftFolder" {
			fault("library %s lies beside the programs", name)
		}
	}
	for _, r := range d.rows("DuplicateFile") {
		if r["File_"] != "aval_ui.exe" || r["DestFolder"] != "SoftFolder" {
			fault("%s is laid into %s", r["File_"], r["DestFolder"])
		}
	}
	for _, table := range []string{"LockPermissions", "MsiLockPermissionsEx", "CreateFolder", "MoveFile", "IniFile", "Environment", "Class", "TypeLib", "ODBCDriver", "Binary", "RemoveFile", "Patch", "SelfReg"} {
		for _, r := range d.rows(table) {
			fault("table %s: %v", table, r)
		}
	}

	// What runs as the system is our own program out of Program Files, with words that
	// nobody can change; nothing is unpacked to be run, and nothing is a script.
	const kind, exeOfFile, setProperty, deferred, rollback, commit, noImpersonation = 0x3F, 18, 51, 0x400, 0x100, 0x200, 0x800
	for _, r := range d.rows("CustomAction") {
		n, err := strconv.Atoi(r["Type"])
		if err != nil {
			fault("action %s: type %q", r["Action"], r["Type"])
			continue
		}
		switch n & kind {
		case setProperty:
			if n&(deferred|rollback|commit) != 0 || !strings.HasPrefix(r["Target"], "[OLD") {
				fault("action %s sets %s to %s", r["Action"], r["Source"], r["Target"])
			}
		case exeOfFile:
			if n&deferred == 0 || n&noImpersonation == 0 || !within(files[r["Source"]]) || strings.ContainsAny(r["Target"], "[]%") || n&(rollback|commit) != 0 {
				fault("action %s: type %d of %s, %q", r["Action"], n, r["Source"], r["Target"])
			}
		default:
			fault("action %s is of type %d: neither an installed program nor a value", r["Action"], n)
		}
	}
	for _, r := range d.rows("ServiceInstall") {
		if r["StartName"] != "LocalSystem" || r["Arguments"] != "run" || !within(component[r["Component_"]]) || r["Password"] != "" {
			fault("service %v", r)
		}
	}
	for _, r := range d.rows("Shortcut") {
		if r["Target"] != "[InstallFolder]aval-ui.exe" || r["Directory_"] != "ProgramMenuFolder" || r["Arguments"] != "" {
			fault("shortcut %v", r)
		}
	}

	// What an ordinary user may pass on is named, and none of it counts in a repair,
	// which such a user may start; what was given before is looked for as the system.
	held := map[string]bool{}
	order := map[string]int{}
	when := map[string]string{}
	for _, r := range d.rows("InstallExecuteSequence") {
		n, err := strconv.Atoi(r["Sequence"])
		if err != nil {
			fault("sequence %v", r)
		}
		order[r["Action"]], when[r["Action"]] = n, r["Condition"]
	}
	for _, r := range d.rows("CustomAction") {
		if n := order[r["Action"]]; r["Type"] == "51" && when[r["Action"]] == "Installed OR NOT "+r["Source"] && r["Target"] == "[OLD"+r["Source"]+"]" && n > order["AppSearch"] && n < order["CostInitialize"] {
			held[r["Source"]] = true
		}
	}
	var passed []string
	forAll := false
	for _, r := range d.rows("Property") {
		switch {
		case r["Property"] == "SecureCustomProperties":
			passed = strings.Split(r["Value"], ";")
		case r["Property"] == "ALLUSERS":
			forAll = r["Value"] == "1"
		}
	}
	for _, p := range passed {
		switch p {
		case "WIX_DOWNGRADE_DETECTED", "WIX_UPGRADE_DETECTED", "KEEPDATA": // removal asks for an administrator
		default:
			if !held[p] {
				fault("a repair takes %s from whoever starts it", p)
			}
		}
	}
	if !forAll {
		fault("it is installed for one user")
	}
	if len(passed) < 5 {
		fault("properties: %v", passed)
	}

	// What the service keeps goes with the last of it, not with an older version: see
	// fixes in installer/build.
	if !strings.Contains(when["Purge"], `REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE`) || order["Purge"] < order["InstallValidate"] {
		fault("an upgrade removes the data: %s", when["Purge"])
	}
	for _, r := range d.rows("Upgrade") {
		if r["ActionProperty"] == "WIX_UPGRADE_DETECTED" && r["Remove"] != "Aval" {
			fault("an upgrade removes %q of the older version", r["Remove"])
		}
	}
	for _, r := range d.rows("InstallUISequence") {
		if r["Action"] == "AppSearch" {
			fault("what was given before is looked for as the user, and not again")
		}
	}
	return out
}

// TestTables: a package that was built holds nothing by which somebody who is no
// administrator could have the system run, read or remove something. Each fault is
// planted into a copy of the package, and found.
func TestTables(t *testing.T) {
	d := built(t)
	if got := d.faults(); len(got) > 0 {
		t.Fatalf("%s", strings.Join(got, "\n"))
	}
	raw, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ query, found string }{
		"a folder that can be named":    {"UPDATE Component SET Directory_='TARGETDIR' WHERE Component='Desktop'", "Desktop lies in TARGETDIR"},
		"data of all users":             {"INSERT INTO Directory (Directory, Directory_Parent, DefaultDir) VALUES ('CommonAppDataFolder', 'TARGETDIR', '.'); UPDATE Component SET Directory_='CommonAppDataFolder' WHERE Component='Windows'", "Windows lies in CommonAppDataFolder"},
		"a library beside the programs": {"UPDATE File SET FileName='version.dll' WHERE File='LICENSE'", "version.dll"},
		"an open folder":                {"CREATE TABLE LockPermissions (LockObject CHAR(72) NOT NULL, `Table` CHAR(32) NOT NULL, Domain CHAR(255), User CHAR(255) NOT NULL, Permission LONG PRIMARY KEY LockObject); INSERT INTO LockPermissions (LockObject, `Table`, User, Permission) VALUES ('InstallFolder', 'CreateFolder', 'Everyone', 268435456)", "LockPermissions"},
		"an action out of a folder":     {"INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('Run', 3106, 'InstallFolder', 'setup.exe')", "action Run"},
		"an action as somebody's word":  {"UPDATE CustomAction SET Target='purge [KEEPDATA]' WHERE Action='Purge'", "action Purge"},
		"an action as the user":         {"UPDATE CustomAction SET Type=1106 WHERE Action='Purge'", "action Purge"},
		"a repair that takes a token":   {"DELETE FROM InstallExecuteSequence WHERE Action='KeepToken'", "TOKENFILE"},
		"a repair that takes a policy":  {"UPDATE InstallExecuteSequence SET Condition='NOT ACCESSCONTROL' WHERE Action='KeepAccess'", "ACCESSCONTROL"},
		"an upgrade that purges":        {"UPDATE InstallExecuteSequence SET Condition='REMOVE=\"ALL\"' WHERE Action='Purge'", "removes the data"},
		"an upgrade that removes all":   {"UPDATE Upgrade SET Remove='ALL' WHERE ActionProperty='WIX_UPGRADE_DETECTED'", "removes \"ALL\""},
		"another property that passes":  {"UPDATE Property SET Value='SERVERURL;TOKENFILE;SETTINGSFILE;ACCESSCONTROL;LANGUAGE;OLDACCESSCONTROL' WHERE Property='SecureCustomProperties'", "OLDACCESSCONTROL"},
		"a search as the user":          {"INSERT INTO InstallUISequence (Action, Sequence) VALUES ('AppSearch', 50)", "looked for as the user"},
		"a service of another's words":  {"UPDATE ServiceInstall SET Arguments='run [SERVERURL]' WHERE ServiceInstall='AvalService'", "service"},
		"an installation of a user's":   {"UPDATE Property SET Value='2' WHERE Property='ALLUSERS'", "for one user"},
		"a shortcut to another program": {"UPDATE Shortcut SET Target='[TempFolder]aval-ui.exe' WHERE Shortcut='StartMenu'", "shortcut"},
	} {
		t.Run(what, func(t *testing.T) {
			bad := database{t, filepath.Join(t.TempDir(), "bad.msi")}
			if err := os.WriteFile(bad.path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			for q := range strings.SplitSeq(c.query, "; ") {
				if out, err := exec.CommandContext(t.Context(), "msibuild", bad.path, "-q", q).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", q, err, out)
				}
			}
			if got := bad.faults(); !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, c.found) }) {
				t.Errorf("not found: %q in %q", c.found, got)
			}
		})
	}
}

// TestSameBytes: the same programs give the same package, at another time and in
// another folder; others give one of another code, of the same product. Planted once
// each: the time of now in aged, no setTimes, the product's code left to wixl, a
// package's code without its content.
func TestSameBytes(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	first := built(t)
	raw, err := os.ReadFile(first.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := first.summary(); !strings.Contains(got, "Created: Tue Nov 14 22:13:20 2023\nLast saved: Tue Nov 14 22:13:20 2023\n") {
		t.Error(got)
	}
	other := built(t, "-version", "1.2.3-rc.1", "-mesa", "") // other files, the same three numbers
	if first.row("Property", "Property", "ProductCode") != other.row("Property", "Property", "ProductCode") {
		t.Error("one version is two products: both could be installed")
	}
	if next := built(t, "-version", "1.2.4"); first.row("Property", "Property", "ProductCode") == next.row("Property", "Property", "ProductCode") {
		t.Error("two versions are one product: neither replaces the other")
	}
	code := regexp.MustCompile(`Revision number \(UUID\): (\{[-0-9A-F]{36}\})`)
	one, two := code.FindStringSubmatch(first.summary()), code.FindStringSubmatch(other.summary())
	if one == nil || two == nil || one[1] == two[1] {
		t.Errorf("packages that differ have the codes %q and %q", one, two)
	}
	if got := first.cabinet(); strings.Count(got, "Modified = 2023-11-14 22:13:20\n") != 7 || strings.Count(got, "Modified = ") != 7 {
		t.Error(got)
	}
	t.Setenv("TZ", "Asia/Tokyo")
	again, err := os.ReadFile(built(t).path)
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("the same programs gave another package: %v", err)
	}
}

// TestArm: the package for ARM64 is one by its summary, and the same in all that
// concerns who may change what.
func TestArm(t *testing.T) {
	d := built(t, "-arch", "arm64")
	if got := d.summary(); !strings.Contains(got, "Template: Arm64;1033\n") || !strings.HasSuffix(d.path, "-arm64.msi") {
		t.Errorf("%s: %s", d.path, got)
	}
	if got := d.faults(); len(got) > 0 {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}
