package ipc

// Role is what a peer's kernel identity makes of it.
type Role int

// The roles. The zero value may do nothing.
const (
	RoleNone  Role = iota
	RoleUser       // any local user: only what is their own
	RoleAdmin      // root, or the user that the agent itself runs as
)

// methods is the whole table of who may call what; a method that is not in it
// is refused. "Own" things (settings, sessions, desktops, questions) are told
// apart by the handlers, by the peer's user id.
var methods = map[Method]Role{
	MethodHello:  RoleUser,
	MethodStatus: RoleUser,

	MethodSettingsGet: RoleUser, // own value
	MethodSettingsSet: RoleUser, // own value
	MethodPolicyShow:  RoleUser,
	MethodWatch:       RoleUser, // told only of what they may see
	MethodWelcome:     RoleUser, // own

	MethodSessionBegin: RoleUser, // desktops of the own user, unless admin
	MethodSessionEvent: RoleUser, // own sessions
	MethodSessionEnd:   RoleUser, // own sessions
	MethodSessionJoin:  RoleUser, // desktops of the own user, unless admin
	MethodSessionOpen:  RoleUser, // as join, and in a module alone
	MethodSessionList:  RoleUser, // own sessions and own desktops, unless admin
	MethodSessionPAM:   RoleAdmin,

	MethodRecordingControl: RoleUser, // sessions on the own desktop, unless admin

	MethodConsentList:     RoleUser, // own, unless admin
	MethodConsentShow:     RoleUser,
	MethodConsentSummary:  RoleUser, // as show
	MethodConsentReceipt:  RoleUser, // as show
	MethodConsentWithdraw: RoleUser,
	MethodSent:            RoleUser,

	MethodEnroll:   RoleAdmin,
	MethodUnenroll: RoleAdmin,
	MethodSignIn:   RoleUser, // for the own desktop alone
	MethodSignOut:  RoleUser, // own, unless admin

	MethodDesktopRegister:  RoleUser,
	MethodDesktopIndicator: RoleUser, // the connection that registered
	MethodDesktopAlive:     RoleUser,
	MethodDesktopEvent:     RoleUser,
	MethodDesktopPrompt:    RoleUser,
	MethodDesktopHeard:     RoleUser,

	MethodNoticeGet:   RoleUser, // sessions on the own desktop, unless admin
	MethodNoticeShown: RoleUser,

	MethodQuestionClaim:  RoleUser, // user of the desktop asked, with the nonce
	MethodQuestionShown:  RoleUser, // the connection that claimed
	MethodQuestionAnswer: RoleUser,
}

// May tells whether a peer in role r may call m at all.
func May(r Role, m Method) bool {
	need, ok := methods[m]
	return ok && r != RoleNone && r >= need
}
