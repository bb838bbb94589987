//go:build !linux

package service

// Group is none: programs are told in other ways.
const Group = ""

// setGroup: programs are told by their group on Linux only.
func setGroup(string) error { return nil }

func unsetGroup(string) error { return nil }
