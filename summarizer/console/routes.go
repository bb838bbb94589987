package console

import (
	"net/http"
	"slices"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
)

// Route is one line of the table: an address, and who may use it.
type Route struct {
	Method  string
	Pattern string             // as net/http's ServeMux has it
	Needs   company.Permission // empty: everybody, signed in or not
	Menu    string             // the text of its entry in the menu; empty: it has none
	In      Section            // where that stands
	Max     int64              // the longest body that is read, in bytes; 0: maxBody

	serve func(http.ResponseWriter, *http.Request, visitor)
	open  http.HandlerFunc // instead, where nobody needs to be signed in
}

// routes is the whole table, the menu's entries in the menu's order. What is not
// in it is not reachable.
func (c *Console) routes() []Route {
	return slices.Concat(c.summaryRoutes(), []Route{
		{Method: "GET", Pattern: "/codes", Needs: company.CodesWrite, Menu: "console.codes", In: InSessions, serve: c.codes},
		{Method: "POST", Pattern: "/codes", Needs: company.CodesWrite, serve: c.newCode},
		{Method: "GET", Pattern: "/codes/waiting", Needs: company.CodesWrite, serve: c.waitingNow},
		{Method: "POST", Pattern: "/codes/waiting/{id}", Needs: company.CodesWrite, serve: c.takeOpening},
		{Method: "POST", Pattern: "/codes/announce", Needs: company.CodesWrite, serve: c.announce},
		{Method: "GET", Pattern: "/overview", Needs: company.SessionsRead, Menu: "console.overview", In: InSessions, serve: c.overview},

		{Method: "GET", Pattern: "/devices", Needs: company.DevicesRead, Menu: "console.menu.computers", In: InDevices, serve: c.devices},
		{Method: "POST", Pattern: "/devices", Needs: company.DevicesWrite, serve: c.moveDevices},
		{Method: "GET", Pattern: "/devices/groups", Needs: company.DevicesRead, Menu: "console.groups", In: InDevices, serve: c.groups},
		{Method: "POST", Pattern: "/devices/groups", Needs: company.DevicesWrite, serve: c.newGroup},
		{Method: "GET", Pattern: "/devices/tokens", Needs: company.TokensWrite, serve: c.enrolment},
		{Method: "POST", Pattern: "/devices/tokens", Needs: company.TokensWrite, serve: c.createEnrolment},
		{Method: "POST", Pattern: "/devices/tokens/{id}/revoke", Needs: company.TokensWrite, serve: c.revokeEnrolment},
		{Method: "GET", Pattern: "/devices/{id}", Needs: company.DevicesRead, serve: c.device},
		{Method: "POST", Pattern: "/devices/{id}/name", Needs: company.DevicesWrite, serve: c.nameDevice},
		{Method: "POST", Pattern: "/devices/{id}/group", Needs: company.DevicesWrite, serve: c.groupDevice},
		{Method: "POST", Pattern: "/devices/{id}/policy", Needs: company.SettingsWrite, serve: c.assignDevice},
		{Method: "POST", Pattern: "/devices/{id}/revoke", Needs: company.DevicesWrite, serve: c.revokeDevice},
		{Method: "POST", Pattern: "/groups/{id}/name", Needs: company.DevicesWrite, serve: c.nameGroup},
		{Method: "POST", Pattern: "/groups/{id}/delete", Needs: company.DevicesWrite, serve: c.deleteGroup},
		{Method: "POST", Pattern: "/groups/{id}/policy", Needs: company.SettingsWrite, serve: c.assignGroup},
		{Method: "GET", Pattern: "/policies", Needs: company.SettingsRead, Menu: "console.policies", In: InPolicies, serve: c.policies},
		{Method: "POST", Pattern: "/policies", Needs: company.SettingsWrite, serve: c.newPolicy},
		{Method: "GET", Pattern: "/policies/{id}", Needs: company.SettingsRead, serve: c.policy},
		{Method: "POST", Pattern: "/policies/{id}", Needs: company.SettingsWrite, serve: c.savePolicy},
		{Method: "GET", Pattern: "/policies/{id}/draft", Needs: company.SettingsRead, serve: c.policyDraft},
		{Method: "POST", Pattern: "/policies/{id}/publish", Needs: company.SettingsWrite, Max: maxBody + record.MaxEnvelope, serve: c.publishPolicy},
		{Method: "POST", Pattern: "/policies/{id}/name", Needs: company.SettingsWrite, serve: c.namePolicy},
		{Method: "POST", Pattern: "/policies/{id}/delete", Needs: company.SettingsWrite, serve: c.deletePolicy},
		{Method: "POST", Pattern: "/policies/{id}/assign", Needs: company.SettingsWrite, serve: c.assignPolicy},
		{Method: "GET", Pattern: "/modules", Needs: company.SettingsRead, Menu: "console.modules", In: InModules, serve: c.modules},
		{Method: "POST", Pattern: "/modules", Needs: company.SettingsWrite, serve: c.newModule},
		{Method: "GET", Pattern: "/modules/{id}", Needs: company.SettingsRead, serve: c.module},
		{Method: "POST", Pattern: "/modules/{id}", Needs: company.SettingsWrite, serve: c.switchModule},
		{Method: "GET", Pattern: "/modules/{id}/file", Needs: company.SettingsRead, serve: c.moduleFile},
		{Method: "POST", Pattern: "/modules/{id}/revoke", Needs: company.SettingsWrite, serve: c.revokeModule},
		{Method: "GET", Pattern: "/users", Needs: company.UsersRead, Menu: "console.users", In: InUsers, serve: c.users},
		{Method: "POST", Pattern: "/users", Needs: company.UsersWrite, serve: c.createUser},
		{Method: "POST", Pattern: "/users/log", Needs: company.UsersWrite, serve: c.logUsers},
		{Method: "GET", Pattern: "/users/{id}", Needs: company.UsersRead, serve: c.user},
		{Method: "POST", Pattern: "/users/{id}", Needs: company.UsersWrite, serve: c.changeUser},
		{Method: "POST", Pattern: "/users/{id}/invite", Needs: company.UsersWrite, serve: c.inviteUser},
		{Method: "POST", Pattern: "/users/{id}/disable", Needs: company.UsersWrite, serve: c.disableUser},
		{Method: "POST", Pattern: "/users/{id}/enable", Needs: company.UsersWrite, serve: c.enableUser},
	}, c.integrationRoutes(), []Route{
		{Method: "GET", Pattern: "/insights", Needs: company.SettingsRead, Menu: "console.insights", In: InAI, serve: c.insights},
		{Method: "POST", Pattern: "/insights/outgoing", Needs: company.SettingsWrite, serve: c.setOutgoing},
		{Method: "POST", Pattern: "/insights/incoming", Needs: company.SettingsWrite, serve: c.setIncoming},
		{Method: "POST", Pattern: "/insights/activate", Needs: company.SettingsWrite, serve: c.activate},
		{Method: "POST", Pattern: "/insights/deactivate", Needs: company.SettingsWrite, serve: c.deactivate},
	}, c.creditRoutes(), c.engineRoutes(), []Route{
		{Method: "GET", Pattern: "/tokens", Needs: company.TokensWrite, Menu: "console.tokens", In: InSettings, serve: c.tokens},
		{Method: "POST", Pattern: "/tokens", Needs: company.TokensWrite, serve: c.createToken},
		{Method: "POST", Pattern: "/tokens/{id}/revoke", Needs: company.TokensWrite, serve: c.revokeToken},
		{Method: "GET", Pattern: "/history", Needs: company.SettingsRead, Menu: "console.history", In: InSettings, serve: c.history},
		{Method: "POST", Pattern: "/history/{number}/undo", Needs: company.SettingsWrite, serve: c.undo},
		{Method: "GET", Pattern: "/audit", Needs: company.AuditRead, Menu: "console.audit", In: InSettings, serve: c.audit},
		{Method: "POST", Pattern: "/audit/verify", Needs: company.AuditRead, serve: c.auditVerify},
		{Method: "GET", Pattern: "/audit/export", Needs: company.AuditRead, serve: c.auditExport},
		{Method: "POST", Pattern: "/users/sees", Needs: company.SettingsWrite, serve: c.setSees},
		{Method: "GET", Pattern: "/welcome", Needs: company.Own, serve: c.welcome},
		{Method: "POST", Pattern: "/welcome", Needs: company.SettingsWrite, serve: c.setUp},
		{Method: "GET", Pattern: "/me", Needs: company.Own, serve: c.me},
		{Method: "POST", Pattern: "/me/password", Needs: company.Own, serve: c.changePassword},
		{Method: "POST", Pattern: "/me/browsers", Needs: company.Own, serve: c.endBrowsers},
		{Method: "POST", Pattern: "/glass/{id}", Needs: company.UsersWrite, serve: c.glassSeen},
		{Method: "GET", Pattern: company.ApprovePath, Needs: company.Own, Menu: "console.account.short", In: InDevices, serve: c.account},
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
		{Method: "GET", Pattern: "/static/htmx.js", open: c.script("static/htmx.js")},
		{Method: "GET", Pattern: "/static/console.js", open: c.script("static/console.js")},
		{Method: "GET", Pattern: "/static/icon.png", open: icon},
		{Method: "GET", Pattern: "/favicon.ico", open: icon},
	})
}

// Routes is the table, for who checks it: the end of a pattern {ref} stands for
// anything.
func (c *Console) Routes() []Route { return c.routes() }
