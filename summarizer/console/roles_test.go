package console_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/company"
	"aval/summarizer/console"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

var update = flag.Bool("update", false, "write testdata/routes.txt anew; then read what changed")

// tenant is one company with something of everything, all of whose texts hold mark.
type tenant struct {
	co   *company.Service
	mark string
	ids  []string // of its people, tokens, sessions, devices, modules, policies, groups, …
	by   map[company.Role]*browser
	size int64 // of its audit log, when it was filled
}

// fillTenant gives a company people of every role, signed in, and things whose
// ids another company's people may try.
func (s *site) fillTenant(co *company.Service, mark string) *tenant {
	s.t.Helper()
	ctx := s.t.Context()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	co = co.As(company.Command)
	t := &tenant{co: co, mark: mark, by: map[company.Role]*browser{}}
	for _, role := range company.Roles() {
		u, err := co.CreateUser(ctx, company.NewUser{Name: mark + " " + string(role), Login: mark + string(role), Role: role, Team: mark})
		must(err)
		t.by[role] = s.person(co, u)
		t.ids = append(t.ids, u.ID)
	}
	_, k, err := co.CreateAPIToken(ctx, company.NewAPIToken{Name: mark, Scopes: []company.Permission{company.SessionsRead}})
	must(err)
	m, _, err := co.CreateModule(ctx, mark, false, 30)
	must(err)
	_, err = co.CreatePolicy(ctx, mark)
	must(err)
	device := "d-" + mark
	key := store.Key{Company: co.ID(), Device: device, Session: "ssh/" + mark}
	must(s.db.Tx(ctx, func(x *store.Tx) error {
		if err := x.InsertDevice(store.Device{ID: device, Company: co.ID(), Name: mark, AgentVersion: "1", EnrolledAt: time.Now()}, "k-"+mark, make([]byte, 32)); err != nil {
			return err
		}
		return x.InsertStream(store.Stream{Key: key, Tool: "ssh", Supporter: mark, Direction: "outgoing", Basis: "consent", Provenance: "P2",
			Groups: []event.Group{event.Windows}, StartedAt: time.Now(), OpenedAt: time.Now()})
	}))
	hook, _, err := s.hub.Of(co.ID(), co.Actor().String()).Create(ctx, integration.Endpoint{Kind: store.Webhook, Name: mark, Enabled: true,
		Config: integration.Config{URL: "https://" + mark + ".example.com"}, Events: []string{store.Objection}}, integration.Secrets{})
	must(err)
	must(s.hub.Of(co.ID(), "server").Ping(ctx, hook.ID))
	told, err := s.hub.Of(co.ID(), "server").Deliveries(ctx, "", "", "", 1)
	must(err)
	t.ids = append(t.ids, hook.ID, told[0].ID)
	glass := "glass-" + mark
	must(s.db.Tx(ctx, func(x *store.Tx) error {
		return x.InsertBreakGlass(store.BreakGlass{ID: glass, Company: co.ID(), At: time.Now().Add(-time.Hour * 24 * 365), Reason: mark})
	}))
	t.ids = append(t.ids, k.ID, m.ID, mark, device, key.Ref(), glass, "ssh/"+mark)
	t.size = s.audited(co)
	return t
}

// person is the browser of somebody who was just added, signed in.
func (s *site) person(co *company.Service, u company.User) *browser {
	s.t.Helper()
	link, _, err := co.Invite(s.t.Context(), u.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "?token=")
	signed, err := s.host.Accept(s.t.Context(), secret, "horse-battery-staple", company.Browser{})
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.browser("en")
	b.set(signed)
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// audited is how many rows a company's audit log has.
func (s *site) audited(co *company.Service) int64 {
	s.t.Helper()
	r, err := co.VerifyAudit(s.t.Context())
	if err != nil || !r.OK {
		s.t.Fatal(r, err)
	}
	return r.Rows
}

var parameter = regexp.MustCompile(`\{[a-z_]+(\.\.\.)?\}`)

// address is a route's with something in the place of its parameters.
func address(rt console.Route, with string) string {
	return parameter.ReplaceAllString(strings.TrimSuffix(rt.Pattern, "{$}"), url.PathEscape(with))
}

// ask sends what a form of the console would.
func (b *browser) ask(rt console.Route, with string) (*http.Response, string) {
	form := url.Values{}
	for _, k := range []string{"id", "user", "device", "policy", "group", "module", "name", "supporter", "q", "version", "change"} {
		form.Set(k, with)
	}
	if rt.Method == http.MethodGet {
		return b.send(rt.Method, address(rt, with), nil)
	}
	return b.send(rt.Method, address(rt, with), strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// TestRoutes holds the table of routes against testdata/routes.txt, which says who
// reaches what: a route that is not there, or not as there, fails. A new route is
// added there by -update, and whoever adds it reads the line. Planted: a route
// without Needs showed up as everybody's.
func TestRoutes(t *testing.T) {
	s := start(t)
	var out bytes.Buffer
	for _, rt := range s.console.Routes() {
		who := []string{"everybody"}
		if rt.Needs != "" {
			who = nil
			for _, r := range company.Roles() {
				if r.May(rt.Needs) {
					who = append(who, string(r))
				}
			}
		}
		fmt.Fprintf(&out, "%-5s %-32s %s\n", rt.Method, rt.Pattern, strings.Join(who, " "))
	}
	file := filepath.Join("testdata", "routes.txt")
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(want, out.Bytes()) {
		t.Errorf("the routes are not those of %s (%v); if they should be: go test ./summarizer/console -run TestRoutes -update, and read the change\n%s", file, err, out.Bytes())
	}
}

// TestNoRouteBesideTheTable: the console answers nothing but the table, and the
// server nothing but the console and the few addresses that are named here with
// what guards them. Planted: a mux.HandleFunc in a handler's file was found.
func TestNoRouteBesideTheTable(t *testing.T) {
	handled := func(dir string) (out []string) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 2 {
					return true
				}
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Handle" || sel.Sel.Name == "HandleFunc") {
					var b strings.Builder
					for _, part := range []ast.Expr{call.Args[0]} {
						b.WriteString(exprText(part))
					}
					out = append(out, filepath.Base(f)+" "+b.String())
				}
				return true
			})
		}
		slices.Sort(out)
		return out
	}
	if got := handled("."); !slices.Equal(got, []string{`console.go "/"`, `console.go rt.Method+" "+rt.Pattern`}) {
		t.Errorf("the console handles beside its table: %q", got)
	}
	for _, h := range handled(filepath.Join("..", "..", "cmd", "aval-summarizer")) {
		if !slices.Contains([]string{
			`serve.go wire.AgentPath`,    // a device's signed challenge
			`serve.go wire.EnrollPath`,   // an enrolment token
			`serve.go wire.RustDeskPath`, // the device's own secret
			`serve.go wire.RedeemPath`,   // a session code
			`serve.go wire.ModulePath`,   // what a module says in public
			`serve.go wire.LeavePath`,    // the device's own key: it only gives up what it had
			`serve.go wire.OpenPath`,     // a module that stands; nothing comes of it before a person takes it
			`serve.go wire.OpenedPath`,   // the key of what was opened
			// a device code
			`serve.go wire.SignInPath`,  // a computer that asks, which a person then approves
			`serve.go wire.AccountPath`, // the key of a computer that is signed in
			`serve.go "GET /healthz"`,   // nothing but that it runs
			`serve.go "GET /readyz"`,    // nothing but that it runs
			`serve.go "GET /metrics"`,   // a port of its own, only where asked for; numbers and words of the program
			`serve.go "/"`,              // the console
			`serve.go api.Root`,         // an API token, by the API's own table
		}, h) {
			t.Errorf("the server answers %s, and nothing here says what guards it", h)
		}
	}
}

func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprText(e.X) + "." + e.Sel.Name
	case *ast.BinaryExpr:
		return exprText(e.X) + e.Op.String() + exprText(e.Y)
	}
	return "?"
}

// TestRoleRouteMethodTenant asks every route of the table by every method, as
// everybody: nobody, each role of the company, and each role of another one. What a role does not include is
// refused and changes nothing; another company's things are not there, whatever
// the role; a method that the table does not have is refused. Planted: a route
// with serve but without its Needs, a statement of store.User without
// company, and a handler for every method were each found.
func TestRoleRouteMethodTenant(t *testing.T) {
	s := start(t)
	other, err := s.host.Create(t.Context(), "marktwo inc", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	one, two := s.fillTenant(s.co, "markone"), s.fillTenant(other, "marktwo")
	nobody := s.browser("en")
	nobody.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	table := s.console.Routes()
	has := func(method, pattern string) bool {
		return slices.ContainsFunc(table, func(rt console.Route) bool { return rt.Method == method && rt.Pattern == pattern })
	}
	for _, rt := range table {
		name := rt.Method + " " + rt.Pattern
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if has(method, rt.Pattern) {
				continue
			}
			res, _ := one.by[company.Administrator].send(method, address(rt, "x"), nil, "Sec-Fetch-Site", "same-origin")
			if res.StatusCode != http.StatusMethodNotAllowed && res.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s, which the table has not: %d", method, rt.Pattern, res.StatusCode)
			}
		}
		if rt.Needs == "" {
			continue
		}
		if res, body := nobody.ask(rt, "x"); rt.Method == "GET" && (res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/sign-in") ||
			rt.Method != "GET" && res.StatusCode != http.StatusForbidden || strings.Contains(body, "mark") {
			t.Errorf("%s by nobody: %d", name, res.StatusCode)
		}
		// Across sites nobody changes anything.
		if rt.Method != http.MethodGet {
			for _, head := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://example.com"}, {"Origin", "null"}} {
				if res, _ := one.by[company.Administrator].do(rt.Method, address(rt, "x"), head[0], head[1]); res.StatusCode != http.StatusForbidden {
					t.Errorf("%s with %v: %d", name, head, res.StatusCode)
				}
			}
		}
		for _, role := range company.Roles() {
			b := one.by[role]
			if !role.May(rt.Needs) {
				before := s.audited(one.co)
				for _, id := range append([]string{"x"}, one.ids...) {
					res, body := b.ask(rt, id)
					home := rt.Pattern == "/{$}" && res.StatusCode == http.StatusSeeOther && res.Header.Get("Location") != "/"
					if res.StatusCode != http.StatusForbidden && !home || !home && !strings.Contains(body, "You may not do this") {
						t.Errorf("%s %s by %s: %d", name, id, role, res.StatusCode)
					}
				}
				if after := s.audited(one.co); after != before {
					t.Errorf("%s by %s changed something", name, role)
				}
				continue
			}
			for _, id := range two.ids {
				res, body := b.ask(rt, id)
				if strings.Contains(strings.ReplaceAll(body, `value="`+id+`"`, ""), two.mark+" ") || res.StatusCode >= 500 {
					t.Errorf("%s %s by %s of another company: %d\n%s", name, id, role, res.StatusCode, body)
				}
				if parameter.MatchString(strings.TrimSuffix(rt.Pattern, "{$}")) && res.StatusCode == http.StatusOK && id != two.mark {
					t.Errorf("%s %s by %s of another company: 200", name, id, role)
				}
			}
		}
		if n := s.audited(two.co); n != two.size {
			t.Fatalf("%s changed something of another company: %d rows instead of %d", name, n, two.size)
		}
	}
	// The other company's people are still who they were, and see their own.
	for _, role := range company.Roles() {
		res, body := two.by[role].do("GET", "/me")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, "marktwo "+string(role)) {
			t.Errorf("%s: %d", role, res.StatusCode)
		}
	}
	if res, body := two.by[company.Auditor].do("GET", "/users"); res.StatusCode != 200 || !strings.Contains(body, "marktwo viewer") || strings.Contains(body, "markone") {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
	if k := s.put(sample.Shell()); k.Company == other.ID() {
		t.Error("the sample is of the other company")
	}
}

// TestBodies: no request of whatever route makes the server read more than its
// form may have. Planted: without bounded the page took 5 MB of a name.
func TestBodies(t *testing.T) {
	s := start(t)
	big := s.fillTenant(s.co, "markone").by[company.Administrator]
	before := s.audited(s.co)
	for _, rt := range s.console.Routes() {
		if rt.Method == http.MethodGet || rt.Max > 64<<10 {
			continue
		}
		body := "name=" + strings.Repeat("x", 5<<20) + "&login=late&supporter=late&reason=late&log=on"
		res, page := big.send(rt.Method, address(rt, "x"), strings.NewReader(body), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
		if res.StatusCode >= 500 || res.StatusCode == http.StatusOK && strings.Contains(page, "xxxxxxxxxx") {
			t.Errorf("%s %s: %d", rt.Method, rt.Pattern, res.StatusCode)
		}
		if rt.Pattern == "/sign-out" {
			big = s.person(s.co, mustUser(t, s, "again"))
			before = s.audited(s.co)
		}
	}
	if after := s.audited(s.co); after > before+2 { // what a form without values does: a check of the log, a sign-out
		t.Errorf("%d rows more", after-before)
	}
}

func mustUser(t *testing.T, s *site, login string) company.User {
	t.Helper()
	u, err := s.co.CreateUser(t.Context(), company.NewUser{Name: login, Login: login, Role: company.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	return u
}
