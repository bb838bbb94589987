package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// tokensListed is how many tokens one page of the list has.
const tokensListed = 50

// tokenDays are the lives that the form offers, in days.
var tokenDays = []int{7, 30, 90, 180, 365}

type tokensPage struct {
	frame
	Tokens []tokenRow
	Older  string // address of the next page; empty: there is none
	Newer  bool
	Scopes []scopeChoice
	Days   []dayChoice
	Users  []company.User
	Name   string
	User   string
	Wrong  string
	Secret string // the new one, once
	Ended  bool

	Unlogged unlogged
}

type tokenRow struct {
	ID, Name, Prefix, Owner, Scopes, State, Until, Last string
	Live                                                bool
}

type scopeChoice struct {
	Scope, What string
	Chosen      bool
}

type dayChoice struct {
	Days   int
	Text   string
	Chosen bool
}

// tokens lists the API tokens, and has the form that makes one.
func (c *Console) tokens(w http.ResponseWriter, r *http.Request, v visitor) {
	c.showTokens(w, r, v, http.StatusOK, tokensPage{Ended: r.URL.Query().Get("ended") != ""}, nil, 90)
}

func (c *Console) showTokens(w http.ResponseWriter, r *http.Request, v visitor, status int, p tokensPage, scopes []string, days int) {
	p.frame = c.frameOf(r, v, v.cat.T("console.tokens", nil))
	p.Back = "/tokens"
	before, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("before")) // what is wrong starts anew
	p.Newer = !before.IsZero()
	list, err := v.co.APITokens(r.Context(), before, tokensListed+1)
	if err == nil {
		p.Users, err = v.co.Users(r.Context(), company.UserFilter{Live: true, Max: 1000})
	}
	if err == nil {
		p.Unlogged, err = c.unlogged(r, v)
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if len(list) > tokensListed {
		list = list[:tokensListed]
		p.Older = "/tokens?before=" + list[tokensListed-1].CreatedAt.Format(time.RFC3339Nano)
	}
	names := map[string]string{}
	for i, u := range p.Users {
		p.Users[i].Name = summary.Clean(u.Name, 60)
		names[u.ID] = p.Users[i].Name
	}
	now := c.o.Now()
	for _, k := range list {
		row := tokenRow{ID: k.ID, Name: summary.Clean(k.Name, 60), Prefix: k.Prefix, Until: v.cat.T("console.tokens.for_ever", nil), Last: v.cat.T("console.tokens.never", nil)}
		if row.Name == "" {
			row.Name = "–"
		}
		if k.User != "" {
			if row.Owner = names[k.User]; row.Owner == "" {
				row.Owner = k.User
			}
		}
		for i, s := range k.Scopes {
			if i > 0 {
				row.Scopes += " "
			}
			row.Scopes += string(s)
		}
		if !k.ExpiresAt.IsZero() {
			row.Until = c.when(v.cat, k.ExpiresAt)
		}
		if !k.UsedAt.IsZero() {
			row.Last = c.when(v.cat, k.UsedAt)
		}
		switch {
		case !k.RevokedAt.IsZero():
			row.State = v.cat.T("console.tokens.revoked", nil)
		case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
			row.State = v.cat.T("console.tokens.expired", nil)
		default:
			row.Live = true
		}
		p.Tokens = append(p.Tokens, row)
	}
	for _, s := range company.Scopes() {
		if v.may(s) {
			p.Scopes = append(p.Scopes, scopeChoice{string(s), v.cat.T("console.scope."+string(s), nil), slices.Contains(scopes, string(s))})
		}
	}
	for _, d := range tokenDays {
		p.Days = append(p.Days, dayChoice{d, v.cat.N("console.days", d, nil), d == days})
	}
	c.show(w, r, status, "tokens", p)
}

// createToken makes a token and shows its secret, once: reloading makes another.
func (c *Console) createToken(w http.ResponseWriter, r *http.Request, v visitor) {
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	n := company.NewAPIToken{Name: r.PostFormValue("name"), User: r.PostFormValue("user")}
	days := atoi(r.PostFormValue("days"))
	if slices.Contains(tokenDays, days) {
		n.Life = time.Duration(days) * 24 * time.Hour
	}
	for _, s := range r.PostForm["scope"] {
		n.Scopes = append(n.Scopes, company.Permission(s))
	}
	secret, _, err := v.co.CreateAPIToken(r.Context(), n)
	p := tokensPage{Secret: secret}
	switch {
	case errors.Is(err, company.ErrNoUser):
		p.Wrong = v.cat.T("console.users.none", nil)
	case err != nil:
		if p.Wrong = saidText(v.cat, err); p.Wrong == "" {
			c.broken(w, r, err)
			return
		}
	}
	status := http.StatusOK
	scopes := []string(nil)
	if p.Wrong != "" {
		status, scopes, p.Name, p.User = http.StatusUnprocessableEntity, r.PostForm["scope"], n.Name, n.User
	}
	c.showTokens(w, r, v, status, p, scopes, days)
}

// revokeToken ends a token.
func (c *Console) revokeToken(w http.ResponseWriter, r *http.Request, v visitor) {
	err := v.co.RevokeAPIToken(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, company.ErrNoToken):
		c.fail(w, r, http.StatusNotFound, "console.tokens.none")
	case err != nil:
		c.broken(w, r, err)
	default:
		http.Redirect(w, r, "/tokens?ended=1", http.StatusSeeOther)
	}
}

func itoa(n int) string { return fmt.Sprint(n) }
