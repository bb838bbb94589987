package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"aval/agent/wire"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// Codes makes session codes, and knows how computers reach the server.
type Codes interface {
	NewCode(context.Context, company.CodeFor) (company.NewCode, error)
	Server() string // https://HOST:PORT
	Pin() string    // of its own certificate; empty: an authority vouches for it
}

// codesPage is where an administrator makes a session code.
type codesPage struct {
	frame
	Supporter, Module string // as entered
	Unlogged, Enabled bool
	Missing           bool // the supporter's name is
	Made              *madeCode
}

type madeCode struct {
	Code, Link, For, Until string
	Pinned                 bool
}

// codes shows the form.
func (c *Console) codes(w http.ResponseWriter, r *http.Request, v visitor) {
	c.show(w, r, http.StatusOK, "codes", c.codesPage(r, v))
}

func (c *Console) codesPage(r *http.Request, v visitor) codesPage {
	p := codesPage{frame: c.frame(r, v.cat, v.cat.T("console.codes", nil))}
	p.Company = summary.Clean(v.company.Name, 60)
	return p
}

// newCode makes a code and shows it, once: reloading the page makes another.
func (c *Console) newCode(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	p := c.codesPage(r, v)
	p.Back = "/codes"
	p.Supporter, p.Module = strings.TrimSpace(r.PostFormValue("supporter")), strings.TrimSpace(r.PostFormValue("module"))
	p.Unlogged, p.Enabled = r.PostFormValue("unlogged") != "", r.PostFormValue("enabled") != ""
	made, err := c.o.Codes.NewCode(r.Context(), company.CodeFor{Supporter: p.Supporter, LogSessions: !p.Unlogged, Module: p.Module, ModuleEnabled: p.Enabled, By: "admin"})
	switch {
	case errors.Is(err, company.ErrCodeFor):
		p.Missing = true
		c.show(w, r, http.StatusUnprocessableEntity, "codes", p)
		return
	case err != nil:
		c.broken(w, r, err)
		return
	}
	p.Made = &madeCode{Code: made.Code, Link: made.Link, Pinned: made.Pinned,
		For:   v.cat.T("console.codes.for", assets.Args{"supporter": made.Supporter}),
		Until: v.cat.T("console.codes.until", assets.Args{"time": made.ExpiresAt.In(c.o.Zone).Format("15:04")})}
	c.show(w, r, http.StatusOK, "codes", p)
}

type joinPage struct {
	frame
	Code, Server string
}

// join tells whoever opens a code's link what it is. It does not look the code
// up: nobody learns here whether it is right, and looking does not use it up.
func (c *Console) join(w http.ResponseWriter, r *http.Request) {
	secret, err := wire.ParseSecret(r.PathValue("code"))
	if err != nil {
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	code := wire.Code{Secret: secret, Server: c.o.Codes.Server(), Pin: c.o.Codes.Pin()}
	cat := c.catalog(r, "")
	p := joinPage{frame: c.frame(r, cat, cat.T("console.join", nil)), Code: code.String(), Server: code.Host()}
	c.show(w, r, http.StatusOK, "join", p)
}
