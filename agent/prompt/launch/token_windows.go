//go:build !wine

package launch

import (
	"os"

	"golang.org/x/sys/windows"
)

// tokenOf is the token of the user who has signed in to a session.
func tokenOf(session uint32) (windows.Token, error) {
	var t windows.Token
	if err := windows.WTSQueryUserToken(session, &t); err != nil {
		return 0, os.NewSyscallError("WTSQueryUserToken", err)
	}
	return limited(t)
}
