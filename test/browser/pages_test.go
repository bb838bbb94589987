//go:build e2e

package browser_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/summarizer/api"
	"aval/summarizer/api/rest"
	"aval/summarizer/company"
	"aval/summarizer/console"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
	"aval/test/browser"
)

// page is one page of the console, as it is found after site.fill.
type page struct {
	name string
	path func(s *site) string
}

func at(path string) func(*site) string { return func(*site) string { return path } }

// pages is what is judged. A new page of the console gets a line here; what it
// needs in the store, site.fill puts there.
var pages = []page{
	{"sessions", at("/")},
	{"session", func(s *site) string { return "/s/" + s.printer }},
	{"session-hostile", func(s *site) string { return "/s/" + s.hostile }},
	{"insights", at("/insights")},
	{"devices", at("/devices")},
	{"device", func(s *site) string { return "/devices/" + sample.Device }},
	{"groups", at("/devices/groups")},
	{"policies", at("/policies?done=saved")},
	{"policy", func(s *site) string { return "/policies/" + s.policy }},
	{"modules", at("/modules?wrong=taken")},
	{"module", func(s *site) string { return "/modules/" + s.module }},
	{"history", at("/history")},
	{"sessions-search", at("/?q=impressora&supporter=ana")},
	{"sessions-none", at("/?q=nowhere")},
	{"session-edit", func(s *site) string { return "/s/" + s.printer + "/edit" }},
	{"session-delete", func(s *site) string { return "/s/" + s.printer + "/delete" }},
	{"session-edited", func(s *site) string { return "/s/" + s.edited }},
	{"session-version", func(s *site) string { return "/s/" + s.edited + "?version=1" }},
	{"overview", at("/overview")},
	{"ai", at("/ai")},
	{"engine", at("/ai/engine")},
	{"session-model", func(s *site) string { return "/s/" + s.modelled }},
	{"codes", at("/codes")},
	{"enrolment", at("/devices/tokens")},
	{"account", at("/account")},
	{"users", at("/users")},
	{"user", func(s *site) string { return "/users/" + s.person }},
	{"tokens", at("/tokens")},
	{"audit", at("/audit")},
	{"me-link", at("/me")},
	{"integrations", at("/integrations")},
	{"integration-webhook", func(s *site) string { return "/integrations/" + s.webhook }},
	{"integration-salesforce", func(s *site) string { return "/integrations/" + s.salesforce }},
	{"integration-new", at("/integrations/new?kind=servicenow")},
	{"deliveries", at("/deliveries")},
	{"welcome", at("/welcome")},
}

// guests are pages that nobody signs in for.
var guests = []page{
	{"sign-in", at("/sign-in")},
	{"api-docs", at("/api/docs")},
}

// site is a console over a store with sample sessions, on a real TLS server.
type site struct {
	db                       *store.DB
	host                     *company.Host
	url                      string
	printer, hostile, edited string // refs of sessions
	modelled                 string // of one that a model wrote about
	policy, module           string // ids
	person                   string // the id of a user
	webhook, salesforce      string // ids of integrations
}

func start(t *testing.T) *site {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{db: db}
	if err := sample.Fill(t.Context(), db, "pt-BR"); err != nil {
		t.Fatal(err)
	}
	if _, err := company.MakeReleaseKey(filepath.Join(db.Dir(), "keys", sample.Company+".pem")); err != nil { // a signing key is one as well
		t.Fatal(err)
	}
	// The address comes first: it is where an identity provider sends browsers back to.
	srv := httptest.NewUnstartedServer(nil)
	if s.host, err = company.Open(t.Context(), db, company.Options{Server: "https://" + srv.Listener.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.fill(t.Context()), s.settle(t.Context()), s.people(t.Context())); err != nil {
		t.Fatal(err)
	}
	hub, err := integration.New(db, integration.Options{Allow: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := integration.NewClient([]string{"127.0.0.1"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	models := llm.NewPool(llm.Options{Guarded: guarded})
	if err := errors.Join(s.integrations(t, hub), s.model(t, models)); err != nil {
		t.Fatal(err)
	}
	pages := console.New(db, console.Options{Log: slog.New(slog.DiscardHandler), Zone: time.UTC, Host: s.host, Hub: hub, Models: models, Enrol: func() string { return "aval enroll --token-file T" }})
	programs, err := rest.New(db, rest.Options{Host: s.host, Hub: hub})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(api.Root, programs)
	mux.Handle("/", pages)
	srv.Config.Handler = mux
	srv.StartTLS()
	s.url = srv.URL
	t.Cleanup(func() { srv.Close(); _ = db.Close() })
	return s
}

// fill stores what the pages show.
func (s *site) fill(ctx context.Context) error {
	co, err := s.host.Of(ctx, sample.Company)
	if err != nil {
		return err
	}
	editor := co.As(company.Actor{Kind: company.KindUser, ID: "u1", Name: "Edna Prado", Role: company.Editor})
	begin := time.Now().Add(-4 * time.Hour)
	other := sample.Printer("pt-BR")
	other.ID, other.Grant = "rustdesk/77", "grant-rustdesk/77"
	var edited store.Key
	for i, in := range []struct {
		ref     *string
		session func() (store.Key, error)
	}{
		{&s.printer, func() (store.Key, error) {
			return sample.Store(ctx, s.db, sample.Company, sample.Printer("pt-BR"), begin)
		}},
		{&s.hostile, func() (store.Key, error) {
			return sample.Store(ctx, s.db, sample.Company, sample.Hostile(), begin.Add(time.Hour))
		}},
		{nil, func() (store.Key, error) {
			return sample.Store(ctx, s.db, sample.Company, sample.Shell(), begin.Add(2*time.Hour))
		}},
		{&s.edited, func() (store.Key, error) {
			var err error
			edited, err = sample.Store(ctx, s.db, sample.Company, other, begin.Add(150*time.Minute))
			return edited, err
		}},
	} {
		k, err := in.session()
		if err != nil {
			return fmt.Errorf("sample session %d: %w", i, err)
		}
		if in.ref != nil {
			*in.ref = k.Ref()
		}
	}
	r := runner.New(s.db, runner.Options{Log: slog.New(slog.DiscardHandler)})
	for worked := true; worked; {
		if worked, err = r.Step(ctx); err != nil {
			return err
		}
	}
	admin := co.As(company.Actor{Kind: company.KindUser, ID: "u2", Name: "Bia Rocha", Role: company.Administrator})
	if err := admin.SetLicence(ctx, "business", time.Now().AddDate(0, -4, 0).Format(time.DateOnly), "", nil); err != nil {
		return err
	}
	if _, err := admin.OrderCredits(ctx, "ai-100", "sample"); err != nil {
		return err
	}
	_, err = editor.EditSummary(ctx, edited, 1, func(e summary.Edit) summary.Edit {
		e.Name, e.Sentences = "Impressora do balcão voltou a imprimir", append(e.Sentences, "A cliente vai trocar o cabo na quinta.")
		return e
	})
	return err
}

// people adds some, who cannot sign in yet, and a token.
func (s *site) people(ctx context.Context) error {
	co, err := s.host.Of(ctx, sample.Company)
	if err != nil {
		return err
	}
	co = co.As(company.Command)
	for i, n := range []company.NewUser{{Name: "Ana Souza", Login: "ana.souza@example.com", Role: company.Supporter, Team: "Atendimento"},
		{Name: "Caio Prado", Login: "caio@example.com", Role: company.Editor, Unlogged: true}, {Name: "Davi Nunes", Role: company.Viewer}} {
		u, err := co.CreateUser(ctx, n)
		if err != nil {
			return err
		}
		if i == 0 {
			s.person = u.ID
		}
	}
	if _, _, err := co.CreateEnrolToken(ctx, company.NewEnrolToken{Name: "Lojas, 2ª fase", Uses: 20_000}); err != nil {
		return err
	}
	m, _, err := co.CreateModule(ctx, "Suporte às lojas", true, 30)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := s.db.Tx(ctx, func(tx *store.Tx) error { // long enough for all pictures
		return tx.InsertOpening(store.Opening{ID: store.NewID(now), Company: co.ID(), Module: m.ID, Number: "482913", PublicKey: make([]byte, 32), CreatedAt: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour)})
	}); err != nil {
		return err
	}
	_, _, err = co.CreateAPIToken(ctx, company.NewAPIToken{Name: "Relatório noturno", Scopes: []company.Permission{company.SessionsRead, company.SummariesRead}})
	return err
}

// link signs a browser in.
func (s *site) link(t *testing.T) string {
	t.Helper()
	secret := fmt.Sprint("link-", time.Now().UnixNano())
	h := sha256.Sum256([]byte(secret))
	if err := s.db.Tx(t.Context(), func(x *store.Tx) error {
		return x.InsertAdminLink(store.Token{Hash: h[:], Company: sample.Company, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
	}); err != nil {
		t.Fatal(err)
	}
	return s.url + "/sign-in?token=" + secret
}

func open(t *testing.T) *browser.Browser {
	t.Helper()
	b, stop, err := browser.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return b
}

// keep keeps the picture of a page in a view in out/pages, or in the folder that
// AVAL_PAGES names.
func keep(t *testing.T, page string, v browser.View, r browser.Report) {
	t.Helper()
	out := os.Getenv("AVAL_PAGES")
	if out == "" {
		out = filepath.Join("..", "..", "out", "pages")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, page+"-"+v.Name()+".png"), r.Picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// judge looks at a page in every view, and keeps a picture of each.
func judge(t *testing.T, s *site, b *browser.Browser, p page) {
	t.Helper()
	for _, v := range browser.Views() {
		if err := b.Set(v); err != nil {
			t.Fatal(err)
		}
		if err := b.Go(s.url + "/lang?to=" + v.Lang + "&back=" + strings.ReplaceAll(p.path(s), "&", "%26")); err != nil {
			t.Errorf("%s: %v", v.Name(), err)
			continue
		}
		r, err := b.Look()
		if err != nil {
			t.Fatalf("%s: %v", v.Name(), err)
		}
		keep(t, p.name, v, r)
		if err := r.Err(); err != nil {
			t.Errorf("%s: %v", v.Name(), err)
		}
		if v.Lang == "pt-BR" && !v.Dark {
			if err := b.Keys(); err != nil {
				t.Errorf("%s: by keyboard: %v", v.Name(), err)
			}
		}
	}
}

// TestPages judges every page of the two tables.
func TestPages(t *testing.T) {
	s, b := start(t), open(t)
	for _, p := range guests {
		t.Run(p.name, func(t *testing.T) { judge(t, s, b, p) })
	}
	if err := b.Go(s.link(t)); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) { judge(t, s, b, p) })
	}
}

// TestJudge: each thing that the judge is there for is found on a page that was
// made wrong in that way, and nothing on one that is right.
func TestJudge(t *testing.T) {
	b := open(t)
	body := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><head><title>t</title><meta name="viewport" content="width=device-width">
<style>a:focus{outline:3px solid #00f}</style></head><body><main><h1>Heading</h1>%s</main></body></html>`, body)
	}))
	defer srv.Close()
	if err := b.Set(browser.View{Lang: "en", Width: 390}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ body, want string }{
		"right":        {`<p>Text</p><a href="/x">Link</a>`, ""},
		"pale":         {`<p style="color:#bbb">Text</p>`, "color-contrast"},
		"unlabelled":   {`<input type="text">`, "label"},
		"wide":         {`<div style="width:800px">Text</div>`, "wider than the window"},
		"no outline":   {`<a href="/x" style="outline:none">Link</a>`, "not to be seen"},
		"out of reach": {`<p>Text</p><div style="height:0;overflow:hidden"><a href="/x">Hidden link</a></div>`, "not to be seen"},
	} {
		t.Run(name, func(t *testing.T) {
			body = c.body
			if err := b.Go(srv.URL); err != nil {
				t.Fatal(err)
			}
			r, err := b.Look()
			if err != nil {
				t.Fatal(err)
			}
			got := r.Err()
			if got == nil {
				got = b.Keys()
			}
			if c.want == "" && got != nil || c.want != "" && (got == nil || !strings.Contains(got.Error(), c.want)) {
				t.Errorf("found %v, want %q", got, c.want)
			}
		})
	}
	if err := b.Go("http://127.0.0.1:1/"); err == nil {
		t.Error("a page that cannot be opened was opened")
	}
}

// integrations adds some, with deliveries of each state.
func (s *site) integrations(t *testing.T, hub *integration.Hub) error {
	ctx := t.Context()
	co := hub.Of(sample.Company, "command")
	kind := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		kind++
		w.WriteHeader([]int{200, 503, 410}[kind%3])
	}))
	t.Cleanup(receiver.Close)
	for i, in := range []integration.Endpoint{
		{Kind: store.Webhook, Name: "Chamados", Config: integration.Config{URL: receiver.URL + "/aval"}, Events: []string{store.SummaryCreated, store.Objection}, Enabled: true},
		{Kind: store.Webhook, Name: "Arquivo", Config: integration.Config{URL: "https://arquivo.example.com/aval/receber"}, Events: store.Types, Enabled: true},
		{Kind: store.Salesforce, Name: "Atendimento", Config: integration.Config{URL: "https://login.example.com", Auth: integration.ClientCredentials, ClientID: "aval"}, Enabled: true},
	} {
		e, _, err := co.Create(ctx, in, integration.Secrets{Client: "s3cret"})
		if err != nil {
			return err
		}
		switch i {
		case 0:
			s.webhook = e.ID
			for range 4 {
				if err := co.Ping(ctx, e.ID); err != nil {
					return err
				}
			}
		case 2:
			s.salesforce = e.ID
		}
	}
	for range 4 {
		if _, err := hub.Step(ctx); err != nil {
			return err
		}
	}
	list, err := co.Deliveries(ctx, "", "", "", 1)
	if err == nil && len(list) > 0 {
		err = co.Skip(ctx, list[0].ID)
		if errors.Is(err, store.ErrNotFound) { // it was made
			err = nil
		}
	}
	return err
}
