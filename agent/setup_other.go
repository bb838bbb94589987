//go:build !windows

package agent

// takeSetup: packages of this system bring files, and no properties.
func (a *Agent) takeSetup() {}
