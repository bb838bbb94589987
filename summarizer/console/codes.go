package console

import (
	"errors"
	"net/http"
	"strings"

	"aval/agent/wire"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// codesPage is where an administrator makes a session code.
type codesPage struct {
	frame
	Waiting           waitingPart
	Own               bool   // made in the visitor's own name alone
	Supporter, Module string // as entered
	Unlogged          bool
	Missing           bool // the supporter's name is
	NoModule          bool // there is none of that name
	Made              *madeCode

	Users     []company.User // in whose name the visitor may announce
	User      string         // as chosen
	Device    string         // as entered
	NoDevice  bool           // there is none with this Aval ID
	Announced string         // what became of it
}

type madeCode struct {
	Code, Link, For, Until string
	Pinned                 bool
}

// codes shows the form.
func (c *Console) codes(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.codesPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "codes", p)
}

func (c *Console) codesPage(r *http.Request, v visitor) (codesPage, error) {
	p := codesPage{frame: c.frameOf(r, v, v.cat.T("console.codes", nil))}
	p.Back = "/codes"
	if p.Own = !v.co.SpeaksFor(""); p.Own {
		p.Supporter = v.actor.Name
	}
	all, err := v.co.Users(r.Context(), company.UserFilter{Live: true})
	for _, u := range all {
		if u.DisabledAt.IsZero() && v.co.SpeaksFor(u.ID) {
			u.Name = summary.Clean(u.Name, 60)
			p.Users = append(p.Users, u)
		}
	}
	if err == nil {
		p.Waiting, err = c.waiting(r, v, p.Users)
	}
	return p, err
}

// announce tells a computer who is about to connect.
func (c *Console) announce(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	p, err := c.codesPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.User, p.Device = r.PostFormValue("user"), strings.TrimSpace(r.PostFormValue("device"))
	a, err := v.co.Announce(r.Context(), p.User, p.Device)
	switch {
	case errors.Is(err, company.ErrNoDevice), errors.Is(err, company.ErrNoUser):
		p.NoDevice = true
		c.show(w, r, http.StatusUnprocessableEntity, "codes", p)
		return
	case err != nil:
		c.broken(w, r, err)
		return
	}
	p.Device = ""
	p.Announced = v.cat.T("console.announce.done", assets.Args{"supporter": a.Supporter, "time": a.ExpiresAt.In(c.zone(v.cat)).Format("15:04")})
	c.show(w, r, http.StatusOK, "codes", p)
}

// newCode makes a code and shows it, once: reloading the page makes another.
func (c *Console) newCode(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	p, err := c.codesPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if !p.Own {
		p.Supporter = strings.TrimSpace(r.PostFormValue("supporter"))
	}
	p.Module = strings.TrimSpace(r.PostFormValue("module"))
	p.Unlogged = r.PostFormValue("unlogged") != ""
	made, err := v.co.NewCode(r.Context(), company.CodeFor{Supporter: p.Supporter, LogSessions: !p.Unlogged, Module: p.Module})
	switch {
	case errors.Is(err, company.ErrNoModule):
		p.NoModule = true
		c.show(w, r, http.StatusUnprocessableEntity, "codes", p)
		return
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
		Until: v.cat.T("console.codes.until", assets.Args{"time": made.ExpiresAt.In(c.zone(v.cat)).Format("15:04")})}
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
	code := wire.Code{Secret: secret, Server: c.o.Host.Server(), Pin: c.o.Host.Pin()}
	cat := c.catalog(r, "")
	p := joinPage{frame: c.frame(r, cat, cat.T("console.join", nil)), Code: code.String(), Server: code.Host()}
	c.show(w, r, http.StatusOK, "join", p)
}
