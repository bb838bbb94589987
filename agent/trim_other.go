//go:build !linux

package agent

import "runtime/debug"

// trim gives free heap back that only the start or a burst needed.
func trim() { debug.FreeOSMemory() }
