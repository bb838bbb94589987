// Package console is the summarizer's web console: the list of sessions, and
// one session's summary with the events that it rests on.
//
// The one rule that must not be broken: what came out of a session is shown as
// text and never as markup; a page runs no script but htmx
// and console.js, which are our own copies, loads nothing from elsewhere, and is shown only to a browser
// that signed in and by the table of routes.
package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"image/color"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/language"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static/*.css static/*.js
var static embed.FS

// csp is the Content-Security-Policy of every page: nothing but our own
// style sheet, script, pictures, forms and requests.
const csp = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Options of New.
type Options struct {
	// Enrol gives the commands that make a computer known to this server; the
	// empty list shows them to who is signed in. nil: none are shown.
	Enrol func() string
	// Host has the companies whose people sign in here; required.
	Host *company.Host
	// Hub keeps the companies' integrations; nil: there are no pages for them.
	Hub *integration.Hub
	// Models speaks to language models; nil: there is no page for them.
	Models *llm.Pool
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default
	// Zone is the time zone of times shown where a company has none of its own; nil:
	// the server's own.
	Zone *time.Location
}

// Console is the http.Handler of the console.
type Console struct {
	db   *store.DB
	o    Options
	mux  http.Handler
	page *template.Template
	css  []byte
}

// New makes the console of db. It must be served by TLS only: its cookies are
// Secure.
func New(db *store.DB, o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Enrol == nil {
		o.Enrol = func() string { return "" }
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	c := &Console{db: db, o: o}
	c.css = styles()
	c.page = template.Must(template.New("").Funcs(template.FuncMap{"dict": dict, "pick": pick, "versionHref": versionHref, "chartOf": chartOf}).ParseFS(templates, "templates/*.html"))

	mux := http.NewServeMux()
	for _, rt := range c.routes() {
		h := rt.open
		if h == nil {
			h = c.signedIn(rt.Needs, rt.serve)
		}
		mux.HandleFunc(rt.Method+" "+rt.Pattern, bounded(rt.Max, h))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	})
	c.mux = http.NewCrossOriginProtection().Handler(mux)
	return c
}

// maxBody is the longest body of a request that is read, where the route says
// nothing else: a form that people fill in.
const maxBody = 64 << 10

// bounded keeps f from reading more than max bytes; 0: maxBody. A form that is
// longer has no values.
func bounded(max int64, f http.HandlerFunc) http.HandlerFunc {
	if max == 0 {
		max = maxBody
	}
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, max)
		f(w, r)
	}
}

// read is an embedded file; that it is there is decided when it is compiled.
func read(name string) []byte {
	b, err := static.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return b
}

// styles is the one style sheet: the colours, console.css, then those of the pages.
func styles() []byte {
	out := append(palette(), read("static/console.css")...)
	files, _ := static.ReadDir("static") // sorted
	for _, f := range files {
		if name := f.Name(); strings.HasSuffix(name, ".css") && name != "console.css" {
			out = append(out, read("static/"+name)...)
		}
	}
	return out
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Cookie")
	c.mux.ServeHTTP(w, r)
}

// visitor is who looks at a page, and the company that they look at.
type visitor struct {
	company store.Company
	co      *company.Service // as the visitor deals with it
	actor   company.Actor
	in      company.SignedIn
	cat     *assets.Catalog
}

// may tells whether the visitor has a permission.
func (v visitor) may(p company.Permission) bool { return v.actor.Role.May(p) }

// signedIn lets f answer only a browser that signed in, of somebody who may.
func (c *Console) signedIn(needs company.Permission, f func(http.ResponseWriter, *http.Request, visitor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := c.who(r)
		if err == nil {
			v.cat = c.catalog(r, v.company.Lang)
			// UTC is also what stands there before anybody has said where the company is.
			if zone, err := credit.ZoneOf(v.company); err == nil && (v.in.SetUp || zone != time.UTC) {
				v.cat = v.cat.In(zone)
			}
		}
		switch {
		case errors.Is(err, company.ErrSignedOut):
			if r.Method == http.MethodGet {
				http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
				return
			}
			c.fail(w, r, http.StatusForbidden, "console.error.signed_out")
		case err != nil:
			c.broken(w, r, err)
		case !v.may(needs) && r.Method == http.MethodGet && r.URL.Path == "/" && c.first(r, v) != "":
			http.Redirect(w, r, c.first(r, v), http.StatusSeeOther)
		case !v.may(needs):
			c.fail(w, r, http.StatusForbidden, "console.error.not_allowed")
		default:
			// From here on, what is out of this visitor's sight is not there.
			f(w, r.WithContext(store.WithSight(r.Context(), v.in.Sight)), v)
		}
	}
}

// first is the first page of the menu that a visitor may see; empty: none.
func (c *Console) first(r *http.Request, v visitor) string {
	if all := c.menu(r, v); len(all) > 0 {
		return all[0].Path
	}
	return ""
}

const langCookie = "__Host-aval-lang"

// catalog is the language of the page: the one chosen, else the browser's, else
// the company's.
func (c *Console) catalog(r *http.Request, company string) *assets.Catalog {
	var want []string
	if k, err := r.Cookie(langCookie); err == nil {
		want = append(want, k.Value)
	}
	if tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")); err == nil {
		for _, t := range tags {
			want = append(want, t.String())
		}
	}
	return assets.ForArea("console", append(want, company)...)
}

// language keeps the chosen language in a cookie and goes back to the page.
func (c *Console) language(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: langCookie, Value: assets.ForArea("console", r.FormValue("to")).Lang, Path: "/",
		MaxAge: 365 * 24 * 3600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, local(r.FormValue("back")), http.StatusSeeOther)
}

// local lets an address through only if it is a path of this console.
func local(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

// frame is what every page has around its content.
type frame struct {
	Lang     string
	Title    string
	Back     string // this page, for the language switch
	Langs    []choice
	Company  string // empty: nobody is signed in
	Who      string // who is signed in, by name or as what they came
	Glass    []glassNote
	Begin    bool // the first-run wizard waits
	Menu     []menuItem
	Credits  creditBadge
	Zone     string
	T        func(key string) string
	Selected string // the ref of the session that is shown
}

// glassNote tells an administrator that the glass was broken.
type glassNote struct{ ID, Text, Reason string }

type choice struct {
	Lang, Name string
	Current    bool
}

// langNames are the languages by their own names.
var langNames = map[string]string{"en": "English", "pt-BR": "Português"}

// frame is the frame of a page that somebody sees who is not known.
func (c *Console) frame(r *http.Request, cat *assets.Catalog, title string) frame {
	f := frame{Lang: cat.Lang, Title: title, Back: r.URL.RequestURI(), T: func(k string) string { return cat.T(k, nil) }}
	for _, l := range assets.LangsOf("console") {
		name := langNames[l]
		if name == "" {
			name = l
		}
		f.Langs = append(f.Langs, choice{l, name, l == cat.Lang})
	}
	f.Zone = cat.T("console.zone", assets.Args{"zone": c.offset(cat, c.o.Now())})
	return f
}

// frameOf is the frame of a visitor's page: with the menu of what they may see.
func (c *Console) frameOf(r *http.Request, v visitor, title string) frame {
	f := c.frame(r, v.cat, title)
	f.Company, f.Who = summary.Clean(v.company.Name, 60), summary.Clean(v.actor.Name, 60)
	if f.Who == "" {
		f.Who = v.cat.T("console.actor.link", nil)
	}
	f.Begin = v.actor.Kind == company.KindLink && !v.in.SetUp && r.URL.Path != "/welcome"
	f.Credits = c.badge(r, v)
	for _, g := range v.in.Glass {
		f.Glass = append(f.Glass, glassNote{g.ID, v.cat.T("console.glass.note", assets.Args{"when": c.when(v.cat, g.At), "address": g.Address}), summary.Clean(g.Reason, 500)})
	}
	f.Menu = c.menu(r, v)
	return f
}

// show writes a page, whole or not at all.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := c.page.ExecuteTemplate(&b, name, data); err != nil {
		c.o.Log.ErrorContext(r.Context(), "page cannot be written", "page", name, "err", err)
		http.Error(w, "AVL-CON-01", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone: nobody to tell
}

type messagePage struct {
	frame
	Heading, Text, Hint, Command string
}

// fail shows an error in words.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int, key string) {
	cat := c.catalog(r, "")
	p := messagePage{frame: c.frame(r, cat, cat.T(key, nil)), Heading: cat.T(key, nil), Text: cat.T(key+".text", nil)}
	p.Back = "/"
	c.show(w, r, status, "message", p)
}

func (c *Console) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	c.o.Log.ErrorContext(r.Context(), "console request failed", "path", r.Pattern, "err", err)
	c.fail(w, r, http.StatusInternalServerError, "console.error.internal")
}

func (c *Console) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.css))
}

// script serves a script of our own origin.
func (c *Console) script(name string) http.HandlerFunc {
	js := read(name)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=86400")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(js))
	}
}

func icon(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "max-age=86400")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(assets.Icon(64)))
}

// palette writes the colours of the desktop programs as variables, so that
// there is one source of them.
func palette() []byte {
	var b bytes.Buffer
	write := func(p assets.Palette) {
		for _, v := range []struct {
			name string
			c    color.NRGBA
		}{
			{"ground", p.Ground}, {"surface", p.Surface}, {"line", p.Line}, {"text", p.Text}, {"muted", p.Muted}, {"control", p.Control},
			{"hover", p.Hover}, {"edge", p.Edge}, {"accent", p.Accent}, {"on-accent", p.OnTick}, {"focus", p.Focus}, {"good", p.Good}, {"warn", p.Warn},
		} {
			fmt.Fprintf(&b, "--%s:#%02x%02x%02x;", v.name, v.c.R, v.c.G, v.c.B)
		}
	}
	b.WriteString(":root{color-scheme:light dark;")
	write(assets.Light)
	b.WriteString("}\n@media (prefers-color-scheme:dark){:root{")
	write(assets.Dark)
	b.WriteString("}}\n")
	return b.Bytes()
}
