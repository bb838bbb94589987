//go:build windows && wine

package watch

import (
	"os/user"
	"strings"
)

// desktopSessions is the one desktop of Wine, which lists none: this file is built
// into the programs of tests alone (build tag wine).
func desktopSessions() (map[uint32]wtsSession, error) {
	u, err := user.Current()
	if err != nil {
		return nil, err
	}
	domain, name, _ := strings.Cut(u.Username, `\`)
	return map[uint32]wtsSession{1: {active: true, user: name, domain: domain}}, nil
}
