package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// devicesPage lists a company's computers.
type devicesPage struct {
	frame
	told
	MayWrite bool
	MayEnrol bool
	Tabs     []tab
	Kind     string // managed, signed-in, single, revoked
	Search   string
	Group    string // its id, none, or empty: all
	Policy   string // only those that have it; its name
	PolicyID string
	Groups   []company.Group
	Rows     []deviceRow
	Older    string
	Newer    bool
	Reaches  []option // the choices of reach
	Bad      string   // how many computers nobody can be asked at, in words; empty: none
	Filtered bool
	Enrol    string
}

// tab is one of several lists on the same page.
type tab struct {
	Href, Text string
	Current    bool
}

type deviceRow struct {
	ID, Name, Hostname, Group, Policy, Since, Version string
	Seen, SeenISO, Skew                               string
	Lately                                            bool // seen in the last two minutes
	Waits, Revoked                                    bool
	Ended                                             string
	Account                                           string // in whose account it is
	Reach                                             string // whether somebody there could be asked, in a few words
	Unreachable                                       bool
	Broken                                            string // its log of records does not continue what was seen of it
}

func (c *Console) devices(w http.ResponseWriter, r *http.Request, v visitor) {
	q := r.URL.Query()
	p := devicesPage{frame: c.frameOf(r, v, v.cat.T("console.devices", nil)), told: v.told(r), MayWrite: v.may(company.DevicesWrite), MayEnrol: v.may(company.TokensWrite),
		Kind: q.Get("kind"), Search: strings.TrimSpace(q.Get("q")), Group: q.Get("group"), PolicyID: q.Get("policy"), Newer: q.Get("after") != "", Enrol: c.o.Enrol()}
	lists := []string{string(store.Managed), string(store.SignedIn), string(store.Single), "revoked"}
	if !slices.Contains(lists, p.Kind) {
		p.Kind = lists[0]
	}
	for _, k := range lists {
		p.Tabs = append(p.Tabs, tab{"/devices?kind=" + k, v.cat.T("console.devices."+k, nil), k == p.Kind})
	}
	f := company.DeviceFilter{Kind: store.DeviceKind(p.Kind), Revoked: p.Kind == "revoked", Search: p.Search, Group: p.Group, Policy: p.PolicyID, After: q.Get("after")}
	if reach := company.Reached(q.Get("reach")); p.Kind == string(store.Managed) && slices.Contains(company.AllReached(), reach) {
		f.Reach = reach
	}
	for _, k := range company.AllReached() {
		p.Reaches = append(p.Reaches, option{string(k), v.cat.T("console.reach."+string(k), nil), k == f.Reach})
	}
	if f.Revoked {
		f.Kind = ""
	}
	list, next, err := v.co.Devices(r.Context(), f)
	if errors.Is(err, company.ErrCursor) {
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
		return
	}
	if err == nil {
		p.Groups, err = v.co.GroupNames(r.Context())
	}
	if err == nil && p.PolicyID != "" {
		var pol company.Policy
		if pol, err = v.co.Policy(r.Context(), p.PolicyID); err == nil {
			p.Policy = pol.Name
		} else if errors.Is(err, company.ErrNoPolicy) {
			err, p.Policy = nil, "–"
		}
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if n, err := v.co.UnreachableDevices(r.Context()); err != nil {
		c.broken(w, r, err)
		return
	} else if n > 0 && p.Kind == string(store.Managed) && f.Reach == "" {
		p.Bad = v.cat.N("console.reach.bad", n, nil)
	}
	p.Filtered = f.Reach != "" || p.Search != "" || p.Group != "" || p.PolicyID != ""
	if next != "" {
		q.Set("after", next)
		p.Older = "/devices?" + q.Encode()
	}
	for _, d := range list {
		p.Rows = append(p.Rows, c.deviceRow(v, d))
	}
	c.show(w, r, http.StatusOK, "devices", p)
}

// lately is how long after it was seen a computer still counts as connected.
const lately = 2 * time.Minute

// tellSkew is from when on a clock that differs is told.
const tellSkew = 30 * time.Second

func (c *Console) deviceRow(v visitor, d company.Device) deviceRow {
	out := deviceRow{ID: d.ID, Name: summary.Clean(d.Name, 60), Group: d.Group, Version: summary.Clean(d.Version, 32),
		Seen: c.when(v.cat, d.LastSeenAt), SeenISO: d.LastSeenAt.UTC().Format(time.RFC3339), Waits: d.Waits, Revoked: !d.RevokedAt.IsZero()}
	if out.Name == "" {
		out.Name = d.ID
	}
	out.Account = summary.Clean(d.AccountName, 60)
	if host := summary.Clean(d.Hostname, 60); host != out.Name {
		out.Hostname = host
	}
	if d.LastSeenAt.IsZero() {
		out.Seen = v.cat.T("console.devices.never", nil)
	} else {
		out.Lately = c.o.Now().Sub(d.LastSeenAt) < lately
	}
	if d.Policy != nil {
		out.Policy = v.cat.T("console.policies.version", assets.Args{"name": d.Policy.Name, "n": d.Policy.Version})
		out.Since = c.when(v.cat, d.Policy.Since)
	}
	if skew := d.ClockSkew.Abs(); skew >= tellSkew {
		key := "console.devices.ahead"
		if d.ClockSkew < 0 {
			key = "console.devices.behind"
		}
		out.Skew = v.cat.T(key, assets.Args{"time": summary.Duration(v.cat, skew)})
	}
	if view := c.reachView(v, d); !out.Revoked {
		out.Reach, out.Unreachable = view.Text, view.Bad
	}
	if out.Revoked {
		out.Ended = v.cat.T("console.devices.revoked_on", assets.Args{"when": c.when(v.cat, d.RevokedAt)})
	}
	if !d.LogBrokenAt.IsZero() {
		out.Broken = v.cat.T("console.devices.log_broken", assets.Args{"when": c.when(v.cat, d.LogBrokenAt)})
	}
	if !d.LeftAt.IsZero() {
		key := "enrolment.left_on"
		if d.Account != "" {
			key = "enrolment.signed_out_on"
		}
		out.Ended = v.cat.T(key, assets.Args{"when": c.when(v.cat, d.LeftAt)})
	}
	return out
}

// reachView is whether somebody at a computer could be asked, for people.
type reachView struct {
	Text     string // empty: it is no computer of the company's
	Bad      bool
	Why      string // what it means, and what to do
	File     string // where Line is to be added
	Line     string
	LineSays string // before Line
	When     string
	Rungs    string
}

func (c *Console) reachView(v visitor, d company.Device) (out reachView) {
	if !d.Managed {
		return out
	}
	if d.Reach == nil {
		return reachView{Text: v.cat.T("console.reach.unknown", nil), Why: v.cat.T("console.reach.unknown.why", nil)}
	}
	r := *d.Reach
	out = reachView{Text: v.cat.T("console.reach."+r.State, nil), Bad: r.Bad(), Why: v.cat.T("console.reach."+r.State+".why", nil),
		File: summary.Clean(r.StartFile, 200), Line: summary.Clean(r.StartLine, 200), When: c.when(v.cat, r.At)}
	var rungs []string
	if r.Window {
		rungs = append(rungs, v.cat.T("console.reach.window", nil))
	}
	if r.Dialog {
		rungs = append(rungs, v.cat.T("console.reach.dialog", nil))
	}
	out.Rungs = strings.Join(rungs, ", ")
	switch {
	case out.File != "":
		out.LineSays = v.cat.T("console.reach.add", assets.Args{"file": out.File})
	case out.Line != "":
		out.LineSays = v.cat.T("console.reach.run", nil)
	}
	return out
}

// moveDevices puts the ticked computers into a group.
func (c *Console) moveDevices(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	ids, to := r.PostForm["device"], r.PostFormValue("to")
	back := "/devices"
	if g := r.PostFormValue("group"); g != "" {
		back += "?group=" + url.QueryEscape(g)
	}
	if len(ids) == 0 || to == "" {
		c.settle(w, r, back, "", errNothing)
		return
	}
	if to == company.NoGroup {
		to = ""
	}
	_, err := v.co.MoveDevices(r.Context(), ids, to)
	c.settle(w, r, back, "moved", err)
}

// devicePage is one computer.
type devicePage struct {
	frame
	told
	MayWrite, MaySettings bool
	D                     deviceRow
	Managed               bool
	Single                bool // the key of one session
	Enrolled, LastSession string
	AssignedBy            string // which assignment counts, in words
	GroupID, PolicyID     string // its own policy, where that is assigned to it
	Groups                []company.Group
	Policies              []company.Policy // that were published
	Reach                 reachView
}

func (c *Console) device(w http.ResponseWriter, r *http.Request, v visitor) {
	d, err := v.co.Device(r.Context(), r.PathValue("id"))
	if errors.Is(err, company.ErrNoDevice) || err == nil && d.ID != r.PathValue("id") { // its name is no address
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	p := devicePage{told: v.told(r), MayWrite: v.may(company.DevicesWrite), MaySettings: v.may(company.SettingsWrite), D: c.deviceRow(v, d),
		Managed: d.Managed, Single: !d.Managed && d.Account == "", Enrolled: c.when(v.cat, d.EnrolledAt), LastSession: c.when(v.cat, d.LastSessionAt), GroupID: d.GroupID}
	if err == nil {
		p.Groups, err = v.co.GroupNames(r.Context())
	}
	var all []company.Policy
	if err == nil {
		all, err = v.co.Policies(r.Context())
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, pol := range all {
		if pol.Version > 0 {
			p.Policies = append(p.Policies, pol)
		}
		for _, id := range pol.Devices {
			if id == d.ID {
				p.PolicyID = pol.ID
			}
		}
	}
	if d.Assigned != "" {
		p.AssignedBy = v.cat.T("console.devices.assigned."+d.Assigned, nil)
	}
	p.Reach = c.reachView(v, d)
	p.frame = c.frameOf(r, v, p.D.Name)
	p.Back = "/devices/" + d.ID
	c.show(w, r, http.StatusOK, "device", p)
}

func (c *Console) nameDevice(w http.ResponseWriter, r *http.Request, v visitor) {
	if c.form(w, r) {
		c.settle(w, r, "/devices/"+r.PathValue("id"), "saved", v.co.RenameDevice(r.Context(), r.PathValue("id"), r.PostFormValue("name")))
	}
}

func (c *Console) groupDevice(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	_, err := v.co.MoveDevices(r.Context(), []string{r.PathValue("id")}, r.PostFormValue("group"))
	c.settle(w, r, "/devices/"+r.PathValue("id"), "saved", err)
}

func (c *Console) assignDevice(w http.ResponseWriter, r *http.Request, v visitor) {
	if c.form(w, r) {
		c.settle(w, r, "/devices/"+r.PathValue("id"), "saved", v.co.AssignPolicy(r.Context(), r.PostFormValue("policy"), company.ToDevice(r.PathValue("id"))))
	}
}

func (c *Console) revokeDevice(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	to := "/devices/" + r.PathValue("id")
	if r.PostFormValue("sure") == "" {
		c.settle(w, r, to, "", errSure)
		return
	}
	c.settle(w, r, to, "revoked", v.co.RevokeDevice(r.Context(), r.PathValue("id")))
}

// groupsPage lists the groups of computers.
type groupsPage struct {
	frame
	told
	MayWrite, MaySettings bool
	Groups                []groupRow
	Policies              []company.Policy // that were published
}

type groupRow struct {
	company.Group
	Count string // how many devices, in words
}

func (c *Console) groups(w http.ResponseWriter, r *http.Request, v visitor) {
	p := groupsPage{frame: c.frameOf(r, v, v.cat.T("console.groups", nil)), told: v.told(r), MayWrite: v.may(company.DevicesWrite), MaySettings: v.may(company.SettingsWrite)}
	p.Back = "/devices/groups"
	groups, _, err := v.co.Groups(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, g := range groups {
		p.Groups = append(p.Groups, groupRow{g, v.cat.N("console.devices.n", g.Devices, nil)})
	}
	all, err := v.co.Policies(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, pol := range all {
		if pol.Version > 0 {
			p.Policies = append(p.Policies, pol)
		}
	}
	c.show(w, r, http.StatusOK, "groups", p)
}

func (c *Console) newGroup(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	_, err := v.co.CreateGroup(r.Context(), strings.TrimSpace(r.PostFormValue("name")))
	c.settle(w, r, "/devices/groups", "created", err)
}

func (c *Console) nameGroup(w http.ResponseWriter, r *http.Request, v visitor) {
	if c.form(w, r) {
		c.settle(w, r, "/devices/groups", "saved", v.co.RenameGroup(r.Context(), r.PathValue("id"), strings.TrimSpace(r.PostFormValue("name"))))
	}
}

func (c *Console) deleteGroup(w http.ResponseWriter, r *http.Request, v visitor) {
	c.settle(w, r, "/devices/groups", "deleted", v.co.DeleteGroup(r.Context(), r.PathValue("id")))
}

func (c *Console) assignGroup(w http.ResponseWriter, r *http.Request, v visitor) {
	if c.form(w, r) {
		c.settle(w, r, "/devices/groups", "saved", v.co.AssignPolicy(r.Context(), r.PostFormValue("policy"), company.ToGroup(r.PathValue("id"))))
	}
}
