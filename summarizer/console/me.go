package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// mePage is what somebody sees of themselves.
type mePage struct {
	frame
	person
	IsLink   bool // a browser that came by an administrator link
	Browsers []browserRow
	Wrong    string
	Said     string
	Shortest int
}

type browserRow struct {
	ID, Agent, Address, Since, Last, Via string
	Here                                 bool
}

// me shows oneself: role, password, signed-in browsers.
func (c *Console) me(w http.ResponseWriter, r *http.Request, v visitor) {
	p := mePage{}
	if n := r.URL.Query().Get("ended"); n != "" {
		p.Said = v.cat.N("console.me.ended", atoi(n), nil)
	}
	if r.URL.Query().Get("password") != "" {
		p.Said = v.cat.T("console.me.password.changed", nil)
	}
	c.showMe(w, r, v, http.StatusOK, p)
}

func (c *Console) showMe(w http.ResponseWriter, r *http.Request, v visitor, status int, p mePage) {
	p.frame = c.frameOf(r, v, v.cat.T("console.me", nil))
	p.Back = "/me"
	p.person, p.IsLink, p.Shortest = c.person(v, v.in.User), v.in.User.ID == "", company.PasswordShortest
	if !p.IsLink {
		list, err := v.co.Browsers(r.Context())
		if err != nil {
			c.broken(w, r, err)
			return
		}
		for _, b := range list {
			p.Browsers = append(p.Browsers, browserRow{ID: b.ID, Agent: agentName(v.cat, b.Agent), Address: b.Address, Since: c.when(v.cat, b.CreatedAt),
				Last: c.when(v.cat, b.LastUsedAt), Via: v.cat.T("console.via."+b.Via, nil), Here: b.ID == v.in.ID})
		}
	}
	c.show(w, r, status, "me", p)
}

// agentName is what people recognise of a User-Agent: the browser, and on what.
// It is what the browser said of itself, and proves nothing.
func agentName(cat *assets.Catalog, agent string) string {
	name, on := "", ""
	for _, k := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, k[0]) {
			name = k[1]
			break
		}
	}
	for _, k := range [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, k[0]) {
			on = k[1]
			break
		}
	}
	switch {
	case name != "" && on != "":
		return name + ", " + on
	case name+on != "":
		return name + on
	case agent != "":
		return summary.Clean(agent, 40)
	}
	return cat.T("console.me.browser", nil)
}

// changePassword changes one's own.
func (c *Console) changePassword(w http.ResponseWriter, r *http.Request, v visitor) {
	refuse := func(status int, wrong string) { c.showMe(w, r, v, status, mePage{Wrong: wrong}) }
	if v.in.User.ID == "" {
		c.fail(w, r, http.StatusForbidden, "console.error.not_allowed")
		return
	}
	password := r.PostFormValue("password")
	if password != r.PostFormValue("again") {
		refuse(http.StatusUnprocessableEntity, v.cat.T("console.password.differ", nil))
		return
	}
	secret, err := v.co.ChangePassword(r.Context(), r.PostFormValue("old"), password, from(r))
	var said *company.Said
	switch {
	case errors.As(err, &said):
		refuse(http.StatusUnprocessableEntity, saidText(v.cat, err))
	case errors.Is(err, company.ErrWrongPassword):
		refuse(http.StatusForbidden, v.cat.T("console.me.password.wrong", nil))
	case errors.Is(err, company.ErrTooManyTries):
		w.Header().Set("Retry-After", fmt.Sprint(int(company.TryWindow.Seconds())))
		refuse(http.StatusTooManyRequests, v.cat.T("console.sign_in.too_many", nil))
	case err != nil:
		c.broken(w, r, err)
	default:
		setSession(w, secret)
		http.Redirect(w, r, "/me?password=changed", http.StatusSeeOther)
	}
}

// endBrowsers signs out one of one's own browsers, or all others.
func (c *Console) endBrowsers(w http.ResponseWriter, r *http.Request, v visitor) {
	id, others := r.PostFormValue("id"), r.PostFormValue("others") != ""
	if others {
		id = v.in.ID
	}
	if v.in.User.ID == "" {
		c.fail(w, r, http.StatusForbidden, "console.error.not_allowed")
		return
	}
	n, err := v.co.EndBrowsers(r.Context(), id, others)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	http.Redirect(w, r, "/me?ended="+itoa(int(n)), http.StatusSeeOther)
}

// glassSeen notes that the administrator has seen that the glass was broken.
func (c *Console) glassSeen(w http.ResponseWriter, r *http.Request, v visitor) {
	if err := v.co.GlassSeen(r.Context(), r.PathValue("id")); err != nil {
		c.broken(w, r, err)
		return
	}
	http.Redirect(w, r, local(r.PostFormValue("back")), http.StatusSeeOther)
}
