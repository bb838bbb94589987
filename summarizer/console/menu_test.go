package console_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"aval/summarizer/company"
)

var (
	menuPart = regexp.MustCompile(`(?s)<nav class="menu".*?</nav>`)
	menuLink = regexp.MustCompile(`<a href="([^"]*)"(?: aria-current="(\w+)")?>([^<]*)</a>`)
)

// entries are the menu of a page: "section", "*section" where one of its pages is
// open, "[page]" where it is open itself; each with its address.
func entries(t *testing.T, page string) (out []string) {
	t.Helper()
	for _, m := range menuLink.FindAllStringSubmatch(menuPart.FindString(page), -1) {
		word := map[string]string{"": m[3], "true": "*" + m[3], "page": "[" + m[3] + "]"}[m[2]]
		out = append(out, word+" "+m[1])
	}
	return out
}

// TestMenu: each role's menu has the sections in their order, and the pages of
// the one that is open, where there are several; every page of the table that has
// an entry is reached from it, and is the one that is marked. To see it fail, give
// a route a section that is not among them, or let the first match be here.
func TestMenu(t *testing.T) {
	s := start(t)
	tenant := s.fillTenant(s.co, "one")
	for role, want := range map[company.Role]map[string]string{
		company.Administrator: {
			"/":               "[Summaries] /, Sessions /codes, Devices /devices, Policies /policies, Modules /modules, Users /users, Integrations /integrations, AI /insights, Settings /tokens",
			"/devices/groups": "Summaries /, Sessions /codes, *Devices /devices, Computers /devices, [Device groups] /devices/groups, Sign in a computer /account, Policies /policies, Modules /modules, Users /users, Integrations /integrations, AI /insights, Settings /tokens",
			"/ai":             "Summaries /, Sessions /codes, Devices /devices, Policies /policies, Modules /modules, Users /users, Integrations /integrations, *AI /insights, Session Insights /insights, [AI credits] /ai, Who writes the summaries /ai/engine, Settings /tokens",
		},
		company.Auditor:   {"/audit": "Summaries /, Overview /overview, Devices /devices, Policies /policies, Modules /modules, Users /users, Integrations /integrations, AI /insights, *Settings /history, History /history, [Audit log] /audit"},
		company.Supporter: {"/overview": "Summaries /, *Sessions /codes, Session codes /codes, [Overview] /overview, Sign in a computer /account"},
		company.Viewer:    {"/": "[Summaries] /, Overview /overview, Sign in a computer /account"},
		company.Billing:   {"/ai": "Sign in a computer /account, [AI credits] /ai"},
	} {
		for path, want := range want {
			_, page := tenant.by[role].get(s.url + path)
			if got := strings.Join(entries(t, page), ", "); got != want {
				t.Errorf("%s at %s:\n got %s\nwant %s", role, path, got, want)
			}
			// The credits stand on the AI pages for whoever may see them.
			badge := strings.Contains(page, `<details class="lots">`)
			if may := role == company.Administrator || role == company.Billing; badge != may {
				t.Errorf("%s at %s: the credits are there: %v", role, path, badge)
			}
		}
	}
	if _, page := tenant.by[company.Auditor].get(s.url + "/ai"); !strings.Contains(page, `<details class="lots">`) {
		t.Error("the auditor does not see the credits on their page")
	}
	// From the menu of a page one gets to every page that has an entry.
	admin := tenant.by[company.Administrator]
	reached := map[string]bool{}
	for todo := []string{"/"}; len(todo) > 0; todo = todo[1:] {
		_, page := admin.get(s.url + todo[0])
		here := entries(t, page)
		if !slices.ContainsFunc(here, func(e string) bool { return strings.HasPrefix(e, "[") && strings.HasSuffix(e, "] "+todo[0]) }) {
			t.Errorf("%s is not marked in its own menu: %v", todo[0], here)
		}
		for _, e := range here {
			if path := e[strings.LastIndex(e, " ")+1:]; !reached[path] {
				reached[path] = true
				todo = append(todo, path)
			}
		}
	}
	for _, rt := range s.console.Routes() {
		if path := strings.TrimSuffix(rt.Pattern, "{$}"); rt.Menu != "" && !reached[path] {
			t.Errorf("no menu leads to %s", path)
		}
	}
}
