// Package session is what a remote session is: its name, who connected to which
// desktop, and where it was learnt. Its sub-package watch hears of sessions from
// the remote tools.
//
// The one rule that must not be broken: everything a tool or a caller says of a
// session is hearsay; it is checked for form, shown as what it is, and never
// counts as an identity.
package session

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of names, in bytes.
const (
	MaxTool      = 64
	MaxID        = 128
	MaxSupporter = 128
	MaxAddress   = 128
)

// Session is one remote connection to this computer. Its JSON form is what the
// store keeps for a restart of the service.
type Session struct {
	// Name is TOOL/ID, unique for ever on this computer.
	Name string `json:"name"`
	// Asked is the id as the caller gave it: later calls name the session by it.
	Asked     string `json:"asked"`
	Tool      string `json:"tool"`
	Supporter string `json:"supporter"`
	Address   string `json:"address,omitempty"`
	// Verified: a company's signature vouches for the supporter.
	Verified bool `json:"verified,omitempty"`
	// Identity shows that two sessions are of the same supporter; empty: the name
	// is only claimed. See record.Decided.SupporterID.
	Identity string `json:"identity,omitempty"`
	// Guest is the device id under which a company asks about it by a session
	// code; empty: the company that this computer is enrolled with, if any.
	Guest string `json:"guest,omitempty"`
	// Request is the id of the company's announcement that it is; empty: none.
	// Unlogged: that says that the supporter's sessions are not summarised.
	Request  string `json:"request,omitempty"`
	Unlogged bool   `json:"unlogged,omitempty"`
	// Owner is the user who began it; only they may add to it or end it.
	Owner uint32 `json:"owner"`
	// Watcher is the name of the watcher that found it; only it may end it.
	Watcher string `json:"watcher,omitempty"`
	// Desktop is the desktop session viewed, as the caller named it; empty: unknown.
	Desktop string `json:"desktop,omitempty"`
	// Login is the account logged into by a terminal session; the desktops asked
	// are those of that account.
	Login *Login `json:"login,omitempty"`
	// Kinds are what the supporter may do, as the tool says it: view, control,
	// terminal, files; empty: not known.
	Kinds []string `json:"kinds,omitempty"`
	// PID is a process whose end ends the session, with its start time in clock
	// ticks; 0: none.
	PID      int       `json:"pid,omitempty"`
	PIDStart uint64    `json:"pid_start,omitempty"`
	Started  time.Time `json:"started"`
}

// Login is a terminal login.
type Login struct {
	User   string `json:"user"`
	UID    uint32 `json:"uid"`
	Leader int    `json:"leader"` // process id of the login's first process
}

// Name joins tool and id, after checking both: tools are letters, digits and
// . _ -; ids also : @ + = ~ and commas.
func Name(tool, id string) (string, error) {
	if err := word("tool", tool, MaxTool, "._-"); err != nil {
		return "", err
	}
	if err := word("id", id, MaxID, "._-:@+=~,"); err != nil {
		return "", err
	}
	return tool + "/" + id, nil
}

func word(what, s string, most int, extra string) error {
	if s == "" || len(s) > most {
		return fmt.Errorf("%s must have 1 to %d characters", what, most)
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(extra, r) {
			return fmt.Errorf("%s %q may only hold letters, digits and %s", what, s, extra)
		}
	}
	return nil
}

// Clean makes a text from outside fit for one line: no control, format or
// invisible characters, at most most bytes, cut at a character.
func Clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
