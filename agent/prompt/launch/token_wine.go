//go:build windows && wine

package launch

import "golang.org/x/sys/windows"

// tokenOf is a token of this process's own user: Wine has one session and gives no
// token for it. This file is built into the programs of tests alone (build tag wine).
func tokenOf(uint32) (windows.Token, error) {
	var own, t windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ALL_ACCESS, &own); err != nil {
		return 0, err
	}
	defer own.Close()
	if err := windows.DuplicateTokenEx(own, windows.MAXIMUM_ALLOWED, nil, windows.SecurityIdentification, windows.TokenPrimary, &t); err != nil {
		return 0, err
	}
	return limited(t)
}
