package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// modulesPage lists a company's modules, and makes new ones.
type modulesPage struct {
	frame
	told
	MayWrite      bool
	Outgoing      consent.OutgoingOption // as sessions meet it
	Modules, Gone []moduleRow            // those that stand, and those that do not any more
	Days          int
}

type moduleRow struct {
	ID, Name       string
	Enabled, Asks  bool
	Created, Until string
	Ended          string // why it does not stand any more
}

func (c *Console) modules(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.modulesPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "modules", p)
}

func (c *Console) modulesPage(r *http.Request, v visitor) (modulesPage, error) {
	p := modulesPage{frame: c.frameOf(r, v, v.cat.T("console.modules", nil)), told: v.told(r), MayWrite: v.may(company.SettingsWrite), Days: company.ModuleDays}
	p.Back = r.URL.Path
	ch, err := v.co.Choices(r.Context())
	if err != nil {
		return p, err
	}
	if p.Outgoing = ch.Outgoing; ch.Activation == nil {
		p.Outgoing = consent.OutgoingOff
	}
	all, err := v.co.Modules(r.Context())
	now := c.o.Now()
	for _, m := range all {
		row := moduleRow{ID: m.ID, Name: summary.Clean(m.Name, 60), Enabled: m.Enabled, Asks: m.Asks, Created: c.day(v.cat, m.CreatedAt), Until: c.day(v.cat, m.ExpiresAt)}
		switch {
		case !m.RevokedAt.IsZero():
			row.Ended = v.cat.T("console.modules.revoked", assets.Args{"when": c.day(v.cat, m.RevokedAt)})
		case !now.Before(m.ExpiresAt):
			row.Ended = v.cat.T("console.modules.expired", assets.Args{"when": row.Until})
		default:
			p.Modules = append(p.Modules, row)
			continue
		}
		p.Gone = append(p.Gone, row)
	}
	return p, err
}

// day writes the day of a time in the page's zone.
func (c *Console) day(cat *assets.Catalog, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(c.zone(cat)).Format(cat.T("console.day.layout", nil))
}

type modulePage struct {
	modulesPage
	M      moduleRow
	Stands bool
}

func (c *Console) module(w http.ResponseWriter, r *http.Request, v visitor) {
	list, err := c.modulesPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p := modulePage{modulesPage: list}
	for _, m := range append(list.Modules, list.Gone...) {
		if m.ID == r.PathValue("id") {
			p.M, p.Stands, p.Title = m, m.Ended == "", m.Name
			c.show(w, r, http.StatusOK, "module", p)
			return
		}
	}
	c.fail(w, r, http.StatusNotFound, "console.error.not_found")
}

func (c *Console) newModule(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	days, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("days")))
	if err != nil {
		c.settle(w, r, "/modules", "", company.ErrModuleDays)
		return
	}
	m, _, err := v.co.CreateModule(r.Context(), r.PostFormValue("name"), r.PostFormValue("enabled") != "", days)
	if err != nil {
		c.settle(w, r, "/modules", "", err)
		return
	}
	c.settle(w, r, "/modules/"+m.ID, "created", nil)
}

// switchModule is the checkbox "Enable Session Insights for this module".
func (c *Console) switchModule(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	_, err := v.co.SwitchModule(r.Context(), r.PathValue("id"), r.PostFormValue("enabled") != "")
	c.settle(w, r, "/modules/"+r.PathValue("id"), "saved", err)
}

func (c *Console) revokeModule(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	to := "/modules/" + r.PathValue("id")
	if r.PostFormValue("sure") == "" {
		c.settle(w, r, to, "", errSure)
		return
	}
	_, err := v.co.RevokeModule(r.Context(), r.PathValue("id"))
	c.settle(w, r, to, "revoked", err)
}

// moduleFile gives the module's signed file away.
func (c *Console) moduleFile(w http.ResponseWriter, r *http.Request, v visitor) {
	file, err := v.co.ModuleFile(r.Context(), r.PathValue("id"))
	switch {
	case wrongWord(err) == "gone":
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	case err != nil:
		c.broken(w, r, err)
		return
	}
	download(w, "company.avalmodule", "application/octet-stream", file)
}

// download has the browser keep a file.
func download(w http.ResponseWriter, name, typ string, file []byte) {
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = w.Write(file) // the browser has gone: nobody to tell
}
