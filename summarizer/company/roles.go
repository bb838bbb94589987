package company

import "slices"

// Role is what somebody may do in a company; each user has one.
type Role string

// The roles.
const (
	Viewer        Role = "viewer"        // reads sessions and summaries
	Supporter     Role = "supporter"     // and makes session codes, announces sessions
	Editor        Role = "editor"        // reads, edits and deletes summaries
	Administrator Role = "administrator" // everything
	Auditor       Role = "auditor"       // reads everything and changes nothing
	Billing       Role = "billing"       // credits and the licence
)

// Roles lists all roles, in the order in which people are shown them.
func Roles() []Role { return []Role{Viewer, Supporter, Editor, Auditor, Billing, Administrator} }

// Permission is one kind of access. The scopes of API tokens are the same words.
type Permission string

// The permissions. "own" is what everybody has who is signed in: their own
// profile, sessions and language.
const (
	Own               Permission = "own"
	SessionsRead      Permission = "sessions:read" // sessions, decisions, events, records
	SummariesRead     Permission = "summaries:read"
	SummariesWrite    Permission = "summaries:write" // edit, delete, regenerate
	CodesWrite        Permission = "codes:write"     // session codes and announcements
	DevicesRead       Permission = "devices:read"
	DevicesWrite      Permission = "devices:write"
	SettingsRead      Permission = "settings:read" // options, policies, modules
	SettingsWrite     Permission = "settings:write"
	UsersRead         Permission = "users:read"
	UsersWrite        Permission = "users:write"
	TokensWrite       Permission = "tokens:write" // enrolment and API tokens
	CreditsRead       Permission = "credits:read"
	CreditsWrite      Permission = "credits:write"
	IntegrationsRead  Permission = "integrations:read"
	IntegrationsWrite Permission = "integrations:write"
	AuditRead         Permission = "audit:read"
)

// Permissions lists all permissions.
func Permissions() []Permission {
	return []Permission{Own, SessionsRead, SummariesRead, SummariesWrite, CodesWrite, DevicesRead, DevicesWrite, SettingsRead, SettingsWrite,
		UsersRead, UsersWrite, TokensWrite, CreditsRead, CreditsWrite, IntegrationsRead, IntegrationsWrite, AuditRead}
}

// may is the whole table of roles; an administrator has every permission.
var may = map[Role][]Permission{
	Viewer:    {Own, SessionsRead, SummariesRead},
	Supporter: {Own, SessionsRead, SummariesRead, CodesWrite},
	Editor:    {Own, SessionsRead, SummariesRead, SummariesWrite, CodesWrite},
	Auditor: {Own, SessionsRead, SummariesRead, DevicesRead, SettingsRead, UsersRead, CreditsRead, IntegrationsRead,
		AuditRead},
	Billing:       {Own, CreditsRead, CreditsWrite},
	Administrator: Permissions(),
}

// May tells whether a role includes a permission. An unknown role has none.
func (r Role) May(p Permission) bool { return slices.Contains(may[r], p) }

// Valid tells whether r is one of the roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// ActorKind says what sort of actor somebody is.
type ActorKind string

// The kinds of actor.
const (
	KindServer  ActorKind = "server"  // the program itself
	KindCommand ActorKind = "command" // somebody at the server's command line
	KindLink    ActorKind = "link"    // a browser that came by an administrator link
	KindUser    ActorKind = "user"
	KindToken   ActorKind = "token" // a program with an API token
	KindDevice  ActorKind = "device"
)

// Actor is who does something, as the audit names them.
type Actor struct {
	Kind ActorKind
	ID   string // of the user, token or device; empty for the others
	Name string // as people read it; may be empty
	Role Role   // what they may do
}

// Actors without an id.
var (
	Server  = Actor{Kind: KindServer}
	Command = Actor{Kind: KindCommand, Role: Administrator}
	Link    = Actor{Kind: KindLink, Role: Administrator}
)

// String is the actor as it stands in the audit: KIND or KIND:ID.
func (a Actor) String() string {
	if a.ID == "" {
		return string(a.Kind)
	}
	return string(a.Kind) + ":" + a.ID
}
