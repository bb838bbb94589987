//go:build unix

package service

// The paths of an installed service.
const (
	DefaultStateDir  = "/var/lib/aval"
	DefaultSocket    = "/run/aval/agent.sock"
	DefaultPolicyDir = "/etc/aval/policies"
	DefaultTokenDir  = "/etc/aval/enroll.d"
)

// StartsHelpers: the user's own manager starts aval-desktop.
const StartsHelpers = false
