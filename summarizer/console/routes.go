package console

import (
	"net/http"

	"aval/agent/wire"
	"aval/summarizer/company"
)

// Route is one line of the table: an address, and who may use it.
type Route struct {
	Method  string
	Pattern string             // as net/http's ServeMux has it
	Needs   company.Permission // empty: everybody, signed in or not
	Menu    string             // the text of its entry in the menu; empty: it has none

	serve func(http.ResponseWriter, *http.Request, visitor)
	open  http.HandlerFunc // instead, where nobody needs to be signed in
}

// routes is the whole table, the menu's entries in the menu's order. What is not
// in it is not reachable.
func (c *Console) routes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/{$}", Needs: company.SessionsRead, Menu: "console.sessions", serve: c.list},
		{Method: "GET", Pattern: "/s/{ref}", Needs: company.SessionsRead, serve: c.session},
		{Method: "POST", Pattern: "/s/{ref}/retry", Needs: company.SummariesWrite, serve: c.retry},
		{Method: "GET", Pattern: "/codes", Needs: company.CodesWrite, Menu: "console.codes", serve: c.codes},
		{Method: "POST", Pattern: "/codes", Needs: company.CodesWrite, serve: c.newCode},
		{Method: "POST", Pattern: "/codes/announce", Needs: company.CodesWrite, serve: c.announce},

		{Method: "GET", Pattern: company.ApprovePath, Needs: company.Own, Menu: "console.account.short", serve: c.account},
		{Method: "POST", Pattern: company.ApprovePath, Needs: company.Own, serve: c.approve},

		{Method: "GET", Pattern: wire.JoinPath + "{code}", open: c.join},
		{Method: "GET", Pattern: "/sign-in", open: c.signIn},
		{Method: "POST", Pattern: "/sign-out", open: c.signOut},
		{Method: "GET", Pattern: "/lang", open: c.language},
		{Method: "GET", Pattern: "/static/console.css", open: c.style},
		{Method: "GET", Pattern: "/static/htmx.js", open: c.script},
		{Method: "GET", Pattern: "/static/icon.png", open: icon},
		{Method: "GET", Pattern: "/favicon.ico", open: icon},
	}
}

// Routes is the table, for who checks it: the end of a pattern {ref} stands for
// anything.
func (c *Console) Routes() []Route { return c.routes() }
