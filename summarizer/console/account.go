package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// Accounts approves computers that are to be signed in to a user's account.
type Accounts interface {
	SignInOf(ctx context.Context, code, from string) (company.SignIn, error)
	DecideSignIn(ctx context.Context, code, from, user, by string) (company.SignIn, error)
}

// accountPage is where a computer is approved: first its code, then what it is.
type accountPage struct {
	frame
	Code    string
	Wrong   string // why the code counts for nothing
	Users   []company.User
	Waiting *company.SignIn
	Since   string
	Done    string // what became of it
}

func (c *Console) accountPage(r *http.Request, v visitor) (accountPage, error) {
	p := accountPage{frame: c.frame(r, v.cat, v.cat.T("console.account", nil))}
	p.Company, p.Back = summary.Clean(v.company.Name, 60), company.ApprovePath
	all, err := c.o.Codes.Users(r.Context())
	for _, u := range all {
		if u.DisabledAt.IsZero() {
			u.Name = summary.Clean(u.Name, 60)
			p.Users = append(p.Users, u)
		}
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
	var found company.SignIn
	switch r.PostFormValue("do") {
	case "approve":
		if user == "" { // which would be a refusal
			c.fail(w, r, http.StatusNotFound, "console.error.not_found")
			return
		}
		said = "console.account.approved"
		found, err = c.o.Accounts.DecideSignIn(r.Context(), p.Code, r.RemoteAddr, user, "admin")
	case "refuse":
		found, err = c.o.Accounts.DecideSignIn(r.Context(), p.Code, r.RemoteAddr, "", "admin")
	default:
		said = ""
		found, err = c.o.Accounts.SignInOf(r.Context(), p.Code, r.RemoteAddr)
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
		p.Waiting, p.Since = &found, found.CreatedAt.In(c.o.Zone).Format("15:04")
	}
	c.show(w, r, status, "account", p)
}
