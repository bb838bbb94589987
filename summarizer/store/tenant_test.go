package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// across are the functions whose statements need not name their company, and why.
var across = map[string]string{
	// From a secret or an id that somebody brought to the company that it belongs to.
	"CompanyOfModule":      "tells whose a module is",
	"CompanyOfOpening":     "tells whose an opening is",
	"CompanyOfDevice":      "tells whose a device is",
	"SignInToDecide":       "by its secret; no company's until it is decided",
	"DecideSignIn":         "no company's until it is decided",
	"PollSignIn":           "by its secret",
	"LiveAPIToken":         "by its secret",
	"ConsoleSession":       "by its secret",
	"DeleteConsoleSession": "by its secret, and clears away what has expired of anybody",
	"EnrolToken":           "by its secret",
	"UseEnrolToken":        "by its secret",
	"UseAdminLink":         "by its secret",
	"LiveAdminLink":        "by its secret",
	"Invited":              "by its secret",
	// What the server does for all companies in turn; each row that it touches names
	// its own.
	"ClaimJob":         "work of all companies is done by one queue",
	"NextJob":          "when that queue has something next",
	"JobCounts":        "for the operator: numbers alone",
	"Skews":            "for the operator: numbers alone",
	"CountDevices":     "for the operator: numbers alone",
	"AnnouncedDevices": "which connections are to be told; each asks by its company",
	"DropSignIns":      "clears away what has expired",
	"DropOpenings":     "clears away what has expired",
	"DropDeliveries":   "clears away what is old",
	"DropRequestKeys":  "clears away what is old",
	"CountNew":         "counts what is new, into rows of its company",
	"AnyUncounted":     "tells whether there is any",
	"CountUses":        "counts what is new, into rows of its company",
	"AnyUncountedUse":  "tells whether there is any",
	"IndexOld":         "indexes what is old, into rows of its company",
	"AnyOld":           "tells whether there is any",
	"IndexOldDevices":  "indexes what is old, into rows of its company",
	"AnyOldDevice":     "tells whether there is any",
	"Restored":         "after a backup was put back, all computers take new settings",
	// Rows of a table without a company, added beside their parent, which names it.
	"InsertDevice":  "a key comes with its device",
	"InsertOptions": "of a device that was read by its company",
	"PublishPolicy": "a version, after its policy was changed in its company",
}

var (
	tableOf   = regexp.MustCompile(`\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)`)
	named     = regexp.MustCompile(`\bcompany( \|\| '')? = `)
	bound     = regexp.MustCompile(`\bcompany( \|\| '')? = \$`)
	changes   = regexp.MustCompile(`(?s)\bSET\b.*?\b(WHERE|RETURNING)\b`) // what is set says nothing of which rows
	inserts   = regexp.MustCompile(`INSERT INTO \w+ \(\s*[^)]*\bcompany\b`)
	statement = regexp.MustCompile(`\b(SELECT|UPDATE|INSERT|DELETE)\b`)
)

// companyTables are the tables with a column company, and those without one whose
// rows are parts of such a row: true and false.
func companyTables(t *testing.T) map[string]bool {
	all := map[string]bool{"device_keys": false, "device_options": false, "policy_versions": false}
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	create := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`)
	column := regexp.MustCompile(`(?m)^\s*company\s`)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range create.FindAllStringSubmatch(string(raw), -1) {
			if column.MatchString(m[2]) {
				all[m[1]] = true
			}
		}
	}
	return all
}

// breach says what is wrong with a statement; empty: nothing. Each table of a company's
// must have its company compared, and at least one with a value of the caller's.
func breach(query string, tables map[string]bool) string {
	refs, any := 0, false
	for _, m := range tableOf.FindAllStringSubmatch(query, -1) {
		if whole, ok := tables[m[1]]; ok {
			any = true
			if whole {
				refs++
			}
		}
	}
	query = changes.ReplaceAllString(query, "$1")
	compared := len(named.FindAllString(query, -1))
	switch {
	case !any:
		return ""
	case inserts.MatchString(query):
		if compared+1 < refs {
			return "reads from a table without its company"
		}
	case !bound.MatchString(query):
		return "does not name its company"
	case compared < refs:
		return "names its company for some of its tables only"
	}
	return ""
}

// source is the package as it is written.
type source struct {
	fset   *token.FileSet
	values map[string]ast.Expr        // of constants and variables of the package
	funcs  map[string][]*ast.FuncDecl // by name
	calls  map[string][]call          // of the functions of the package
}

type call struct {
	from *ast.FuncDecl
	args []ast.Expr
}

func readSource(t *testing.T, files map[string]string) *source {
	s := &source{fset: token.NewFileSet(), values: map[string]ast.Expr{}, funcs: map[string][]*ast.FuncDecl{}, calls: map[string][]call{}}
	for name, text := range files {
		f, err := parser.ParseFile(s.fset, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, sp := range d.Specs {
					if v, ok := sp.(*ast.ValueSpec); ok {
						for i, n := range v.Names {
							if i < len(v.Values) {
								s.values[n.Name] = v.Values[i]
							}
						}
					}
				}
			case *ast.FuncDecl:
				s.funcs[d.Name.Name] = append(s.funcs[d.Name.Name], d)
				ast.Inspect(d, func(n ast.Node) bool {
					if c, ok := n.(*ast.CallExpr); ok {
						s.calls[called(c)] = append(s.calls[called(c)], call{d, c.Args})
					}
					return true
				})
			}
		}
	}
	return s
}

// called is the name of the function or method that is called.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// texts are what an expression of a function can be: every string that goes into it
// one after the other, and for a parameter one for each call of the function.
func (s *source) texts(e ast.Expr, in *ast.FuncDecl, depth int) []string {
	if depth > 12 {
		return []string{""}
	}
	join := func(list ...ast.Expr) []string {
		out := []string{""}
		for _, e := range list {
			var longer []string
			for _, a := range out {
				for _, b := range s.texts(e, in, depth+1) {
					longer = append(longer, a+" "+b)
				}
			}
			out = longer
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		v, _ := strconv.Unquote(e.Value) // what is no string has no SQL
		return []string{v}
	case *ast.BinaryExpr:
		return join(e.X, e.Y)
	case *ast.ParenExpr:
		return join(e.X)
	case *ast.CompositeLit:
		var list []ast.Expr
		for _, x := range e.Elts {
			if kv, ok := x.(*ast.KeyValueExpr); ok {
				x = kv.Value
			}
			list = append(list, x)
		}
		return join(list...)
	case *ast.IndexExpr:
		return join(e.X)
	case *ast.CallExpr:
		var list []string
		for _, f := range s.funcs[called(e)] {
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					v, _ := strconv.Unquote(l.Value)
					list = append(list, v)
				}
				return true
			})
		}
		if list != nil {
			return []string{strings.Join(list, " ")}
		}
		return join(e.Args...)
	case *ast.Ident:
		if in != nil {
			var assigned []ast.Expr
			ast.Inspect(in, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for i, l := range n.Lhs {
						if id := assignee(l); id != nil && id.Name == e.Name && len(n.Rhs) == 1 && len(n.Lhs) > 1 {
							assigned = append(assigned, n.Rhs[0])
						}
						if id := assignee(l); id != nil && id.Name == e.Name && len(n.Rhs) == len(n.Lhs) && !mentions(n.Rhs[i], e.Name) {
							assigned = append(assigned, n.Rhs[i])
						} else if id != nil && id.Name == e.Name && len(n.Rhs) == len(n.Lhs) {
							assigned = append(assigned, without(n.Rhs[i], e.Name)...)
						}
					}
				case *ast.ValueSpec:
					for i, id := range n.Names {
						if id.Name == e.Name && i < len(n.Values) {
							assigned = append(assigned, n.Values[i])
						}
					}
				}
				return true
			})
			given := s.given(e.Name, in, depth)
			if given == nil && len(assigned) == 0 {
				break
			}
			var out []string
			for _, a := range append(given, make([]string, max(0, 1-len(given)))...) {
				for _, b := range join(assigned...) {
					out = append(out, a+" "+b)
				}
			}
			slices.Sort(out)
			return slices.Compact(out)
		}
	}
	if id, ok := e.(*ast.Ident); ok {
		if v := s.values[id.Name]; v != nil {
			return s.texts(v, nil, depth+1)
		}
	}
	return []string{""}
}

// given are what the calls of a function give for its parameter name; nil: it has none.
func (s *source) given(name string, f *ast.FuncDecl, depth int) (out []string) {
	at := 0
	for _, p := range f.Type.Params.List {
		for _, n := range p.Names {
			if n.Name == name {
				for _, c := range s.calls[f.Name.Name] {
					if at < len(c.args) {
						out = append(out, s.texts(c.args[at], c.from, depth+1)...)
					}
				}
				slices.Sort(out)
				return slices.Compact(out)
			}
			at++
		}
	}
	return nil
}

// assignee is the variable that an assignment changes: x, and x of x[i].
func assignee(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.IndexExpr:
		return assignee(e.X)
	}
	return nil
}

func mentions(e ast.Expr, name string) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Name == name
		return true
	})
	return found
}

// without is what append(x, …) and x + … add to x.
func without(e ast.Expr, name string) (out []ast.Expr) {
	switch e := e.(type) {
	case *ast.CallExpr:
		for _, a := range e.Args {
			if !mentions(a, name) {
				out = append(out, a)
			}
		}
	case *ast.BinaryExpr:
		for _, x := range []ast.Expr{e.X, e.Y} {
			if !mentions(x, name) {
				out = append(out, x)
			} else {
				out = append(out, without(x, name)...)
			}
		}
	}
	return out
}

// breaches are the statements on tables of companies that do not name theirs, as
// FUNCTION: what is wrong: the statement; and how many statements there are.
func (s *source) breaches(tables map[string]bool) (out []string, n int) {
	ways := []string{"exec", "one", "each", "ExecContext", "QueryContext", "QueryRowContext", "PrepareContext"}
	for name, same := range s.funcs {
		if slices.Contains(ways, name) { // looked at where it is called
			continue
		}
		for _, f := range same {
			ast.Inspect(f, func(node ast.Node) bool {
				c, ok := node.(*ast.CallExpr)
				if !ok || !slices.Contains(ways, called(c)) || len(c.Args) == 0 {
					return true
				}
				query := c.Args[0]
				if strings.HasSuffix(called(c), "Context") {
					if len(c.Args) < 2 {
						return true
					}
					query = c.Args[1]
				}
				for _, q := range s.texts(query, f, 0) {
					if !statement.MatchString(q) {
						continue
					}
					n++
					if why := breach(q, tables); why != "" {
						out = append(out, name+": "+why+": "+strings.Join(strings.Fields(q), " "))
					}
				}
				return true
			})
		}
	}
	slices.Sort(out)
	return slices.Compact(out), n
}

// TestTenants: every statement of the store on what is a company's names the company,
// for every table in it, so that no id of another's leads anywhere. What one function
// puts together in several ways is looked at as one. Planted: without company in
// DraftPolicy, and in the name of the device of a session's row.
func TestTenants(t *testing.T) {
	tables := companyTables(t)
	if len(tables) < 40 {
		t.Fatalf("%d tables of companies", len(tables))
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, n := range names {
		if !strings.HasSuffix(n, "_test.go") {
			raw, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			files[n] = string(raw)
		}
	}
	found, n := readSource(t, files).breaches(tables)
	if n < 250 {
		t.Fatalf("%d statements were found", n)
	}
	used := map[string]bool{}
	for _, b := range found {
		name, _, _ := strings.Cut(b, ":")
		if used[name] = true; across[name] == "" {
			t.Error(b)
		}
	}
	for name := range across {
		if !used[name] {
			t.Errorf("%s is excepted for nothing", name)
		}
	}
}

// TestTenantsSeen: what the test above looks for it finds, however a statement is
// put together.
func TestTenantsSeen(t *testing.T) {
	tables := map[string]bool{"things": true, "others": true, "parts": false, "companies": false}
	delete(tables, "companies")
	for _, c := range []struct {
		source string
		wrong  bool
	}{
		{"func (t *Tx) A(id string) { t.exec(`UPDATE things SET x = 1 WHERE id = $1`, id) }", true},
		{"func (t *Tx) A(id string) { t.exec(`UPDATE things SET x = 1 WHERE company = $1 AND id = $2`, id) }", false},
		{"func (t *Tx) A(id string) { t.exec(`UPDATE things SET company = $2 WHERE id = $1`, id) }", true},
		{"func (t *Tx) A() { t.exec(`INSERT INTO things (id, company) VALUES ($1, $2)`) }", false},
		{"func (t *Tx) A() { t.exec(`INSERT INTO things (id) VALUES ($1)`) }", true},
		{"const c = `SELECT x FROM things`; func (t *Tx) A() { t.one(c + ` WHERE id = $1`, nil) }", true},
		{"const c = `SELECT x FROM things`; func (t *Tx) A() { t.one(c + ` WHERE company = $1`, nil) }", false},
		{"func (t *Tx) a(w string) { t.each(`SELECT x FROM things WHERE `+w, nil) }; func (t *Tx) B() { t.a(`company = $1`) }; func (t *Tx) C() { t.a(`id = $1`) }", true},
		{"func (t *Tx) a(w string) { t.each(`SELECT x FROM things WHERE `+w, nil) }; func (t *Tx) B() { t.a(`company = $1`) }", false},
		{"func (t *Tx) A() { w := []string{`id = $1`}; w = append(w, `company = $2`); t.each(fmt.Sprintf(`SELECT x FROM things WHERE %s`, strings.Join(w, ` AND `)), nil) }", false},
		{"func (t *Tx) A() { t.one(`SELECT x FROM things t JOIN others o ON o.id = t.id WHERE t.company = $1`, nil) }", true},
		{"func (t *Tx) A() { t.one(`SELECT x FROM things t JOIN others o ON o.company = t.company AND o.id = t.id WHERE t.company = $1`, nil) }", false},
		{"func (t *Tx) A() { t.one(`SELECT x FROM things t JOIN others o ON TRUE WHERE t.company = o.company`, nil) }", true},
		{"func (t *Tx) A() { t.one(`SELECT x FROM parts WHERE id = $1`, nil) }", true},
		{"func (t *Tx) A() { t.one(`SELECT x FROM companies WHERE id = $1`, nil) }", false},
	} {
		found, _ := readSource(t, map[string]string{"x.go": "package x\n" + c.source}).breaches(tables)
		if (len(found) > 0) != c.wrong {
			t.Errorf("%s: %v", c.source, found)
		}
	}
}
