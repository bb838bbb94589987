package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

const (
	sessionCookie = "__Host-aval-session"
	// idle and longest bound a sign-in: from the last use, and from the first.
	idle    = 12 * time.Hour
	longest = 7 * 24 * time.Hour
	// touchEvery spares a write for each page.
	touchEvery = 5 * time.Minute
)

// newLink makes a new administrator link. The folder's name is not told to
// somebody who has not signed in.
const newLink = "aval-summarizer token create --admin --data DIR"

func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// who is who sent r, or store.ErrNotFound.
func (c *Console) who(r *http.Request) (v visitor, err error) {
	k, err := r.Cookie(sessionCookie)
	if err != nil {
		return v, store.ErrNotFound
	}
	now := c.o.Now()
	var s store.ConsoleSession
	err = c.db.View(r.Context(), func(t *store.Tx) error {
		if s, err = t.ConsoleSession(hash(k.Value), now); err != nil {
			return err
		}
		v.company, err = t.Company(s.Company)
		return err
	})
	if err != nil {
		return v, err
	}
	if v.co, err = c.o.Host.Of(r.Context(), s.Company); err != nil {
		return v, err
	}
	v.actor = company.Link
	v.co = v.co.As(v.actor)
	if now.Sub(s.LastUsedAt) < touchEvery {
		return v, nil
	}
	expires := now.Add(idle)
	if last := s.CreatedAt.Add(longest); expires.After(last) {
		expires = last
	}
	return v, c.db.Tx(r.Context(), func(t *store.Tx) error { return t.TouchConsoleSession(s.Hash, now, expires) })
}

// signIn uses up the one-time link's token and signs the browser in. The
// session's secret is always new: what the browser brought is worth nothing.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if token == "" {
		c.askForLink(w, r)
		return
	}
	// A browser that looks ahead must not use the link up.
	if r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch" || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	secret, now := newSecret(), c.o.Now()
	err := c.db.Tx(r.Context(), func(t *store.Tx) error {
		co, err := t.UseAdminLink(hash(token), now)
		if err != nil {
			return err
		}
		if old, err := r.Cookie(sessionCookie); err == nil {
			if err := t.DeleteConsoleSession(hash(old.Value), now); err != nil {
				return err
			}
		}
		if err := t.InsertConsoleSession(store.ConsoleSession{Hash: hash(secret), Company: co, CreatedAt: now, ExpiresAt: now.Add(idle)}); err != nil {
			return err
		}
		return t.AddAudit(store.Audit{Company: co, At: now, Actor: company.Link.String(), Action: "console-signed-in"})
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.refuseLink(w, r)
	case err != nil:
		c.broken(w, r, err)
	default:
		setSession(w, secret, int(longest/time.Second))
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// setSession sets the cookie; the browser's end of its life is the longest one,
// the store decides. A negative age takes it away.
func setSession(w http.ResponseWriter, secret string, age int) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", MaxAge: age,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (c *Console) askForLink(w http.ResponseWriter, r *http.Request) {
	if _, err := c.who(r); err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	c.link(w, r, http.StatusOK, "console.sign_in")
}

// refuseLink says the same of a wrong, a used and an expired link.
func (c *Console) refuseLink(w http.ResponseWriter, r *http.Request) {
	c.link(w, r, http.StatusForbidden, "console.sign_in.refused")
}

func (c *Console) link(w http.ResponseWriter, r *http.Request, status int, key string) {
	cat := c.catalog(r, "")
	p := messagePage{frame: c.frame(r, cat, cat.T(key, nil)), Heading: cat.T(key, nil), Text: cat.T(key+".text", nil),
		Hint: cat.T("console.sign_in.new", nil), Command: newLink}
	p.Back = "/sign-in" // never the token
	c.show(w, r, status, "message", p)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if k, err := r.Cookie(sessionCookie); err == nil {
		if err := c.db.Tx(r.Context(), func(t *store.Tx) error { return t.DeleteConsoleSession(hash(k.Value), c.o.Now()) }); err != nil {
			c.broken(w, r, err)
			return
		}
	}
	setSession(w, "", -1)
	cat := c.catalog(r, "")
	p := messagePage{frame: c.frame(r, cat, cat.T("console.signed_out", nil)), Heading: cat.T("console.signed_out", nil), Text: cat.T("console.signed_out.text", assets.Args{})}
	p.Back = "/sign-in"
	c.show(w, r, http.StatusOK, "message", p)
}
