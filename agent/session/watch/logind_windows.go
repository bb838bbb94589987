package watch

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"aval/agent/ipc"
)

// Logind is Windows' own list of desktop sessions, in the words of logind.
type Logind struct {
	log     *slog.Logger
	changes <-chan struct{}
}

// NewLogind returns the list. changes tells that it may have changed: the service
// manager says so (SERVICE_CONTROL_SESSIONCHANGE); nil: nobody tells.
func NewLogind(log *slog.Logger, changes <-chan struct{}) (*Logind, error) {
	return &Logind{log, changes}, nil
}

// Close does nothing: there is no connection.
func (*Logind) Close() error { return nil }

// Watch calls changed at once and after each change, until ctx ends.
func (l *Logind) Watch(ctx context.Context, changed func()) error {
	for {
		changed()
		select {
		case <-ctx.Done():
			return nil
		case <-l.changes:
		}
	}
}

// unknownUser stands for an account that the system does not name: it is nobody's
// number, so that such a session has a desktop that cannot be asked.
const unknownUser = ^uint32(0)

// Sessions lists the sessions in which somebody has signed in.
func (l *Logind) Sessions(context.Context) ([]LogindSession, error) {
	all, err := desktopSessions()
	if err != nil {
		return nil, fmt.Errorf("list desktop sessions: %w", err)
	}
	glass, err := glassSession()
	if err != nil {
		l.log.Debug("which session is on this computer's screen is not known", "err", err)
	}
	var out []LogindSession
	for id, w := range all {
		if w.user == "" {
			continue
		}
		out = append(out, listedSession(id, w, err == nil && id == glass, userOf(id, w)))
	}
	return out, nil
}

// listedSession puts what the system says into the words of logind.
func listedSession(id uint32, w wtsSession, glass bool, uid uint32) LogindSession {
	s := LogindSession{
		ID: strconv.Itoa(int(id)), UID: uid, User: w.user, Class: "user", Type: TypeWindows, Display: "session-" + strconv.Itoa(int(id)),
		Remote: w.remote, RemoteHost: w.address, State: "online", Active: w.active, Locked: w.locked, Started: time.Time{},
	}
	if w.active {
		s.State = "active"
	}
	if glass && !w.remote {
		s.Seat = "console"
	}
	return s
}

// wtsSessionInfoEx is WTSSessionInfoEx of WTS_INFO_CLASS (wtsapi32.h).
const wtsSessionInfoEx = 25

// lockState reads WTSINFOEX: the level at 0 and, since what follows is aligned to
// 8 bytes, the flags of the session behind its id and its state at 16. Everything
// but the word that it is unlocked counts as locked.
func lockState(raw []byte) (locked bool) {
	const level1, unlocked = 1, 1 // WTS_SESSIONSTATE_UNLOCK
	if len(raw) < 20 || binary.LittleEndian.Uint32(raw) != level1 {
		return true
	}
	return binary.LittleEndian.Uint32(raw[16:]) != unlocked
}

// userOf is the number of a session's user: by its token, which the service of the
// system may see, else by the name.
func userOf(id uint32, w wtsSession) uint32 {
	sid := ""
	var t windows.Token
	if windows.WTSQueryUserToken(id, &t) == nil {
		if u, err := t.GetTokenUser(); err == nil {
			sid = u.User.Sid.String()
		}
		t.Close()
	}
	if sid == "" {
		name := w.user
		if w.domain != "" {
			name = w.domain + `\` + name
		}
		found, _, _, err := windows.LookupSID("", name)
		if err != nil {
			return unknownUser
		}
		sid = found.String()
	}
	uid, err := ipc.UserID(sid)
	if err != nil {
		return unknownUser
	}
	return uid
}

// glassSession is the session on this computer's own screen.
func glassSession() (uint32, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Terminal Server`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return 0, err
	}
	defer k.Close()
	n, _, err := k.GetIntegerValue("GlassSessionId")
	return uint32(n), err
}
