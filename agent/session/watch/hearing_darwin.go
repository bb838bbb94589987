package watch

// hearable are the tools whose logs are followed on this system.
var hearable = []string{ToolMeshCentral, ToolTeamViewer, ToolAnyDesk, ToolRustDesk, ToolChrome}
