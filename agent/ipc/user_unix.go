//go:build unix

package ipc

import (
	"os/user"
	"strconv"
)

// LookupUser finds the account of a user id.
func LookupUser(id uint32) (*user.User, error) { return user.LookupId(strconv.Itoa(int(id))) }
