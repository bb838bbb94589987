package watch

// hearable are the tools whose logs and events are followed on this system.
var hearable = []string{ToolMeshCentral, ToolRDP, ToolTeamViewer, ToolAnyDesk, ToolRustDesk, ToolChrome, ToolSplashtop, ToolScreenConnect}
