package service

// The paths of an installed service (hier(7)): there is no /run and no /var/lib, and
// what is in /var/run goes at each start of the computer.
const (
	DefaultStateDir  = "/var/db/aval"
	DefaultSocket    = "/var/run/aval/agent.sock"
	DefaultPolicyDir = "/etc/aval/policies"
	DefaultTokenDir  = "/etc/aval/enroll.d"
)

// ShippedList is a package's list of its own files, as aval doctor reads it.
const ShippedList = MacFolder + "/files"

// StartsHelpers: the user's own manager starts aval-desktop.
const StartsHelpers = false
