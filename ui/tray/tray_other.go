//go:build !linux && !windows

package tray

// Open returns None: on macOS the tray belongs to the main thread of a program
// that is linked with its libraries, which this one is not.
func Open(Options) Tray { return None{} }
