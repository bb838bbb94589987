package assets

import "cmp"

// Locale is what the person at the computer wants to read, best first, in the
// form that For takes: of this process's user, so the service must not ask it
// for a question to somebody else. Empty: not known.
func Locale() string { return locale() }

// posix is the locale for messages as GNU gettext reads the environment
// ("Locale Environment Variables"): LANGUAGE counts only where the locale is not C.
func posix(getenv func(string) string) string {
	one := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))
	list := getenv("LANGUAGE")
	switch {
	case one == "" || one == "C" || one == "POSIX" || list == "":
		return one
	}
	return list + ":" + one
}
