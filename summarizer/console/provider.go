package console

import (
	"errors"
	"net/http"
	"time"

	"aval/summarizer/company"
)

// errandCookie is what a browser keeps while its person is at the identity provider.
const errandCookie = "__Host-aval-errand"

// toProvider sends the browser to the company's identity provider.
func (c *Console) toProvider(w http.ResponseWriter, r *http.Request) {
	co, err := c.o.Host.Named(r.Context(), r.URL.Query().Get("company"))
	var to, keep string
	if err == nil {
		to, keep, err = co.ToProvider(r.Context())
	}
	if c.providerFailed(w, r, err) {
		return
	}
	setErrand(w, keep)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// fromProvider is where the identity provider sends the browser back to.
func (c *Console) fromProvider(w http.ResponseWriter, r *http.Request) {
	keep := ""
	if k, err := r.Cookie(errandCookie); err == nil {
		keep = k.Value
	}
	setErrand(w, "") // once
	q := r.URL.Query()
	co, secret, err := c.o.Host.FromProvider(r.Context(), keep, q.Get("state"), q.Get("code"), from(r))
	if c.providerFailed(w, r, err) {
		return
	}
	setSession(w, secret)
	setCompany(w, co.ID())
	onward(w, r)
}

func (c *Console) providerFailed(w http.ResponseWriter, r *http.Request, err error) bool {
	if err == nil {
		return false
	}
	c.o.Log.Warn("sign-in by an identity provider", "err", err)
	switch {
	case errors.Is(err, company.ErrProviderDown):
		c.fail(w, r, http.StatusBadGateway, "console.provider.down")
	case errors.Is(err, company.ErrNotWelcome):
		c.fail(w, r, http.StatusForbidden, "console.provider.not_welcome")
	case errors.Is(err, company.ErrProviderRefused):
		c.fail(w, r, http.StatusForbidden, "console.provider.refused")
	case errors.Is(err, company.ErrNoProvider), errors.Is(err, company.ErrWhichCompany):
		c.fail(w, r, http.StatusNotFound, "console.provider.none")
	default:
		c.broken(w, r, err)
	}
	return true
}

func setErrand(w http.ResponseWriter, keep string) {
	age := int(company.ProviderLife / time.Second)
	if keep == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: errandCookie, Value: keep, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
