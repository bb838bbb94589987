package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ruleWords stand in every package comment.
const ruleWords = "The one rule that must not be broken"

// tracked lists the files under version control, as paths with slashes from the
// root. The tree is walked as well, so that a cached test result falls with
// any change of it.
func tracked(t *testing.T) []string {
	t.Helper()
	dir := root(t)
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = dir
	raw, gitErr := cmd.Output()
	known := map[string]bool{}
	for _, f := range strings.Split(string(raw), "\x00") {
		known[f] = true
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		switch {
		case e.IsDir() && (rel == ".git" || rel == "bin" || rel == "out"):
			return filepath.SkipDir
		case e.IsDir():
			_, err := os.ReadDir(path)
			return err
		case gitErr != nil || known[rel]: // without git, as in a tarball: all
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("%d files are tracked", len(files))
	}
	return files
}

// goFile is one parsed Go file.
type goFile struct {
	name string
	raw  []byte
	ast  *ast.File
}

func parse(t *testing.T, name string, raw []byte) goFile {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, raw, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return goFile{name, raw, f}
}

func goFiles(t *testing.T) []goFile {
	var files []goFile
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, parse(t, name, raw))
	}
	return files
}

var toolTag = regexp.MustCompile(`(?m)^//go:build (ignore|tidydeps)$`)

// comments checks that each package has exactly one comment, with its rule.
// Only where a package is nothing but tests, a test holds it.
func comments(files []goFile) []string {
	type found struct {
		docs  []string
		rules int
		files int
	}
	pkgs := map[string]*found{}
	collect := func(tests bool) {
		for _, f := range files {
			dir := f.name[:max(0, strings.LastIndexByte(f.name, '/'))]
			if ast.IsGenerated(f.ast) || toolTag.Match(f.raw) || strings.HasSuffix(f.name, "_test.go") != tests {
				continue
			}
			if tests && pkgs[dir] != nil && pkgs[dir].files > 0 {
				continue
			}
			key := dir
			if tests {
				key += " (tests)"
			}
			if pkgs[key] == nil {
				pkgs[key] = &found{}
			}
			p := pkgs[key]
			p.files++
			if f.ast.Doc != nil {
				p.docs = append(p.docs, f.name)
				if strings.Contains(strings.Join(strings.Fields(f.ast.Doc.Text()), " "), ruleWords) {
					p.rules++
				}
			}
		}
	}
	collect(false)
	collect(true)
	var out []string
	for dir, p := range pkgs {
		switch {
		case len(p.docs) == 0:
			out = append(out, dir+": no package comment")
		case len(p.docs) > 1:
			out = append(out, dir+": package comments in "+strings.Join(p.docs, " and "))
		case p.rules == 0:
			out = append(out, p.docs[0]+": the package comment does not say \""+ruleWords+": …\"")
		}
	}
	slices.Sort(out)
	return out
}

// clockUse finds what in package time looks at the clock or waits for it.
func clockUse(f goFile) []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"}, sel.Sel.Name) {
			out = append(out, f.name+": time."+sel.Sel.Name)
		}
		return true
	})
	return out
}

func TestComments(t *testing.T) {
	for _, b := range comments(goFiles(t)) {
		t.Error(b)
	}
}

// TestNoClock: the pure packages are told the time.
func TestNoClock(t *testing.T) {
	for _, f := range goFiles(t) {
		if dir := filepath.ToSlash(filepath.Dir(f.name)); slices.Contains(pure, dir) && !strings.HasSuffix(f.name, "_test.go") {
			for _, b := range clockUse(f) {
				t.Error(b)
			}
		}
	}
}

func TestSourceChecksFindBreaches(t *testing.T) {
	const good = "// Package a is a.\n//\n// The one rule that must not\n// be broken: none.\npackage a\n"
	const bare = "package a\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int
	}{
		"fine":             {map[string]string{"a/a.go": good, "a/b.go": bare, "a/a_test.go": bare}, 0},
		"none":             {map[string]string{"a/a.go": bare}, 1},
		"two":              {map[string]string{"a/a.go": good, "a/b.go": good}, 1},
		"without the rule": {map[string]string{"a/a.go": "// Package a is a.\npackage a\n"}, 1},
		"in another place": {map[string]string{"a/a.go": good, "b/b.go": bare}, 1},
		"only in a test":   {map[string]string{"a/a.go": bare, "a/a_test.go": good}, 1},
		"only tests":       {map[string]string{"a/a_test.go": good}, 0},
		"only tests, none": {map[string]string{"a/a_test.go": bare}, 1},
		"for systems":      {map[string]string{"a/a_linux.go": good, "a/a_windows.go": good}, 1},
		"generated":        {map[string]string{"a/a.go": good, "a/b.go": "// Code generated by x. DO NOT EDIT.\n\n// Package a.\npackage a\n"}, 0},
	} {
		var files []goFile
		for n, text := range c.files {
			files = append(files, parse(t, n, []byte(text)))
		}
		if got := comments(files); len(got) != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	clock := parse(t, "x.go", []byte("package a\nimport \"time\"\nvar a = time.Now()\nvar f = time.Since\nvar d time.Duration\n"))
	if got := clockUse(clock); len(got) != 2 {
		t.Errorf("%q", got)
	}
}
