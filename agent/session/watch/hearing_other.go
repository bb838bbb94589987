//go:build !linux

package watch

// runningTools lists none: programs are not followed on this system.
func runningTools() []Hearing { return nil }
