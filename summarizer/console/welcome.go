package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"aval/assets"
	"aval/summarizer/company"
)

// zones are those that the wizard offers; any other name of the IANA database
// can be typed.
var zones = []string{"America/Sao_Paulo", "America/Manaus", "America/Rio_Branco", "America/Noronha", "Europe/Lisbon", "Europe/London", "Europe/Berlin",
	"Europe/Warsaw", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Mexico_City", "America/Bogota", "America/Argentina/Buenos_Aires",
	"Asia/Tokyo", "Asia/Shanghai", "Asia/Kolkata", "Australia/Sydney", "UTC"}

// welcomePage is the first-run wizard, and what comes after it.
type welcomePage struct {
	frame
	Setup     company.Setup
	Done      bool // it was completed: the next steps
	Wrong     string
	Languages []choice
	Zones     []string
	Terms     []string
	TermsSum  string
	TermsLang string
	Shortest  int
	Accepted  bool
	Steps     []nextStep
}

// nextStep is one of the next steps.
type nextStep struct{ Title, Text, Path, Command string }

// welcome shows the wizard to who came by the link, or the next steps.
func (c *Console) welcome(w http.ResponseWriter, r *http.Request, v visitor) {
	set := company.Setup{Company: v.in.Company.Name, Lang: v.in.Company.Lang, Zone: v.in.Company.Zone}
	if set.Zone == "" || set.Zone == "UTC" {
		set.Zone = c.o.Zone.String()
	}
	if set.Zone == "Local" {
		set.Zone = "UTC"
	}
	if slices.Contains(assets.LangsOf("summary"), v.cat.Lang) {
		set.Lang = v.cat.Lang
	}
	c.showWelcome(w, r, v, http.StatusOK, welcomePage{Setup: set})
}

func (c *Console) showWelcome(w http.ResponseWriter, r *http.Request, v visitor, status int, p welcomePage) {
	p.Done = v.in.SetUp
	p.frame = c.frameOf(r, v, v.cat.T("console.welcome", nil))
	p.Back, p.Zones, p.Shortest, p.Setup.Password = "/welcome", zones, company.PasswordShortest, ""
	for _, l := range assets.LangsOf("summary") {
		p.Languages = append(p.Languages, choice{l, langNames[l], l == p.Setup.Lang})
	}
	p.Terms, p.TermsLang, p.TermsSum = company.Terms(v.cat.Lang)
	if p.Done {
		for _, s := range []struct {
			key, path string
			needs     company.Permission
			command   string
		}{
			{"enrol", "", company.TokensWrite, c.o.Enrol()}, {"users", "/users", company.UsersWrite, ""}, {"codes", "/codes", company.CodesWrite, ""},
		} {
			if v.may(s.needs) {
				p.Steps = append(p.Steps, nextStep{v.cat.T("console.welcome."+s.key, nil), v.cat.T("console.welcome."+s.key+".text", nil), s.path, s.command})
			}
		}
	} else if v.actor.Kind != company.KindLink {
		c.fail(w, r, http.StatusForbidden, "console.welcome.not_you")
		return
	}
	c.show(w, r, status, "welcome", p)
}

// setUp completes the first start.
func (c *Console) setUp(w http.ResponseWriter, r *http.Request, v visitor) {
	n := company.Setup{Company: r.PostFormValue("company"), Lang: r.PostFormValue("lang"), Zone: strings.TrimSpace(r.PostFormValue("zone")),
		Name: r.PostFormValue("name"), Login: r.PostFormValue("login"), Password: r.PostFormValue("password")}
	if r.PostFormValue("accept") != "" {
		n.TermsLang, n.Terms = r.PostFormValue("terms_lang"), r.PostFormValue("terms")
	}
	refuse := func(wrong string) {
		c.showWelcome(w, r, v, http.StatusUnprocessableEntity, welcomePage{Setup: n, Wrong: wrong, Accepted: n.Terms != ""})
	}
	if n.Password != r.PostFormValue("again") {
		refuse(v.cat.T("console.password.differ", nil))
		return
	}
	secret, err := v.co.SetUp(r.Context(), n, from(r))
	var said *company.Said
	switch {
	case errors.As(err, &said):
		refuse(saidText(v.cat, err))
	case errors.Is(err, company.ErrTerms):
		refuse(v.cat.T("console.welcome.terms.changed", nil))
	case errors.Is(err, company.ErrSetUp):
		c.fail(w, r, http.StatusForbidden, "console.welcome.once")
	case err != nil:
		c.broken(w, r, err)
	default:
		setSession(w, secret)
		setCompany(w, v.co.ID())
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
	}
}
