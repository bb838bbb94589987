package ipc

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

func sizeOf[T any](v T) uintptr { return unsafe.Sizeof(v) }

// clockSlack is how much later than its connection a process may seem to have
// begun: the two times are taken by different clocks of the system.
const clockSlack = 50 * time.Millisecond

// peerOf asks the kernel who is at the other end: the process that opened the
// pipe, and whose it is. A process that began after the connection was made has
// the id of one that is gone, and is not the peer.
func peerOf(conn net.Conn) (Peer, error) {
	c, ok := conn.(*pipeConn)
	if !ok || c.h == 0 {
		return Peer{}, fmt.Errorf("peer: %T has no credentials", conn)
	}
	var pid, session uint32
	if err := windows.GetNamedPipeClientProcessId(c.h, &pid); err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	if ok, _, err := procSession.Call(uintptr(c.h), uintptr(unsafe.Pointer(&session))); ok == 0 {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	of, err := whoIs(pid)
	if err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	if of.began.After(c.at.Add(clockSlack)) {
		return Peer{}, fmt.Errorf("peer: process %d has ended", pid)
	}
	uid, err := UserID(of.sid)
	if err != nil {
		return Peer{}, fmt.Errorf("peer: %w", err)
	}
	return Peer{valid: true, UID: uid, PID: int(pid), Session: strconv.Itoa(int(session)), admin: of.admin || of.self}, nil
}

// confirm compares the identity in which the client speaks with that of its
// process. It can be asked once something was read (Microsoft Learn,
// ImpersonateNamedPipeClient), and fails for a client that hides it.
func (c *pipeConn) confirm(p Peer) error {
	if c.h == 0 {
		return nil
	}
	runtime.LockOSThread()
	if ok, _, err := procImpersonate.Call(uintptr(c.h)); ok == 0 {
		runtime.UnlockOSThread()
		return fmt.Errorf("peer: %w", err)
	}
	sid, err := speaker()
	if rerr := windows.RevertToSelf(); rerr != nil {
		return fmt.Errorf("peer: %w", rerr) // the thread stays locked: it ends with its goroutine
	}
	runtime.UnlockOSThread()
	if err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	if uid, err := UserID(sid); err != nil || uid != p.UID {
		return errors.New("peer: it speaks as another user than its process runs as")
	}
	return nil
}

var (
	procImpersonate = windows.NewLazySystemDLL("advapi32.dll").NewProc("ImpersonateNamedPipeClient")
	procSession     = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetNamedPipeClientSessionId")
)

// speaker is whom this thread acts as.
func speaker() (string, error) {
	var t windows.Token
	if err := windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &t); err != nil {
		return "", err
	}
	defer t.Close()
	u, err := t.GetTokenUser()
	if err != nil {
		return "", err
	}
	return u.User.Sid.String(), nil
}

// process is what is known of one.
type process struct {
	sid   string
	admin bool // the system, or an administrator whose rights are in force
	self  bool // of the user that this process runs as
	began time.Time
}

// whoIs looks at a process. A right that its token only denies by (the filtered
// token of an administrator) is none.
func whoIs(pid uint32) (process, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	defer windows.CloseHandle(h)
	var began, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &began, &ended, &kernel, &user); err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	var t windows.Token
	if err := windows.OpenProcessToken(h, windows.TOKEN_QUERY, &t); err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	defer t.Close()
	u, err := t.GetTokenUser()
	if err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	self, err := ownSID()
	if err != nil {
		return process{}, err
	}
	p := process{sid: u.User.Sid.String(), began: time.Unix(0, began.Nanoseconds())}
	p.self = p.sid == self
	p.admin = p.sid == sidSystem || administers(t)
	return p, nil
}

// administers tells whether a token has the administrators' group in force.
func administers(t windows.Token) bool {
	groups, err := t.GetTokenGroups()
	if err != nil {
		return false
	}
	admins, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return false
	}
	for _, g := range groups.AllGroups() {
		if g.Attributes&windows.SE_GROUP_ENABLED != 0 && g.Attributes&windows.SE_GROUP_USE_FOR_DENY_ONLY == 0 && windows.EqualSid(g.Sid, admins) {
			return true
		}
	}
	return false
}

func ownSID() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("own user: %w", err)
	}
	return u.User.Sid.String(), nil
}
