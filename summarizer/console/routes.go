package console

import (
	"net/http"
	"slices"

	"aval/agent/wire"
	"aval/summarizer/company"
)

// Route is one line of the table: an address, and who may use it.
type Route struct {
	Method  string
	Pattern string             // as net/http's ServeMux has it
	Needs   company.Permission // empty: everybody, signed in or not
	Menu    string             // the text of its entry in the menu; empty: it has none
	Max     int64              // the longest body that is read, in bytes; 0: maxBody

	serve func(http.ResponseWriter, *http.Request, visitor)
	open  http.HandlerFunc // instead, where nobody needs to be signed in
}

// routes is the whole table, the menu's entries in the menu's order. What is not
// in it is not reachable.
func (c *Console) routes() []Route {
	return slices.Concat([]Route{
		{Method: "GET", Pattern: "/{$}", Needs: company.SessionsRead, Menu: "console.sessions", serve: c.list},
		{Method: "GET", Pattern: "/s/{ref}", Needs: company.SessionsRead, serve: c.session},
		{Method: "POST", Pattern: "/s/{ref}/retry", Needs: company.SummariesWrite, serve: c.retry},
		{Method: "GET", Pattern: "/codes", Needs: company.CodesWrite, Menu: "console.codes", serve: c.codes},
		{Method: "POST", Pattern: "/codes", Needs: company.CodesWrite, serve: c.newCode},
		{Method: "POST", Pattern: "/codes/announce", Needs: company.CodesWrite, serve: c.announce},
		{Method: "GET", Pattern: "/users", Needs: company.UsersRead, Menu: "console.users", serve: c.users},
		{Method: "POST", Pattern: "/users", Needs: company.UsersWrite, serve: c.createUser},
		{Method: "POST", Pattern: "/users/log", Needs: company.UsersWrite, serve: c.logUsers},
		{Method: "GET", Pattern: "/users/{id}", Needs: company.UsersRead, serve: c.user},
		{Method: "POST", Pattern: "/users/{id}", Needs: company.UsersWrite, serve: c.changeUser},
		{Method: "POST", Pattern: "/users/{id}/invite", Needs: company.UsersWrite, serve: c.inviteUser},
		{Method: "POST", Pattern: "/users/{id}/disable", Needs: company.UsersWrite, serve: c.disableUser},
		{Method: "POST", Pattern: "/users/{id}/enable", Needs: company.UsersWrite, serve: c.enableUser},
		{Method: "GET", Pattern: "/tokens", Needs: company.TokensWrite, Menu: "console.tokens", serve: c.tokens},
		{Method: "POST", Pattern: "/tokens", Needs: company.TokensWrite, serve: c.createToken},
		{Method: "POST", Pattern: "/tokens/{id}/revoke", Needs: company.TokensWrite, serve: c.revokeToken},
	}, c.integrationRoutes(), []Route{
		{Method: "GET", Pattern: "/audit", Needs: company.AuditRead, Menu: "console.audit", serve: c.audit},
		{Method: "POST", Pattern: "/audit/verify", Needs: company.AuditRead, serve: c.auditVerify},
		{Method: "GET", Pattern: "/audit/export", Needs: company.AuditRead, serve: c.auditExport},
		{Method: "GET", Pattern: "/me", Needs: company.Own, serve: c.me},
		{Method: "POST", Pattern: "/me/password", Needs: company.Own, serve: c.changePassword},
		{Method: "POST", Pattern: "/me/browsers", Needs: company.Own, serve: c.endBrowsers},
		{Method: "POST", Pattern: "/glass/{id}", Needs: company.UsersWrite, serve: c.glassSeen},
		{Method: "GET", Pattern: company.ApprovePath, Needs: company.Own, Menu: "console.account.short", serve: c.account},
		{Method: "POST", Pattern: company.ApprovePath, Needs: company.Own, serve: c.approve},

		{Method: "GET", Pattern: wire.JoinPath + "{code}", open: c.join},
		{Method: "GET", Pattern: "/sign-in", open: c.signIn},
		{Method: "POST", Pattern: "/sign-in", open: c.signInPassword},
		{Method: "POST", Pattern: "/sign-in/link", open: c.breakGlass},
		{Method: "GET", Pattern: "/sign-in/with", open: c.toProvider},
		{Method: "GET", Pattern: company.BackPath, open: c.fromProvider},
		{Method: "GET", Pattern: company.InvitePath, open: c.invitation},
		{Method: "POST", Pattern: company.InvitePath, open: c.accept},
		{Method: "POST", Pattern: "/sign-out", open: c.signOut},
		{Method: "GET", Pattern: "/lang", open: c.language},
		{Method: "GET", Pattern: "/static/console.css", open: c.style},
		{Method: "GET", Pattern: "/static/htmx.js", open: c.script},
		{Method: "GET", Pattern: "/static/icon.png", open: icon},
		{Method: "GET", Pattern: "/favicon.ico", open: icon},
	})
}

// Routes is the table, for who checks it: the end of a pattern {ref} stands for
// anything.
func (c *Console) Routes() []Route { return c.routes() }
