package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// enrolDays are the lives that the form offers for a token for many, in days.
var enrolDays = []int{1, 7, 30, 90, 180, 365}

// enrolmentPage lists the tokens that enrol computers, and makes new ones.
type enrolmentPage struct {
	frame
	Rows   []enrolmentRow
	Older  string
	Newer  bool
	Groups []company.Group
	Days   []dayChoice
	Name   string
	Group  string
	Uses   string
	Wrong  string
	Ended  bool
	File   string // the new token's file, once
	For    string // what it is good for
}

type enrolmentRow struct {
	ID, Name, Group, Used, Until, State string
	Live                                bool
}

// enrolment shows the list and the form.
func (c *Console) enrolment(w http.ResponseWriter, r *http.Request, v visitor) {
	c.showEnrolment(w, r, v, http.StatusOK, enrolmentPage{Ended: r.URL.Query().Get("ended") != "", Uses: "1"}, 30)
}

func (c *Console) showEnrolment(w http.ResponseWriter, r *http.Request, v visitor, status int, p enrolmentPage, days int) {
	p.frame = c.frameOf(r, v, v.cat.T("enrolment", nil))
	p.Back = "/devices/tokens"
	before, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("before")) // what is wrong starts anew
	p.Newer = !before.IsZero()
	list, err := v.co.EnrolTokens(r.Context(), before, tokensListed+1)
	if err == nil {
		p.Groups, err = v.co.GroupNames(r.Context())
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if len(list) > tokensListed {
		list = list[:tokensListed]
		p.Older = "/devices/tokens?before=" + list[tokensListed-1].CreatedAt.Format(time.RFC3339Nano)
	}
	for _, k := range list {
		row := enrolmentRow{ID: k.ID, Name: summary.Clean(k.Name, 60), Group: k.Group, Until: c.when(v.cat, k.ExpiresAt),
			Used: v.cat.T("enrolment.used", assets.Args{"used": k.Used, "uses": k.Uses})}
		if row.Name == "" {
			row.Name = v.cat.T("enrolment.made", assets.Args{"when": c.when(v.cat, k.CreatedAt)})
		}
		if why := k.Ended(c.o.Now()); why != "" {
			row.State = v.cat.T("enrolment.ended."+why, nil)
		} else {
			row.Live = true
		}
		p.Rows = append(p.Rows, row)
	}
	for _, d := range enrolDays {
		p.Days = append(p.Days, dayChoice{d, v.cat.N("console.days", d, nil), d == days})
	}
	c.show(w, r, status, "enrolment", p)
}

// createEnrolment makes a token and shows its file, once, or has the browser keep it.
func (c *Console) createEnrolment(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	p := enrolmentPage{Name: r.PostFormValue("name"), Group: r.PostFormValue("group"), Uses: strings.TrimSpace(r.PostFormValue("uses"))}
	days := atoi(r.PostFormValue("days"))
	n := company.NewEnrolToken{Name: p.Name, Group: p.Group, Uses: -1}
	if uses, err := strconv.ParseInt(p.Uses, 10, 64); err == nil && uses > 0 {
		n.Uses = uses
	}
	if slices.Contains(enrolDays, days) && n.Uses != 1 { // one for one computer has its own life
		n.Life = time.Duration(days) * 24 * time.Hour
	}
	f, k, err := v.co.CreateEnrolToken(r.Context(), n)
	switch {
	case errors.Is(err, company.ErrNoGroup):
		p.Wrong = v.cat.T("console.wrong.gone", nil)
	case err != nil:
		if p.Wrong = saidText(v.cat, err); p.Wrong == "" {
			c.broken(w, r, err)
			return
		}
	}
	if p.Wrong != "" {
		c.showEnrolment(w, r, v, http.StatusUnprocessableEntity, p, days)
		return
	}
	file := company.EncodeTokenFile(f)
	if r.PostFormValue("keep") != "" {
		download(w, "token.json", "application/json", file)
		return
	}
	p = enrolmentPage{Uses: "1", File: string(file), For: v.cat.N("enrolment.for", int(k.Uses), assets.Args{"when": c.when(v.cat, k.ExpiresAt)})}
	c.showEnrolment(w, r, v, http.StatusOK, p, days)
}

// revokeEnrolment ends a token.
func (c *Console) revokeEnrolment(w http.ResponseWriter, r *http.Request, v visitor) {
	err := v.co.RevokeEnrolToken(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, company.ErrEnrolToken):
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	case err != nil:
		c.broken(w, r, err)
	default:
		http.Redirect(w, r, "/devices/tokens?ended=1", http.StatusSeeOther)
	}
}
