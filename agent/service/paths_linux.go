package service

// The paths of an installed service.
const (
	DefaultStateDir  = "/var/lib/aval"
	DefaultSocket    = "/run/aval/agent.sock"
	DefaultPolicyDir = "/etc/aval/policies"
	DefaultTokenDir  = "/etc/aval/enroll.d"
)

// ShippedList is a package's list of its own files, as aval doctor reads it.
const ShippedList = "/usr/share/aval/files"

// StartsHelpers: the user's own manager starts aval-desktop.
const StartsHelpers = false
