// Package console is the summarizer's web console: the list of sessions, and
// one session's summary with the events that it rests on.
//
// The one rule that must not be broken: what came out of a session is shown as
// text and never as markup; a page runs no script, loads nothing from elsewhere
// and is shown only to a browser that signed in.
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

	"aval/agent/wire"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static/console.css
var css string

// policy is the Content-Security-Policy of every page: nothing but our own
// style sheet, pictures and forms.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Options of New.
type Options struct {
	// Enrol gives the commands that make a computer known to this server; the
	// empty list shows them to who is signed in. nil: none are shown.
	Enrol func() string
	// Codes makes session codes; nil: there are none, and no page for them.
	Codes Codes
	// Accounts approves computers that ask to be signed in; nil: none can be.
	Accounts Accounts
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default
	// Zone is the time zone of all times shown; nil: the server's own.
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
	c := &Console{db: db, o: o, css: append(palette(), css...)}
	c.page = template.Must(template.New("").ParseFS(templates, "templates/*.html"))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.signedIn(c.list))
	mux.HandleFunc("GET /s/{ref}", c.signedIn(c.session))
	mux.HandleFunc("POST /s/{ref}/retry", c.signedIn(c.retry))
	if o.Codes != nil {
		mux.HandleFunc("GET /codes", c.signedIn(c.codes))
		mux.HandleFunc("POST /codes", c.signedIn(c.newCode))
		mux.HandleFunc("POST /codes/announce", c.signedIn(c.announce))
		mux.HandleFunc("GET "+wire.JoinPath+"{code}", c.join)
	}
	if o.Accounts != nil && o.Codes != nil {
		mux.HandleFunc("GET "+company.ApprovePath, c.signedIn(c.account))
		mux.HandleFunc("POST "+company.ApprovePath, c.signedIn(c.approve))
	}
	mux.HandleFunc("GET /sign-in", c.signIn)
	mux.HandleFunc("POST /sign-out", c.signOut)
	mux.HandleFunc("GET /lang", c.language)
	mux.HandleFunc("GET /static/console.css", c.style)
	mux.HandleFunc("GET /static/icon.png", icon)
	mux.HandleFunc("GET /favicon.ico", icon)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	})
	c.mux = http.NewCrossOriginProtection().Handler(mux)
	return c
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Cookie")
	c.mux.ServeHTTP(w, r)
}

// visitor is who looks at a page: a company's administrator, or nobody yet.
type visitor struct {
	company store.Company
	cat     *assets.Catalog
}

// signedIn lets f answer only a browser that signed in.
func (c *Console) signedIn(f func(http.ResponseWriter, *http.Request, visitor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		company, err := c.who(r)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if r.Method == http.MethodGet {
				http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
				return
			}
			c.fail(w, r, http.StatusForbidden, "console.error.signed_out")
		case err != nil:
			c.broken(w, r, err)
		default:
			f(w, r, visitor{company, c.catalog(r, company.Lang)})
		}
	}
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
	Credits  string
	Zone     string
	T        func(key string) string
	Selected string // the ref of the session that is shown
	HasCodes bool
}

type choice struct {
	Lang, Name string
	Current    bool
}

// langNames are the languages by their own names.
var langNames = map[string]string{"en": "English", "pt-BR": "Português"}

func (c *Console) frame(r *http.Request, cat *assets.Catalog, title string) frame {
	f := frame{HasCodes: c.o.Codes != nil, Lang: cat.Lang, Title: title, Back: r.URL.RequestURI(), T: func(k string) string { return cat.T(k, nil) }}
	for _, l := range assets.LangsOf("console") {
		name := langNames[l]
		if name == "" {
			name = l
		}
		f.Langs = append(f.Langs, choice{l, name, l == cat.Lang})
	}
	f.Zone = cat.T("console.zone", assets.Args{"zone": "UTC" + strings.Replace(c.o.Now().In(c.o.Zone).Format("-07:00"), "-", "−", 1)})
	return f
}

// show writes a page, whole or not at all.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := c.page.ExecuteTemplate(&b, name, data); err != nil {
		c.o.Log.Error("page cannot be written", "page", name, "err", err)
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
	c.o.Log.Error("console request failed", "path", r.Pattern, "err", err)
	c.fail(w, r, http.StatusInternalServerError, "console.error.internal")
}

func (c *Console) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.css))
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
