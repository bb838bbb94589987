package console

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// waitingPart is what the page of codes says of people who have opened a module
// without a code.
type waitingPart struct {
	frame
	Rows  []waitingRow
	Users []company.User // who may be the supporter; none: it is the visitor
	User  string         // chosen
	Told  string         // what became of the last one
	Wrong string
	Live  string // address at which it can be seen whether something has changed
}

type waitingRow struct{ ID, Number, Module, Since string }

// waiting reads who waits now.
func (c *Console) waiting(r *http.Request, v visitor, users []company.User) (p waitingPart, err error) {
	p.frame = c.frame(r, v.cat, "")
	if v.actor.Kind != company.KindUser {
		p.Users = users
	}
	list, err := v.co.Openings(r.Context())
	for _, o := range list {
		p.Rows = append(p.Rows, waitingRow{o.ID, o.Number[:3] + " " + o.Number[3:], summary.Clean(o.Module, 60), o.CreatedAt.In(c.zone(v.cat)).Format("15:04")})
	}
	p.Live = "/codes/waiting?stand=" + url.QueryEscape(p.stand())
	return p, err
}

// stand is a short name for what it shows.
func (p waitingPart) stand() string {
	h := fnv.New64a()
	fmt.Fprint(h, p.Lang, p.Rows)
	return strconv.FormatUint(h.Sum64(), 36)
}

// waitingNow answers the page's own question whether somebody else waits: with the
// list, or with nothing.
func (c *Console) waitingNow(w http.ResponseWriter, r *http.Request, v visitor) {
	page, err := c.codesPage(r, v)
	switch {
	case err != nil:
		c.broken(w, r, err)
	case page.Waiting.stand() == r.FormValue("stand"):
		w.WriteHeader(http.StatusNoContent)
	default:
		c.show(w, r, http.StatusOK, "waiting", page.Waiting)
	}
}

// takeOpening makes somebody the supporter of a person who waits, or turns that
// person away.
func (c *Console) takeOpening(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	user := v.actor.ID
	if v.actor.Kind != company.KindUser {
		user = r.PostFormValue("user")
	}
	which, told, status := r.PathValue("id"), "", http.StatusOK
	var err error
	if r.PostFormValue("refuse") != "" {
		if _, err = v.co.RefuseOpening(r.Context(), which); err == nil {
			told = v.cat.T("openings.refused", nil)
		}
	} else {
		var t company.Taken
		if t, err = v.co.TakeOpening(r.Context(), user, which); err == nil {
			told = v.cat.T("openings.taken", assets.Args{"supporter": summary.Clean(t.Supporter, 60)})
		}
	}
	wrong := ""
	switch {
	case errors.Is(err, company.ErrNoOpening):
		wrong, status = v.cat.T("openings.gone", nil), http.StatusUnprocessableEntity
	case errors.Is(err, company.ErrNoUser):
		wrong, status = v.cat.T("openings.nobody", nil), http.StatusUnprocessableEntity
	case err != nil:
		c.broken(w, r, err)
		return
	}
	p, err := c.codesPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.Waiting.Told, p.Waiting.Wrong, p.Waiting.User = told, wrong, user
	c.show(w, r, status, "codes", p)
}
