package house

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// top is what may lie at the top of the tree.
var top = []string{
	"cmd", "agent", "ui", "summarizer", "installer", "assets", "docs", "test",
	"FyneApp.toml", "go.mod", "go.sum", "Makefile", ".ci", ".gitignore", ".gitattributes", ".editorconfig",
	"README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "THIRD_PARTY.md",
}

// strangers returns the entries at the top that nobody agreed upon.
func strangers(files []string) []string {
	var out []string
	for _, f := range files {
		first, _, _ := strings.Cut(f, "/")
		if !slices.Contains(top, first) && !slices.Contains(out, first) {
			out = append(out, first)
		}
	}
	return out
}

func TestTop(t *testing.T) {
	for _, s := range strangers(tracked(t)) {
		t.Errorf("%s does not belong at the top of the tree", s)
	}
	if got := strangers([]string{"agent/x.go", "README.md", "tools/x.go", "tools/y.go", "notes.txt"}); !slices.Equal(got, []string{"tools", "notes.txt"}) {
		t.Errorf("%q", got)
	}
}

// unfinished are the words of work that was left lying. They are put together
// here, so that this file does not hold them.
var unfinished = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "(?i:not " + "implemented)"}, "|") + `)\b`)

// foreign returns the lines of a text file that should not be there: marks of
// unfinished work, and paths of the machine on which it was built.
func foreign(raw []byte, paths []string) []string {
	if bytes.IndexByte(raw[:min(len(raw), 8000)], 0) >= 0 {
		return nil // no text
	}
	var out []string
	for n, line := range strings.Split(string(raw), "\n") {
		if w := unfinished.FindString(line); w != "" {
			out = append(out, fmt.Sprintf("line %d: %q", n+1, w))
		}
		for _, p := range paths {
			if i := strings.Index(line, p); i >= 0 && (i+len(p) == len(line) || !wordByte(line[i+len(p)])) {
				out = append(out, fmt.Sprintf("line %d: the path %s of this machine", n+1, p))
			}
		}
	}
	return out
}

func wordByte(b byte) bool {
	return b == '_' || b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func TestNothingLiesAbout(t *testing.T) {
	paths := []string{root(t)}
	cmd := exec.Command("go", "env", "GOMODCACHE", "GOCACHE", "GOROOT")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		// /usr/lib/go and the like are where others have it, too.
		if !strings.HasPrefix(p, "/usr/") {
			paths = append(paths, p)
		}
	}
	for _, name := range tracked(t) {
		if name == "LICENSE" || name == "THIRD_PARTY.md" || name == "go.sum" {
			continue // words of others
		}
		raw, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range foreign(raw, paths) {
			t.Errorf("%s: %s", name, f)
		}
	}
}

func TestNothingLiesAboutFindsBreaches(t *testing.T) {
	paths := []string{"/build/here"}
	for text, want := range map[string]int{
		"fine\nmastodon, todo":                         0,
		"// TO" + "DO: later":                          1,
		"x\nFIX" + "ME":                                1,
		"not " + "implemented":                         1,
		"at /build/here/agent/x.go":                    1,
		"at /build/here":                               1,
		"at /build/hereafter":                          0,
		"picture \x00 TO" + "DO":                       0,
		"TO" + "DO /build/here:3 not " + "implemented": 2,
	} {
		if got := foreign([]byte(text), paths); len(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
