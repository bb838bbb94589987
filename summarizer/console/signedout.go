package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signedOutPage is what somebody sees whose form came after their session had
// ended: with what they had entered, so that they lose nothing.
type signedOutPage struct {
	frame
	To     string // where the form goes
	Fields []sentField
}

// sentField is a field as it was sent.
type sentField struct{ Name, Value string }

// neverBack are the fields whose contents no page repeats; a form with one of them
// has to be filled in again.
var neverBack = []string{"password", "again", "old", "key", "client_secret", "private_key", "token", "signed"}

// signedOut answers a form of somebody who is not signed in any more. Forms of
// other sites do not come here: CrossOriginProtection has refused them.
func (c *Console) signedOut(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || len(r.PostForm) == 0 || secret(r.PostForm) {
		c.fail(w, r, http.StatusForbidden, "console.error.signed_out")
		return
	}
	cat := c.catalog(r, "")
	p := signedOutPage{frame: c.frame(r, cat, cat.T("console.error.signed_out", nil)), To: r.URL.Path}
	p.Back = "/"
	for name, values := range r.PostForm {
		for _, v := range values {
			p.Fields = append(p.Fields, sentField{name, v})
		}
	}
	slices.SortStableFunc(p.Fields, func(a, b sentField) int { return strings.Compare(a.Name, b.Name) })
	c.show(w, r, http.StatusForbidden, "signed-out", p)
}

// nextCookie holds the page that somebody wanted to see before they signed in.
const nextCookie = "__Host-aval-next"

// remember keeps the page of a request for after signing in; parts of pages, and
// what a page loads, are none.
func remember(w http.ResponseWriter, r *http.Request) {
	dest, to := r.Header.Get("Sec-Fetch-Dest"), r.URL.RequestURI()
	if dest != "" && dest != "document" || r.Header.Get("HX-Request") != "" || to == "/" || len(to) > 1000 {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: nextCookie, Value: url.QueryEscape(to), Path: "/", MaxAge: 600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// onward goes to the page that was wanted before, once, or to the first one. It
// leads to no other server, whatever the cookie says.
func onward(w http.ResponseWriter, r *http.Request) {
	to := "/"
	if k, err := r.Cookie(nextCookie); err == nil {
		http.SetCookie(w, &http.Cookie{Name: nextCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		if wanted, err := url.QueryUnescape(k.Value); err == nil && inside(wanted) {
			to = wanted
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// inside tells whether an address is a path of this server. Browsers read \ as /,
// and // as the beginning of another server's address.
func inside(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\r\n\t")
}

func secret(form url.Values) bool {
	return slices.ContainsFunc(neverBack, func(name string) bool { return form.Get(name) != "" })
}
