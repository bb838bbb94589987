package console_test

import (
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
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
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
)

// site is a console on a real TLS server over a real store.
type site struct {
	t    *testing.T
	db   *store.DB
	host *company.Host
	co   *company.Service // the one that the sample is of
	url  string
	srv  *httptest.Server

	console *console.Console
	hub     *integration.Hub
	models  *llm.Pool
}

// start serves the console; allow are hosts inside of the server's own network that
// companies may name.
func start(t *testing.T, allow ...string) *site {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := sample.Fill(t.Context(), db, "pt-BR"); err != nil {
		t.Fatal(err)
	}
	if _, err := company.MakeReleaseKey(filepath.Join(db.Dir(), "keys", sample.Company+".pem")); err != nil { // a signing key is one as well
		t.Fatal(err)
	}
	host, err := company.Open(t.Context(), db, company.Options{Server: "https://support.example.com:8443"})
	if err != nil {
		t.Fatal(err)
	}
	co, err := host.Of(t.Context(), sample.Company)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := integration.New(db, integration.Options{Allow: allow, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := integration.NewClient(allow, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	models := llm.NewPool(llm.Options{Guarded: guarded})
	con := console.New(db, console.Options{Log: slog.New(slog.DiscardHandler), Zone: time.UTC, Host: host, Hub: hub, Models: models, Enrol: func() string { return "aval enroll --token-file T" }})
	srv := httptest.NewTLSServer(con)
	t.Cleanup(func() { srv.Close(); _ = db.Close() })
	return &site{t, db, host, co, srv.URL, srv, con, hub, models}
}

func (s *site) link() string {
	s.t.Helper()
	secret := fmt.Sprint("link-", time.Now().UnixNano())
	s.addLink(secret, time.Now().Add(time.Hour))
	return s.url + "/sign-in?token=" + secret
}

func (s *site) addLink(secret string, expires time.Time) {
	s.t.Helper()
	h := sha256.Sum256([]byte(secret))
	if err := s.db.Tx(s.t.Context(), func(t *store.Tx) error {
		return t.InsertAdminLink(store.Token{Hash: h[:], Company: sample.Company, CreatedAt: time.Now(), ExpiresAt: expires})
	}); err != nil {
		s.t.Fatal(err)
	}
}

// browser keeps cookies and follows redirects; lang is its Accept-Language.
type browser struct {
	*http.Client
	s    *site
	lang string
}

func (s *site) browser(lang string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{&http.Client{Transport: s.srv.Client().Transport, Jar: jar, Timeout: 30 * time.Second}, s, lang}
}

func (s *site) signedIn(lang string) *browser {
	b := s.browser(lang)
	if code, _ := b.get(s.link()); code != http.StatusOK {
		s.t.Fatalf("sign in: %d", code)
	}
	return b
}

func (b *browser) do(method, u string, head ...string) (*http.Response, string) {
	b.s.t.Helper()
	return b.send(method, u, nil, head...)
}

func (b *browser) send(method, u string, body io.Reader, head ...string) (*http.Response, string) {
	b.s.t.Helper()
	if strings.HasPrefix(u, "/") {
		u = b.s.url + u
	}
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, u, body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", b.lang)
	for i := 0; i+1 < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	res, err := b.Do(req)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	return res, string(got)
}

func (b *browser) get(u string) (int, string) {
	b.s.t.Helper()
	res, body := b.do("GET", u)
	return res.StatusCode, body
}

func (b *browser) cookie() string {
	u, _ := url.Parse(b.s.url)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "__Host-aval-session" {
			return c.Value
		}
	}
	return ""
}

func (s *site) put(in summary.Session) store.Key {
	s.t.Helper()
	k, err := sample.Store(s.t.Context(), s.db, sample.Company, in, time.Now().Add(-time.Hour))
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func (s *site) summarise(e runner.Engine) {
	s.t.Helper()
	if e == nil {
		e = runner.Rules{}
	}
	r := runner.New(s.db, runner.Options{Log: slog.New(slog.DiscardHandler), Engine: func(*store.Tx, store.Company) (runner.Engine, error) { return e, nil }})
	for worked := true; worked; {
		var err error
		if worked, err = r.Step(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestHostile: words of a session are text on the page. A script or a
// foreign element in the parsed page fails the test (planted: pass a field as
// template.HTML).
func TestHostile(t *testing.T) {
	s := start(t)
	k := s.put(sample.Hostile())
	s.summarise(nil)
	b := s.signedIn("en")
	code, body := b.get("/s/" + k.Ref())
	if code != http.StatusOK || !strings.Contains(body, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Fatalf("%d %s", code, body)
	}
	if strings.Contains(body, "<b>Ana") {
		t.Error("<b> out of a name is in the page")
	}
	ids := map[string]bool{}
	for _, n := range elements(t, body) {
		switch name := n.Name.Local; name {
		case "script":
			if src := attr(n, "src"); src != "/static/htmx.js" && src != "/static/console.js" {
				t.Errorf("script %s", attr(n, "src"))
			}
		case "svg", "iframe", "object", "embed", "style", "base", "i":
			t.Errorf("<%s> is in the page", name)
		case "img":
			if attr(n, "src") != "/static/icon.png" {
				t.Errorf("picture %s", attr(n, "src"))
			}
		case "a":
			if h := attr(n, "href"); !strings.HasPrefix(h, "/") && !strings.HasPrefix(h, "#") && !strings.HasPrefix(h, "?") {
				t.Errorf("link to %s", h)
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" {
				t.Errorf("attribute %s on <%s>", a.Name.Local, n.Name.Local)
			}
			if a.Name.Local == "id" && ids[a.Value] {
				t.Errorf("id %s twice", a.Value)
			} else if a.Name.Local == "id" {
				ids[a.Value] = true
			}
		}
	}
	for _, r := range body {
		if r >= '\u202a' && r <= '\u202e' || r == '\x1b' || r == 0 {
			t.Errorf("%U is in the page", r)
		}
	}
}

// elements lists the start tags of a page as a lenient parser sees them.
func elements(t *testing.T, body string) (out []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		switch tok, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatal(err)
		default:
			if e, ok := tok.(xml.StartElement); ok {
				out = append(out, e.Copy())
			}
		}
	}
}

func attr(n xml.StartElement, key string) string {
	for _, a := range n.Attr {
		if a.Name.Local == key {
			return a.Value
		}
	}
	return ""
}

// TestEvidenceLinks: each number beside a sentence leads to its event, on the
// page that has it.
func TestEvidenceLinks(t *testing.T) {
	s := start(t)
	b := sample.New("x11vnc/1", "x11vnc", "Ana")
	for i := range 1100 {
		b.Add(time.Second, event.WindowFocused, "app", fmt.Sprint("App", i%3), "title", fmt.Sprint("t", i))
	}
	k := s.put(b.End("ended"))
	s.summarise(nil)
	br := s.signedIn("en")
	pages := map[string]string{}
	_, first := br.get("/s/" + k.Ref())
	pages[""] = first
	links := regexp.MustCompile(`href="((?:/s/[0-9a-f]+\?page=\d+)?)#(e\d+)"`).FindAllStringSubmatch(first, -1)
	if len(links) < 1000 {
		t.Fatalf("%d links", len(links))
	}
	for _, l := range links {
		if pages[l[1]] == "" {
			_, pages[l[1]] = br.get(l[1])
		}
		if !strings.Contains(pages[l[1]], `id="`+l[2]+`"`) {
			t.Fatalf("%s leads nowhere", l[0])
		}
	}
	if len(pages) != 3 {
		t.Errorf("%d pages", len(pages))
	}
}

func TestLanguages(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("pt-BR"))
	s.summarise(nil)
	pt := s.signedIn("pt-PT,pt;q=0.9")
	_, body := pt.get("/s/" + k.Ref())
	for _, want := range []string{`lang="pt-BR"`, "Nas palavras da própria pessoa", "Perguntado e permitido", "Programas e títulos das janelas", "Escrito por regras, sem IA"} {
		if !strings.Contains(body, want) {
			t.Errorf("Portuguese page lacks %q", want)
		}
	}
	en := s.signedIn("en-US")
	_, body = en.get("/s/" + k.Ref())
	for _, want := range []string{`lang="en"`, "In the person&#39;s own words", "impressora", "kept in Português"} {
		if !strings.Contains(body, want) {
			t.Errorf("English page lacks %q", want)
		}
	}
	if _, body = en.get("/lang?to=pt-BR&back=/s/" + k.Ref()); !strings.Contains(body, "Quem permitiu") {
		t.Error("the language switch does nothing")
	}
	for _, lang := range []string{"en", "pt"} {
		if _, body := s.signedIn(lang).get("/s/" + k.Ref()); strings.Contains(body, "[console.") || strings.Contains(body, "[summary.") {
			t.Errorf("%s: a text is missing", lang)
		}
	}
}

type failing struct{}

func (failing) Name() string { return "model-x" }
func (failing) Write(context.Context, summary.Session, string) (summary.Summary, error) {
	return summary.Summary{}, errors.New("the model does not answer")
}

func TestStates(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	if _, body := b.get("/"); !strings.Contains(body, "No session has been recorded yet") || !strings.Contains(body, "When somebody connects") {
		t.Error("the empty list does not say what to do next")
	}
	open := sample.New("x11vnc/1", "x11vnc", "Ana").Add(time.Second, event.WindowFocused, "title", "a")
	s.put(open.S)
	k := s.put(sample.Shell())
	list := func(want string) {
		t.Helper()
		if _, body := b.get("/"); !strings.Contains(body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	list("No news since") // its last event is an hour old
	list("Summary soon")
	s.summarise(failing{})
	list("Will be tried again")
	if _, body := b.get("/s/" + k.Ref()); !strings.Contains(body, "the model does not answer") {
		t.Error("the page does not say why there is no summary")
	}
	must := func(f func(*store.Tx) error) {
		t.Helper()
		if err := s.db.Tx(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	must(func(x *store.Tx) error {
		j, err := x.ClaimJob(store.JobSummary, time.Now().Add(time.Hour), time.Minute)
		if err != nil {
			return err
		}
		return x.FailJob(j, time.Now(), "gave up")
	})
	list("Summary failed")
	res, _ := b.do("POST", "/s/"+k.Ref()+"/regenerate", "Sec-Fetch-Site", "same-origin")
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/s/"+k.Ref() {
		t.Errorf("try again: %d at %s", res.StatusCode, res.Request.URL)
	}
	s.summarise(nil)
	list("Summarised")
	must(func(x *store.Tx) error { _, err := x.EraseStream(k, time.Now()); return err })
	list("Deleted")
	if _, body := b.get("/s/" + k.Ref()); !strings.Contains(body, "was deleted") || strings.Contains(body, "nginx") {
		t.Error("a deleted session shows its content")
	}
}

func TestPaging(t *testing.T) {
	s := start(t)
	for i := range 120 {
		in := sample.New(fmt.Sprint("x11vnc/", i), "x11vnc", fmt.Sprint("Supporter", i)).S
		if _, err := sample.Store(t.Context(), s.db, sample.Company, in, sample.Start.Add(time.Duration(i/2)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	b := s.signedIn("en")
	seen := map[string]bool{}
	next := "/"
	for range 4 {
		_, body := b.get(next)
		for _, m := range regexp.MustCompile(`class="card" id="s-[0-9a-f]+" href="/s/([0-9a-f]+)`).FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				t.Fatal("a session is listed twice")
			}
			seen[m[1]] = true
		}
		m := regexp.MustCompile(`href="(/\?after=[^"]+)">Older`).FindStringSubmatch(body)
		if m == nil {
			break
		}
		next = m[1]
	}
	if len(seen) != 120 {
		t.Errorf("%d sessions on all pages", len(seen))
	}
	for _, p := range []string{"/?after=x", "/?after=1.", "/?after=99999999999999999999.a"} {
		if code, _ := b.get(p); code != http.StatusOK {
			t.Errorf("%s: %d", p, code)
		}
	}
}

// TestPagesAreSound holds what assistive technology and small screens rely on.
func TestPagesAreSound(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	s.summarise(nil)
	b := s.signedIn("en")
	for _, p := range []string{"/", "/s/" + k.Ref(), "/nowhere"} {
		_, body := b.get(p)
		count := map[string]int{}
		last := 0
		ids := map[string]bool{}
		all := elements(t, body)
		for _, n := range all {
			count[n.Name.Local]++
			ids[attr(n, "id")] = true
		}
		for _, n := range all {
			if name := n.Name.Local; len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '4' {
				level := int(name[1] - '0')
				if level > last+1 {
					t.Errorf("%s: h%d follows h%d", p, level, last)
				}
				last = level
			}
			if l := attr(n, "aria-labelledby"); l != "" && !ids[l] {
				t.Errorf("%s: nothing has the id %s", p, l)
			}
			if n.Name.Local == "img" && !slices.ContainsFunc(n.Attr, func(a xml.Attr) bool { return a.Name.Local == "alt" }) {
				t.Errorf("%s: a picture without alt", p)
			}
		}
		if count["main"] != 1 || count["h1"] != 1 || count["title"] != 1 || !ids["main"] || !strings.Contains(body, "width=device-width") || !strings.Contains(body, `<html lang="en">`) {
			t.Errorf("%s: %v", p, count)
		}
	}
}
