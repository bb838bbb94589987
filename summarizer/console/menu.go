package console

import (
	"net/http"
	"strings"
)

// Section is a part of the menu, named by its text. A page stands in one by its
// line of the table of routes.
type Section string

// The sections.
const (
	InSummaries    Section = "console.summaries"
	InSessions     Section = "console.menu.sessions"
	InDevices      Section = "console.devices"
	InPolicies     Section = "console.policies"
	InModules      Section = "console.modules"
	InUsers        Section = "console.users"
	InIntegrations Section = "console.integrations"
	InAI           Section = "console.menu.ai"
	InSettings     Section = "console.menu.settings"
)

// sections are all of them, in the menu's order.
var sections = []Section{InSummaries, InSessions, InDevices, InPolicies, InModules, InUsers, InIntegrations, InAI, InSettings}

// menuItem is an entry of the menu.
type menuItem struct {
	Path, Text string
	Current    bool       // this page, or one below it
	Open       bool       // one of Items is
	Items      []menuItem // of the section that is open, where there are several
}

// menu is what a visitor may see: each section that has something for them, and
// the pages of the one that they are in. A section with one page is that page.
func (c *Console) menu(r *http.Request, v visitor) (out []menuItem) {
	in := map[Section][]menuItem{}
	here, longest := "", 0
	for _, rt := range c.routes() {
		if rt.Menu == "" || !v.may(rt.Needs) {
			continue
		}
		path := strings.TrimSuffix(rt.Pattern, "{$}")
		in[rt.In] = append(in[rt.In], menuItem{Path: path, Text: v.cat.T(rt.Menu, nil)})
		if below(r.URL.Path, path) && len(path) > longest {
			here, longest = path, len(path)
		}
	}
	for _, s := range sections {
		items := in[s]
		if len(items) == 0 {
			continue
		}
		top := menuItem{Path: items[0].Path, Text: v.cat.T(string(s), nil)}
		for i := range items {
			items[i].Current = items[i].Path == here
			top.Open = top.Open || items[i].Current
		}
		if len(items) == 1 {
			top = items[0]
		} else if top.Open {
			top.Items = items
		}
		out = append(out, top)
	}
	return out
}

// below tells whether an address is a page of the menu, or one that is reached
// from there.
func below(address, page string) bool {
	if page == "/" {
		return address == "/" || strings.HasPrefix(address, "/s/")
	}
	return address == page || strings.HasPrefix(address, page+"/")
}
