//go:build !windows

package agent

// helpers are none: the user's own manager starts aval-desktop.
type helpers struct{}

func (helpers) started(int) bool { return false }

func (a *Agent) tendHelpers() {}

func (a *Agent) endHelpers() {}
