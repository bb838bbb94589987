// Package house keeps the house in order: who may import whom, that every
// package says what it is for, that every text exists in every language, and
// that nothing lies about.
//
// The one rule that must not be broken: a rule of the house is checked here or
// it is no rule; and each check is shown a breach that was made up, which it
// must find.
package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the path of the Go module.
const module = "aval"

// pkg is what `go list -json` says about a package, as far as it is needed.
type pkg struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	CgoFiles     []string
	Error        *struct{ Err string }
}

// within tells whether path is dir or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func withinAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return within(path, d) })
}

// rule says what packages may import of this module.
type rule struct {
	// of names packages with all that is below them; the longest one that fits counts.
	of string
	// may names the packages of this module that may be imported directly.
	may []string
	// std: nothing but the standard library and what may names.
	std bool
}

// base is what adapters of the agent may import of each other's: the pure parts
// and those that carry their words.
var base = []string{"agent/consent", "agent/event", "agent/strict", "agent/policy", "agent/record", "agent/wire", "agent/redact", "agent/ipc", "assets"}

// testHelpers are what every package's tests may use.
var testHelpers = []string{"assets", "summarizer/store/storetest", "agent/x11/xtest", "agent/session/watch/logindtest", "agent/journal/journaltest"}

func with(more ...string) []string { return append(slices.Clone(base), more...) }

// rules is who may import whom. A package that no rule names may import nothing
// of this module.
var rules = []rule{
	{of: "assets", std: false},
	{of: "agent/consent", std: true},
	{of: "agent/event", std: true},
	{of: "agent/strict", std: true},
	{of: "agent/policy", may: []string{"agent/consent", "agent/event", "assets"}, std: true},
	{of: "agent/policy/source", may: []string{"agent/policy", "agent/consent", "agent/strict", "agent/winreg", "agent/plist"}},
	{of: "agent/wire", may: []string{"agent/consent", "agent/event", "agent/strict"}},
	{of: "agent/record", may: []string{"agent/consent", "agent/event", "agent/policy", "agent/strict", "agent/wire", "assets"}},
	{of: "agent/redact", may: []string{"agent/event"}},
	{of: "agent/ipc", may: []string{"agent/consent", "agent/event", "agent/policy", "agent/strict"}},
	// Adapters: the base, and what belongs to themselves.
	{of: "agent/session", may: with("agent/session", "agent/journal")},
	{of: "agent/capture", may: with("agent/capture", "agent/x11", "agent/journal", "agent/session/watch", "agent/winreg", "agent/plist")},
	{of: "agent/store", may: with("agent/store")},
	{of: "agent/prompt", may: with("agent/prompt", "agent/x11")},
	{of: "agent/service", may: with("agent/service")},
	{of: "agent/x11", may: with("agent/x11")},
	{of: "agent/winput", may: base},
	{of: "agent/memory"},
	{of: "agent/winreg", std: false},
	{of: "agent/plist", std: true},
	{of: "agent/journal", may: []string{"agent/journal"}},
	// The uplink reads the streams of the store, and nothing else of it.
	{of: "agent/uplink", may: with("agent/uplink", "agent/store")},
	{of: "agent", may: []string{"agent", "assets"}},
	{of: "ui", may: []string{"ui", "agent/event", "agent/consent", "agent/policy", "agent/ipc", "assets"}},
	{of: "summarizer", may: []string{"summarizer", "agent/event", "agent/strict", "agent/wire", "agent/record", "agent/redact", "agent/policy", "agent/consent", "assets"}},
	{of: "cmd", may: []string{"agent", "ui", "summarizer", "assets", "cmd/internal"}},
	{of: "cmd/internal"}, // what the command lines share: words and forms, nothing of ours
	{of: "installer", may: []string{"installer", "agent/policy", "agent/record", "agent/service", "assets"}},
	{of: "test", may: []string{"agent", "ui", "summarizer", "assets", "installer", "test"}},
}

// allows reads the may list: agent, ui, summarizer and other whole folders mean
// all that is below them; a part of the agent means that package alone, except
// for the packages that are themselves below it.
func (r rule) allows(path string) bool {
	for _, m := range r.may {
		switch {
		case m == "agent" || !strings.HasPrefix(m, "agent/"):
			if within(path, m) {
				return true
			}
		case path == m:
			return true
		case within(path, m) && within(r.of, m):
			return true // what is below itself
		}
	}
	return false
}

func ruleFor(path string) (rule, bool) {
	best, found := rule{}, false
	for _, r := range rules {
		if within(path, r.of) && len(r.of) >= len(best.of) {
			best, found = r, true
		}
	}
	return best, found
}

// pure are the packages that read nothing but their arguments, and all that
// they may import.
var (
	pure       = []string{"agent/consent", "agent/event"}
	pureImport = []string{"cmp", "errors", "fmt", "iter", "maps", "slices", "strconv", "strings", "time", "unicode", "unicode/utf8"}
)

// never is what may not be reached by any path.
type never struct {
	from []string
	what []string
	why  string
}

const (
	fyne      = "fyne.io/fyne/v2"
	bbolt     = "go.etcd.io/bbolt"
	websocket = "github.com/gorilla/websocket"
	kardianos = "github.com/kardianos/service"
)

var nevers = []never{
	{[]string{"agent", "cmd/aval", "cmd/aval-desktop", "cmd/aval-summarizer", "summarizer", "ui/tray", "ui/settingslist", "ui/indicator", "ui/font", "ui/viewmodel", "ui/shield"},
		[]string{fyne}, "a program that is linked with Fyne does not start without OpenGL"},
	{[]string{"cmd/aval-ui", "ui"}, []string{bbolt, websocket, kardianos}, "windows hold no data and no connection"},
	{[]string{"cmd/aval-summarizer", "summarizer"}, []string{bbolt}, "the server's store is SQL"},
	{[]string{"cmd/aval-summarizer"}, []string{module + "/summarizer/store/storetest"}, "it starts databases for tests"},
}

// breaches returns every breach of the rules in pkgs, sorted.
func breaches(pkgs map[string]pkg) []string {
	var out []string
	for path, p := range pkgs {
		own, ok := strings.CutPrefix(path, module+"/")
		if !ok {
			continue
		}
		out = append(out, direct(own, p.Imports, pkgs, false)...)
		out = append(out, direct(own, p.TestImports, pkgs, true)...)
		out = append(out, direct(own, p.XTestImports, pkgs, true)...)
		for _, n := range nevers {
			if !withinAny(own, n.from) {
				continue
			}
			for _, what := range n.what {
				if way := reach(pkgs, path, what); way != nil {
					out = append(out, fmt.Sprintf("%s reaches %s: %s", own, strings.Join(way[1:], " → "), n.why))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// direct checks one list of imports. Tests may use any module, and the test
// helpers that lie below what the package may import.
func direct(own string, imports []string, pkgs map[string]pkg, test bool) []string {
	var out []string
	r, known := ruleFor(own)
	for _, imp := range imports {
		if dep, ours := strings.CutPrefix(imp, module+"/"); ours || imp == module {
			if dep != own && (!known || !r.allows(dep)) && !(test && withinAny(dep, append(slices.Clone(r.may), append(testHelpers, own)...))) {
				out = append(out, fmt.Sprintf("%s imports %s", own, dep))
			}
			continue
		}
		if test {
			continue
		}
		if slices.Contains(pure, own) && !slices.Contains(pureImport, imp) {
			out = append(out, fmt.Sprintf("%s imports %s: it reads nothing but its arguments", own, imp))
		} else if r.std && r.of == own && !pkgs[imp].Standard {
			out = append(out, fmt.Sprintf("%s imports %s: only the standard library is allowed", own, imp))
		}
	}
	return out
}

// reach returns the shortest way from path to what, or nil.
func reach(pkgs map[string]pkg, path, what string) []string {
	type step struct {
		path string
		from *step
	}
	seen := map[string]bool{path: true}
	for queue := []*step{{path, nil}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if within(s.path, what) {
			var way []string
			for ; s != nil; s = s.from {
				way = append([]string{s.path}, way...)
			}
			return way
		}
		for _, imp := range pkgs[s.path].Imports {
			if !seen[imp] {
				seen[imp] = true
				queue = append(queue, &step{imp, s})
			}
		}
	}
	return nil
}

// root is the folder of the checkout.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// list runs go list on patterns with the environment env, in the checkout.
func list(t *testing.T, env []string, patterns ...string) map[string]pkg {
	t.Helper()
	args := append([]string{"list", "-e", "-deps", "-tags", "x11,migrated_fynedo", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,CgoFiles,Error"}, patterns...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	pkgs := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
}

func TestImports(t *testing.T) {
	pkgs := list(t, nil, "./...")
	if len(pkgs[module+"/agent/consent"].Imports) == 0 {
		t.Fatal("go list found nothing")
	}
	for _, b := range breaches(pkgs) {
		t.Error(b)
	}
}

// systems are those that programs are built for.
var systems = []string{"linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64", "darwin/amd64", "darwin/arm64"}

// TestNoCgo lists what the programs that must not need cgo are made of, on each
// system: with cgo switched off every part must still be there, and with it
// switched on no part outside the standard library may use it.
func TestNoCgo(t *testing.T) {
	programs := map[string][]string{
		"cmd/aval": systems, "cmd/aval-summarizer": systems,
		"cmd/aval-desktop": {"linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"},
	}
	for program, on := range programs {
		if _, err := os.Stat(filepath.Join(root(t), program)); err != nil {
			t.Errorf("%s is missing", program)
			continue
		}
		for _, system := range on {
			goos, goarch, _ := strings.Cut(system, "/")
			for _, cgo := range []string{"0", "1"} {
				pkgs := list(t, []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=" + cgo}, "./"+program)
				for _, b := range needsCgo(pkgs) {
					t.Errorf("%s on %s (CGO_ENABLED=%s): %s", program, system, cgo, b)
				}
			}
		}
	}
}

// needsCgo names the packages that cannot be built without cgo, or use it.
func needsCgo(pkgs map[string]pkg) []string {
	var out []string
	for path, p := range pkgs {
		switch {
		case p.Error != nil:
			out = append(out, path+": "+p.Error.Err)
		case !p.Standard && len(p.CgoFiles) > 0:
			out = append(out, path+" uses cgo: "+strings.Join(p.CgoFiles, ", "))
		}
	}
	slices.Sort(out)
	return out
}

// TestImportsFindsBreaches makes up one breach at a time.
func TestImportsFindsBreaches(t *testing.T) {
	std := func(names ...string) map[string]pkg {
		m := map[string]pkg{}
		for _, n := range names {
			m[n] = pkg{ImportPath: n, Standard: true}
		}
		return m
	}
	for name, c := range map[string]struct {
		imports map[string][]string
		tests   map[string][]string
		want    string
	}{
		"agent on ui":                     {imports: map[string][]string{"aval/agent": {"aval/ui/theme"}}, want: "agent imports ui/theme"},
		"agent on summarizer":             {imports: map[string][]string{"aval/agent/uplink": {"aval/summarizer/ingest"}}, want: "agent/uplink imports summarizer/ingest"},
		"adapter on adapter":              {imports: map[string][]string{"aval/agent/capture": {"aval/agent/store"}}, want: "agent/capture imports agent/store"},
		"adapter on the root":             {imports: map[string][]string{"aval/agent/store": {"aval/agent"}}, want: "agent/store imports agent"},
		"below policy on its parent's":    {imports: map[string][]string{"aval/agent/record": {"aval/agent/policy/source"}}, want: "agent/record imports agent/policy/source"},
		"ui on record":                    {imports: map[string][]string{"aval/ui/mainview": {"aval/agent/record"}}, want: "ui/mainview imports agent/record"},
		"ui on the agent":                 {imports: map[string][]string{"aval/ui/mainview": {"aval/agent"}}, want: "ui/mainview imports agent"},
		"summarizer on store":             {imports: map[string][]string{"aval/summarizer/ingest": {"aval/agent/store"}}, want: "summarizer/ingest imports agent/store"},
		"something on cmd":                {imports: map[string][]string{"aval/agent/service": {"aval/cmd/aval"}}, want: "agent/service imports cmd/aval"},
		"something on test":               {imports: map[string][]string{"aval/agent/service": {"aval/test/rig"}}, want: "agent/service imports test/rig"},
		"assets on something":             {imports: map[string][]string{"aval/assets": {"aval/agent/event"}}, want: "assets imports agent/event"},
		"event on consent":                {imports: map[string][]string{"aval/agent/event": {"aval/agent/consent"}}, want: "agent/event imports agent/consent"},
		"unknown package":                 {imports: map[string][]string{"aval/lib/x": {"aval/agent/event"}}, want: "lib/x imports agent/event"},
		"consent on os":                   {imports: map[string][]string{"aval/agent/consent": {"os"}}, want: "agent/consent imports os"},
		"consent on encoding/json":        {imports: map[string][]string{"aval/agent/consent": {"encoding/json"}}, want: "agent/consent imports encoding/json"},
		"event on net":                    {imports: map[string][]string{"aval/agent/event": {"net"}}, want: "agent/event imports net"},
		"policy on a module":              {imports: map[string][]string{"aval/agent/policy": {"example.com/toml"}}, want: "agent/policy imports example.com/toml"},
		"fyne in the service":             {imports: map[string][]string{"aval/cmd/aval": {"aval/agent"}, "aval/agent": {"example.com/x"}, "example.com/x": {fyne + "/app"}}, want: "cmd/aval reaches aval/agent → example.com/x → fyne.io/fyne/v2/app"},
		"fyne in the desktop helper":      {imports: map[string][]string{"aval/cmd/aval-desktop": {"aval/ui/theme"}, "aval/ui/theme": {fyne}}, want: "cmd/aval-desktop reaches aval/ui/theme → fyne.io/fyne/v2"},
		"fyne in the indicator":           {imports: map[string][]string{"aval/ui/indicator": {fyne + "/canvas"}}, want: "ui/indicator reaches"},
		"bbolt in the windows":            {imports: map[string][]string{"aval/cmd/aval-ui": {"example.com/x"}, "example.com/x": {bbolt}}, want: "cmd/aval-ui reaches"},
		"websocket in the windows":        {imports: map[string][]string{"aval/ui/mainview": {websocket}}, want: "ui/mainview reaches"},
		"kardianos in the windows":        {imports: map[string][]string{"aval/ui/mainview": {kardianos}}, want: "ui/mainview reaches"},
		"bbolt in the server":             {imports: map[string][]string{"aval/summarizer/store": {bbolt}}, want: "summarizer/store reaches"},
		"a test helper in the product":    {imports: map[string][]string{"aval/agent/capture": {"aval/agent/x11/xtest"}}, want: "agent/capture imports agent/x11/xtest"},
		"a test's database in the server": {imports: map[string][]string{"aval/cmd/aval-summarizer": {"aval/summarizer/store/storetest"}}, want: "cmd/aval-summarizer reaches"},
		"agent's test on the server":      {tests: map[string][]string{"aval/agent/uplink": {"aval/summarizer/ingest"}}, want: "agent/uplink imports summarizer/ingest"},
	} {
		pkgs := std("os", "net", "encoding/json", "time")
		for path, imports := range c.imports {
			pkgs[path] = pkg{ImportPath: path, Imports: imports}
		}
		for path, imports := range c.tests {
			pkgs[path] = pkg{ImportPath: path, XTestImports: imports}
		}
		got := breaches(pkgs)
		if !slices.ContainsFunc(got, func(b string) bool { return strings.HasPrefix(b, c.want) }) {
			t.Errorf("%s: found %q", name, got)
		}
	}
	fine := std("os", "time", "slices", "encoding/json")
	for path, imports := range map[string][]string{
		"aval/agent/consent": {"time", "slices"}, "aval/agent": {"aval/agent/store", "aval/agent/policy/source", "aval/assets"},
		"aval/agent/policy": {"aval/agent/consent", "encoding/json"}, "aval/agent/store": {"aval/agent/store/outbox", "aval/agent/record", bbolt},
		"aval/cmd/aval-desktop": {"aval/ui/tray"}, "aval/ui/tray": {"fyne.io/systray", "aval/agent/ipc"}, "aval/ui/mainview": {fyne, "aval/ui/theme"},
		"aval/cmd/aval-ui": {"aval/ui/mainview"}, "aval/test/link": {"aval/agent/uplink", "aval/summarizer/ingest"},
	} {
		fine[path] = pkg{ImportPath: path, Imports: imports}
	}
	if got := breaches(fine); len(got) > 0 {
		t.Errorf("what is allowed was found: %q", got)
	}
	if got := needsCgo(map[string]pkg{
		"example.com/c": {CgoFiles: []string{"c.go"}}, "example.com/d": {Error: &struct{ Err string }{"build constraints exclude all Go files"}},
		"net": {Standard: true, CgoFiles: []string{"cgo.go"}}, "example.com/go": {},
	}); len(got) != 2 {
		t.Errorf("cgo: %q", got)
	}
}
