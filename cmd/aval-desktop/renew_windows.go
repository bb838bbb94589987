package main

import "errors"

// renewable: on Windows the service starts this program, and does so anew when it
// was upgraded.
func renewable(string) bool { return false }

func renew(string) error { return errors.New("the service does that") }
