//go:build !linux

package watch

import "context"

// X11VNCDisplay cannot tell on this system yet.
func X11VNCDisplay(int) string { return "" }

// ConfirmX11VNC cannot tell on this system yet.
func ConfirmX11VNC(context.Context, int, string) (alive, known bool) { return false, false }

// X11VNCServers lists none.
func X11VNCServers() []X11VNCServer { return nil }

// X11VNCClients lists none.
func X11VNCClients(context.Context, X11VNCServer) ([]X11VNCClient, error) { return nil, nil }
