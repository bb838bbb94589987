//go:build !linux

package main

// clockSynchronised is not known here.
func clockSynchronised() (yes, known bool) { return false, false }

// toolsHeard lists none: there is no watcher of remote tools here.
func toolsHeard() []heard { return nil }
