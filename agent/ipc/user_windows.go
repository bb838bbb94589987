package ipc

import "os/user"

// LookupUser finds the account that a number stands for, of those that were met.
func LookupUser(id uint32) (*user.User, error) {
	sid, ok := sidOf(id)
	if !ok {
		return nil, user.UnknownUserIdError(int(id))
	}
	return user.LookupId(sid)
}

// sidOf is the account that a number stands for, of those that were met.
func sidOf(id uint32) (string, bool) {
	if id == 0 {
		return sidSystem, true
	}
	users.Lock()
	defer users.Unlock()
	sid, ok := users.sid[id]
	return sid, ok
}
