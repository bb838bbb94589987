// Package systemd proves, in a throw-away Debian with a real systemd, logind
// and OpenSSH, that the installed service does what it should: it starts,
// survives being killed, hears of logins, stops and is removed.
//
// The one rule that must not be broken: nothing of the host is touched; all
// that is installed and started is within the container, which is deleted.
//
// The test is built with the tag e2e and run by make e2e, as root. The script
// guest.sh is what runs inside; nspawn-debian.sh makes the container and can be
// used by hand.
package systemd
