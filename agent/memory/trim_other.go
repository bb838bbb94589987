//go:build !linux

package memory

import "runtime/debug"

// Trim gives free heap back that only the start or a burst needed.
func Trim() { debug.FreeOSMemory() }
