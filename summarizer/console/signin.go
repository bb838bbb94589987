package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

const (
	sessionCookie = "__Host-aval-session"
	// companyCookie remembers which company's people use this browser.
	companyCookie = "__Host-aval-company"
)

// newLink makes a new administrator link. The folder's name is not told to
// somebody who has not signed in.
const newLink = "aval-summarizer token create --admin --data DIR"

// brought is the secret that a browser sent; empty: none.
func brought(r *http.Request) string {
	if k, err := r.Cookie(sessionCookie); err == nil {
		return k.Value
	}
	return ""
}

// from is where a request came from.
func from(r *http.Request) company.Browser {
	return company.Browser{Address: r.RemoteAddr, Agent: r.UserAgent(), Before: brought(r)}
}

// who is who sent r; company.ErrSignedOut.
func (c *Console) who(r *http.Request) (v visitor, err error) {
	v.co, v.in, err = c.o.Host.SignedIn(r.Context(), brought(r))
	v.company, v.actor = v.in.Company, v.in.Actor
	return v, err
}

// signInPage is where a person signs in, or an administrator link breaks the glass.
type signInPage struct {
	frame
	Several      bool // which company must be said
	Named, Login string
	Wrong        string // what was wrong with the last try
	Provider     string // the name of the company's identity provider; empty: there is none
	CompanyID    string // known already
	First        bool   // nobody can sign in yet but by the link
	Command      string
	Token        string // of the link that needs a reason
	Reason       string
	Whose        string
}

// signIn shows the form, or uses an administrator link up where it needs no reason.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if token == "" {
		if _, err := c.who(r); err == nil {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		c.askPassword(w, r, http.StatusOK, signInPage{Named: r.URL.Query().Get("company")})
		return
	}
	// A browser that looks ahead must not use the link up.
	if r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch" || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	c.openLink(w, r, token, "")
}

// breakGlass uses an administrator link up with a reason.
func (c *Console) breakGlass(w http.ResponseWriter, r *http.Request) {
	c.openLink(w, r, r.PostFormValue("token"), r.PostFormValue("reason"))
}

func (c *Console) openLink(w http.ResponseWriter, r *http.Request, token, reason string) {
	secret, first, err := c.o.Host.OpenLink(r.Context(), token, reason, from(r))
	switch {
	case errors.Is(err, company.ErrBadLink):
		// The same for a wrong, a used and an expired one.
		c.link(w, r, http.StatusForbidden, "console.sign_in.refused")
	case errors.Is(err, company.ErrNeedsReason):
		p, status := signInPage{Token: token, Reason: reason}, http.StatusOK
		cat := c.catalog(r, "")
		if r.Method == http.MethodPost {
			p.Wrong, status = cat.T("console.glass.short", nil), http.StatusUnprocessableEntity
		}
		s, _, err := c.o.Host.LinkFor(r.Context(), token)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		co, err := s.Company(r.Context())
		if err != nil {
			c.broken(w, r, err)
			return
		}
		p.Whose = summary.Clean(co.Name, 60)
		p.frame = c.frame(r, cat, cat.T("console.glass", nil))
		p.Back = "/sign-in" // never the token
		c.show(w, r, status, "glass", p)
	case err != nil:
		c.broken(w, r, err)
	default:
		setSession(w, secret)
		to := "/"
		if first {
			to = "/welcome"
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// signInPassword signs a browser in with a password.
func (c *Console) signInPassword(w http.ResponseWriter, r *http.Request) {
	p := signInPage{Named: r.PostFormValue("company"), Login: strings.TrimSpace(r.PostFormValue("login"))}
	co, err := c.o.Host.Named(r.Context(), p.Named)
	var secret string
	if err == nil {
		secret, err = co.SignIn(r.Context(), p.Login, r.PostFormValue("password"), from(r))
	}
	cat := c.catalog(r, "")
	switch {
	case errors.Is(err, company.ErrWhichCompany):
		p.Wrong = cat.T("console.sign_in.which", nil)
		c.askPassword(w, r, http.StatusForbidden, p)
	case errors.Is(err, company.ErrTooManyTries):
		w.Header().Set("Retry-After", fmt.Sprint(int(company.TryWindow.Seconds())))
		p.Wrong = cat.T("console.sign_in.too_many", nil)
		c.askPassword(w, r, http.StatusTooManyRequests, p)
	case errors.Is(err, company.ErrWrongPassword):
		p.Wrong = cat.T("console.sign_in.wrong", nil)
		c.askPassword(w, r, http.StatusForbidden, p)
	case err != nil:
		c.broken(w, r, err)
	default:
		setSession(w, secret)
		setCompany(w, co.ID())
		onward(w, r)
	}
}

// askPassword shows the form.
func (c *Console) askPassword(w http.ResponseWriter, r *http.Request, status int, p signInPage) {
	cat := c.catalog(r, "")
	var err error
	if p.Several, err = c.o.Host.Several(r.Context()); err != nil {
		c.broken(w, r, err)
		return
	}
	if k, err := r.Cookie(companyCookie); err == nil && p.Named == "" {
		p.Named = k.Value
	}
	co, err := c.o.Host.Named(r.Context(), p.Named)
	switch {
	case err == nil:
		know, err := co.SignInBy(r.Context())
		if err != nil {
			c.broken(w, r, err)
			return
		}
		p.First, p.Provider, p.CompanyID = !know.Possible, know.Provider, co.ID()
		if p.Several {
			if known, err := co.Company(r.Context()); err == nil {
				p.Named = known.Name
			}
		}
	case !errors.Is(err, company.ErrWhichCompany):
		c.broken(w, r, err)
		return
	}
	p.Command = newLink
	p.frame = c.frame(r, cat, cat.T("console.sign_in", nil))
	p.Back = "/sign-in"
	c.show(w, r, status, "sign-in", p)
}

// setSession sets the cookie; the browser's end of its life is the longest one,
// the store decides. An empty secret takes it away.
func setSession(w http.ResponseWriter, secret string) {
	age := int(company.SignInLongest / time.Second)
	if secret == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", MaxAge: age,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func setCompany(w http.ResponseWriter, id string) {
	http.SetCookie(w, &http.Cookie{Name: companyCookie, Value: id, Path: "/", MaxAge: 365 * 24 * 3600,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (c *Console) link(w http.ResponseWriter, r *http.Request, status int, key string) {
	cat := c.catalog(r, "")
	p := messagePage{frame: c.frame(r, cat, cat.T(key, nil)), Heading: cat.T(key, nil), Text: cat.T(key+".text", nil),
		Hint: cat.T("console.sign_in.new", nil), Command: newLink}
	p.Back = "/sign-in" // never the token
	c.show(w, r, status, "message", p)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if secret := brought(r); secret != "" {
		if err := c.o.Host.SignOut(r.Context(), secret); err != nil {
			c.broken(w, r, err)
			return
		}
	}
	setSession(w, "")
	cat := c.catalog(r, "")
	p := messagePage{frame: c.frame(r, cat, cat.T("console.signed_out", nil)), Heading: cat.T("console.signed_out", nil), Text: cat.T("console.signed_out.text", assets.Args{})}
	p.Back = "/sign-in"
	c.show(w, r, http.StatusOK, "message", p)
}

// invitationPage is where somebody who was invited sets a password.
type invitationPage struct {
	frame
	Token, Name, Login, Whose string
	Wrong                     string
	Shortest                  int
}

// invitation shows whom a link invites; looking does not use it up.
func (c *Console) invitation(w http.ResponseWriter, r *http.Request) {
	c.invited(w, r, http.StatusOK, r.URL.Query().Get("token"), "")
}

func (c *Console) invited(w http.ResponseWriter, r *http.Request, status int, token, wrong string) {
	s, u, err := c.o.Host.Invited(r.Context(), token)
	if errors.Is(err, company.ErrBadLink) {
		c.fail(w, r, http.StatusForbidden, "console.invitation.refused")
		return
	}
	var co store.Company
	if err == nil {
		co, err = s.Company(r.Context())
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	cat := c.catalog(r, co.Lang)
	p := invitationPage{frame: c.frame(r, cat, cat.T("console.invitation", nil)), Token: token, Name: summary.Clean(u.Name, 60),
		Login: u.Login, Whose: summary.Clean(co.Name, 60), Wrong: wrong, Shortest: company.PasswordShortest}
	p.Back = "/sign-in" // never the token
	c.show(w, r, status, "invitation", p)
}

// accept sets the password of somebody who was invited, and signs them in.
func (c *Console) accept(w http.ResponseWriter, r *http.Request) {
	token, password := r.PostFormValue("token"), r.PostFormValue("password")
	cat := c.catalog(r, "")
	if password != r.PostFormValue("again") {
		c.invited(w, r, http.StatusUnprocessableEntity, token, cat.T("console.password.differ", nil))
		return
	}
	s, _, err := c.o.Host.Invited(r.Context(), token)
	var secret string
	if err == nil {
		secret, err = c.o.Host.Accept(r.Context(), token, password, from(r))
	}
	var said *company.Said
	switch {
	case errors.As(err, &said):
		c.invited(w, r, http.StatusUnprocessableEntity, token, saidText(cat, err))
	case errors.Is(err, company.ErrBadLink):
		c.fail(w, r, http.StatusForbidden, "console.invitation.refused")
	case err != nil:
		c.broken(w, r, err)
	default:
		setSession(w, secret)
		setCompany(w, s.ID())
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// saidText is a company.Said in the page's language; empty where err is none.
func saidText(cat *assets.Catalog, err error) string {
	var said *company.Said
	if !errors.As(err, &said) {
		return ""
	}
	return cat.T("console.said."+said.Key, assets.Args(said.Args))
}
