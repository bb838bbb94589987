//go:build unix

package agent

// DefaultPolicyDir is where administrators and their tools put policy files.
const DefaultPolicyDir = "/etc/aval/policies"
