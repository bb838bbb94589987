//go:build !linux

package watch

// hearable are the tools whose logs are followed on this system.
var hearable = []string{ToolTeamViewer, ToolAnyDesk, ToolRustDesk, ToolChrome}

// runningTools lists none: programs are not followed on this system.
func runningTools() []Hearing { return nil }
