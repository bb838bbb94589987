package main

import "runtime/debug"

// trim gives memory back that only the start or a burst needed.
func trim() { debug.FreeOSMemory() }
