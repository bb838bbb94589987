package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// usersListed is how many people one page of the list has.
const usersListed = 50

// person is one line of the list, or the person of a page.
type person struct {
	company.User
	RoleName string
	State    string // what a reader must know: disabled, invited, …; empty: nothing
	Last     string // when they signed in last
	Self     bool
}

func (c *Console) person(v visitor, u company.User) person {
	p := person{User: u, RoleName: v.cat.T("console.role."+string(u.Role), nil), Last: c.when(v.cat, u.SignedInAt), Self: u.ID == v.in.User.ID && u.ID != ""}
	p.Name, p.Team = summary.Clean(u.Name, 60), summary.Clean(u.Team, 60)
	switch {
	case !u.DisabledAt.IsZero():
		p.State = v.cat.T("console.users.disabled", nil)
	case !u.Password && !u.Linked:
		p.State = v.cat.T("console.users.cannot", nil)
	}
	return p
}

type roleChoice struct {
	Role, Name, What string
	Chosen           bool
}

func roles(cat *assets.Catalog, chosen company.Role) (out []roleChoice) {
	for _, r := range company.Roles() {
		out = append(out, roleChoice{string(r), cat.T("console.role."+string(r), nil), cat.T("console.role."+string(r)+".what", nil), r == chosen})
	}
	return out
}

type usersPage struct {
	frame
	People            []person
	Search, Role, Log string // as chosen
	Roles             []roleChoice
	Next              string // address of the next page; empty: there is none
	First             bool   // this is the first page
	Filtered          bool
	Said              string // what a bulk change did
	SaidSelf          string // why oneself was left out
	Write             bool
	Provider          string
	Wrong             string // what was wrong with a new person
	Sees              []seesChoice
	MaySee, SeesSet   bool // may change it; it was changed
	New               company.NewUser
}

// seesChoice is whose sessions viewers and supporters see.
type seesChoice struct {
	Sees, Name, What string
	Chosen           bool
}

// setSees changes whose sessions viewers and supporters see.
func (c *Console) setSees(w http.ResponseWriter, r *http.Request, v visitor) {
	sees := company.Sees(r.PostFormValue("sees"))
	if !slices.Contains(company.AllSees(), sees) {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	if err := v.co.SetOptions(r.Context(), company.Change{Sees: &sees}); err != nil {
		c.broken(w, r, err)
		return
	}
	http.Redirect(w, r, "/users?sees=1#sees", http.StatusSeeOther)
}

// users lists the people, and has the form that adds one.
func (c *Console) users(w http.ResponseWriter, r *http.Request, v visitor) {
	c.showUsers(w, r, v, http.StatusOK, usersPage{})
}

func (c *Console) showUsers(w http.ResponseWriter, r *http.Request, v visitor, status int, p usersPage) {
	q := r.URL.Query()
	p.frame = c.frameOf(r, v, v.cat.T("console.users", nil))
	p.Search, p.Role, p.Log = strings.TrimSpace(q.Get("q")), q.Get("role"), q.Get("log")
	p.First, p.Write, p.Filtered = q.Get("after") == "", v.may(company.UsersWrite), p.Search != "" || p.Role != "" || p.Log != ""
	f := company.UserFilter{Search: p.Search, Role: company.Role(p.Role), After: q.Get("after"), Max: usersListed + 1}
	if p.Log != "" {
		on := p.Log == "on"
		f.Logged = &on
	}
	list, err := v.co.Users(r.Context(), f)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if len(list) > usersListed {
		list = list[:usersListed]
		p.Next = "/users?" + url.Values{"q": {p.Search}, "role": {p.Role}, "log": {p.Log}, "after": {list[usersListed-1].ID}}.Encode()
	}
	for _, u := range list {
		p.People = append(p.People, c.person(v, u))
	}
	if n := q.Get("changed"); n != "" {
		p.Said = v.cat.N("console.users.changed", atoi(n), nil)
		if q.Get("self") != "" {
			p.SaidSelf = v.cat.T("console.users.changed.self", nil)
		}
	}
	by, err := v.co.SignInBy(r.Context())
	var now company.Choices
	if err == nil {
		now, err = v.co.Choices(r.Context())
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.MaySee, p.SeesSet = v.may(company.SettingsWrite), q.Get("sees") != ""
	for _, s := range company.AllSees() {
		p.Sees = append(p.Sees, seesChoice{string(s), v.cat.T("console.sees."+string(s), nil), v.cat.T("console.sees."+string(s)+".what", nil),
			s == now.Settings.Sees || s == company.SeesAll && now.Settings.Sees == ""})
	}
	p.Provider = by.Provider
	if p.New.Role == "" {
		p.New.Role = company.Supporter
	}
	p.Roles = roles(v.cat, p.New.Role)
	c.show(w, r, status, "users", p)
}

// atoi is a small number out of an address; anything else is 0.
func atoi(s string) (n int) {
	for _, d := range s {
		if d < '0' || d > '9' || n > 1<<20 {
			return 0
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// createUser adds a person and shows them, with what comes next.
func (c *Console) createUser(w http.ResponseWriter, r *http.Request, v visitor) {
	n := company.NewUser{Name: r.PostFormValue("name"), Login: r.PostFormValue("login"), Role: company.Role(r.PostFormValue("role")),
		Team: r.PostFormValue("team"), Unlogged: r.PostFormValue("log") == ""}
	u, err := v.co.CreateUser(r.Context(), n)
	if wrong := saidText(v.cat, err); wrong != "" {
		c.showUsers(w, r, v, http.StatusUnprocessableEntity, usersPage{Wrong: wrong, New: n})
		return
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	http.Redirect(w, r, "/users/"+u.ID, http.StatusSeeOther)
}

// logUsers changes for many whether their sessions are logged.
func (c *Console) logUsers(w http.ResponseWriter, r *http.Request, v visitor) {
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	on := r.PostFormValue("log") == "on"
	if !on && r.PostFormValue("log") != "off" {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	n, self, err := v.co.SetLogged(r.Context(), r.PostForm["user"], on)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	back := url.Values{"changed": {itoa(n)}}
	if self {
		back.Set("self", "1")
	}
	http.Redirect(w, r, "/users?"+back.Encode(), http.StatusSeeOther)
}

type userPage struct {
	frame
	person
	Roles         []roleChoice
	Wrong         string
	Saved         bool
	Write, CanBe  bool // may change them; may change the role
	Link, LinkFor string
	Provider      string
	Created       string
}

// user shows one person.
func (c *Console) user(w http.ResponseWriter, r *http.Request, v visitor) {
	c.showUser(w, r, v, http.StatusOK, userPage{Saved: r.URL.Query().Get("saved") != ""})
}

func (c *Console) showUser(w http.ResponseWriter, r *http.Request, v visitor, status int, p userPage) {
	u, err := v.co.User(r.Context(), r.PathValue("id"))
	var by company.SignInBy
	if err == nil {
		by, err = v.co.SignInBy(r.Context())
	}
	if c.noUser(w, r, err) {
		return
	}
	p.person, p.Provider, p.Created = c.person(v, u), by.Provider, c.when(v.cat, u.CreatedAt)
	p.frame = c.frameOf(r, v, p.Name)
	p.Back = "/users/" + u.ID
	p.Write = v.may(company.UsersWrite) && u.DisabledAt.IsZero()
	p.CanBe = p.Write && !p.Self
	p.Roles = roles(v.cat, u.Role)
	c.show(w, r, status, "user", p)
}

// noUser answers where there is no such person, or something is broken.
func (c *Console) noUser(w http.ResponseWriter, r *http.Request, err error) bool {
	switch {
	case errors.Is(err, company.ErrNoUser):
		c.fail(w, r, http.StatusNotFound, "console.users.none")
	case err != nil:
		c.broken(w, r, err)
	}
	return err != nil
}

// changeUser is Edit user information: one person's data alone, oneself's too.
func (c *Console) changeUser(w http.ResponseWriter, r *http.Request, v visitor) {
	name, login, team, on := r.PostFormValue("name"), r.PostFormValue("login"), r.PostFormValue("team"), r.PostFormValue("log") != ""
	ch := company.UserChange{Name: &name, Login: &login, Team: &team, LogSessions: &on}
	if role := company.Role(r.PostFormValue("role")); role != "" {
		ch.Role = &role
	}
	// What this form leaves as its page showed it, somebody else may have changed since.
	kept := func(field, now string) bool {
		return r.PostForm.Has("was_"+field) && r.PostForm.Get("was_"+field) == now
	}
	if kept("name", name) {
		ch.Name = nil
	}
	if kept("login", login) {
		ch.Login = nil
	}
	if kept("team", team) {
		ch.Team = nil
	}
	if kept("log", r.PostFormValue("log")) {
		ch.LogSessions = nil
	}
	if ch.Role != nil && kept("role", string(*ch.Role)) {
		ch.Role = nil
	}
	_, err := v.co.ChangeUser(r.Context(), r.PathValue("id"), ch)
	c.changedUser(w, r, v, err)
}

// changedUser goes back to the person, or says what was wrong.
func (c *Console) changedUser(w http.ResponseWriter, r *http.Request, v visitor, err error) {
	if wrong := saidText(v.cat, err); wrong != "" {
		c.showUser(w, r, v, http.StatusUnprocessableEntity, userPage{Wrong: wrong})
		return
	}
	if !c.noUser(w, r, err) {
		http.Redirect(w, r, "/users/"+r.PathValue("id")+"?saved=1", http.StatusSeeOther)
	}
}

func (c *Console) disableUser(w http.ResponseWriter, r *http.Request, v visitor) {
	c.changedUser(w, r, v, v.co.DisableUser(r.Context(), r.PathValue("id")))
}

func (c *Console) enableUser(w http.ResponseWriter, r *http.Request, v visitor) {
	c.changedUser(w, r, v, v.co.EnableUser(r.Context(), r.PathValue("id")))
}

// inviteUser makes a link and shows it, once: the administrator hands it on.
func (c *Console) inviteUser(w http.ResponseWriter, r *http.Request, v visitor) {
	link, until, err := v.co.Invite(r.Context(), r.PathValue("id"))
	if err != nil {
		c.changedUser(w, r, v, err)
		return
	}
	c.showUser(w, r, v, http.StatusOK, userPage{Link: link, LinkFor: v.cat.T("console.invite.until", assets.Args{"when": c.when(v.cat, until)})})
}
