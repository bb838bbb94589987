package mdm_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aval/agent/policy"
	"aval/installer/mdm"
)

const pages = "../../docs/mdm"

// TestPages: each page for administrators ends with every key, property and file, and
// the page of Windows has the properties, as the code knows them. AVAL_UPDATE=1 writes
// them. A page that the table does not know fails too. Planted once: another word in the
// page of Windows' own table.
func TestPages(t *testing.T) {
	all, err := filepath.Glob(filepath.Join(pages, "*.md"))
	if err != nil || len(all) != len(mdm.Pages) {
		t.Errorf("pages: %v, %v; the table has %d", all, err, len(mdm.Pages))
	}
	check := func(path, what, text string) {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return
		}
		from, to := "<!-- "+what+": begin -->\n", "<!-- "+what+": end -->\n"
		head, rest, _ := strings.Cut(string(raw), from)
		_, tail, _ := strings.Cut(rest, to)
		want := strings.TrimRight(head, "\n") + "\n\n" + from + text + to + tail
		if want == string(raw) {
			return
		}
		if os.Getenv("AVAL_UPDATE") == "" {
			t.Errorf("%s does not say of %s what the code does: run with AVAL_UPDATE=1", path, what)
			return
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, system := range mdm.Pages {
		check(filepath.Join(pages, name), "reference", mdm.Reference(system))
	}
	check("../../docs/windows.md", "properties", mdm.PropertyTable())
}

// TestPagesNameAll reads the pages by themselves: every key that is offered, every
// property of the package for Windows, as its source has them, and every variable that the packages'
// scripts for Linux look at.
// Faults planted once: a key added to the table of keys, AVAL_QUIET to postinst, and
// a property to the source of the package, none of them to the pages' tables.
func TestPagesNameAll(t *testing.T) {
	read := func(path string) string {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	need := map[string][]string{}
	wxs := read("../windows/aval.wxs")
	for _, m := range regexp.MustCompile(`Value="\[([A-Z]+)\]"`).FindAllStringSubmatch(wxs, -1) {
		need["windows"] = append(need["windows"], m[1])
	}
	scripts, err := filepath.Glob("../linux/*/p*")
	if err != nil || len(scripts) < 8 {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	for _, s := range scripts {
		need["linux"] = append(need["linux"], regexp.MustCompile(`AVAL_[A-Z_]+`).FindAllString(read(s), -1)...)
	}
	if len(need["windows"]) < 4 || len(need["linux"]) < 4 {
		t.Fatalf("found too little: %v", need)
	}
	for name, system := range mdm.Pages {
		page := read(filepath.Join(pages, name))
		for _, d := range policy.Definitions() {
			if !d.Test && !strings.Contains(page, "| `"+string(d.Name)+"` |") {
				t.Errorf("%s has no line for the key %s", name, d.Name)
			}
		}
		for _, n := range need[system] {
			if !strings.Contains(page, "`"+n+"`") {
				t.Errorf("%s does not name %s", name, n)
			}
		}
	}
}
