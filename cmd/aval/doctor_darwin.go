package main

// clockSynchronised is not known here.
func clockSynchronised() (yes, known bool) { return false, false }
