package console

import (
	"errors"
	"net/http"
	"strings"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// accountPage is where somebody approves a computer that is to be signed in to
// their account: first its code, then what it is.
type accountPage struct {
	frame
	Code    string
	Wrong   string // why the code counts for nothing
	Own     bool   // for the visitor's own account, who is a user
	Users   []company.User
	Waiting *company.SignIn
	Since   string
	Done    string // what became of it
}

// accountPage is the page of a visitor. Who came by an administrator link has no
// account, and says whose it is.
func (c *Console) accountPage(r *http.Request, v visitor) (accountPage, error) {
	p := accountPage{frame: c.frameOf(r, v, v.cat.T("console.account", nil)), Own: v.actor.Kind == company.KindUser}
	p.Back = company.ApprovePath
	if p.Own || !v.may(company.UsersWrite) {
		return p, nil
	}
	var err error
	p.Users, err = v.co.Users(r.Context(), company.UserFilter{Live: true})
	for i := range p.Users {
		p.Users[i].Name = summary.Clean(p.Users[i].Name, 60)
	}
	return p, err
}

// account shows the field for a code.
func (c *Console) account(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.accountPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "account", p)
}

// approve shows the computer of a code, and does with it what the button says.
func (c *Console) approve(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	p, err := c.accountPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.Code = summary.Clean(strings.TrimSpace(r.PostFormValue("code")), 20)
	user, said := r.PostFormValue("user"), "console.account.refused"
	if p.Own {
		user = v.actor.ID
	}
	var found company.SignIn
	switch r.PostFormValue("do") {
	case "approve":
		if user == "" { // which would be a refusal
			c.fail(w, r, http.StatusNotFound, "console.error.not_found")
			return
		}
		said = "console.account.approved"
		found, err = v.co.DecideSignIn(r.Context(), p.Code, r.RemoteAddr, user)
	case "refuse":
		found, err = v.co.DecideSignIn(r.Context(), p.Code, r.RemoteAddr, "")
	default:
		said = ""
		found, err = v.co.SignInOf(r.Context(), p.Code, r.RemoteAddr)
	}
	status := http.StatusOK
	found.Name = summary.Clean(found.Name, 60)
	switch {
	case errors.Is(err, company.ErrTooMany):
		status, p.Wrong = http.StatusTooManyRequests, v.cat.T("console.account.too_many", nil)
	case errors.Is(err, company.ErrNoSignIn), errors.Is(err, company.ErrNoUser):
		status, p.Wrong = http.StatusUnprocessableEntity, v.cat.T("console.account.wrong", nil)
	case err != nil:
		c.broken(w, r, err)
		return
	case said != "":
		p.Code, p.Done = "", v.cat.T(said, assets.Args{"computer": found.Name})
	default:
		p.Waiting, p.Since = &found, found.CreatedAt.In(c.zone(v.cat)).Format("15:04")
	}
	c.show(w, r, status, "account", p)
}
