//go:build windows && wine

package service

import "os"

// interactive asks the tests' own variable: Wine's service manager is not in
// session 0, by which a service knows itself elsewhere. This file is built into the
// programs of tests alone (build tag wine).
func interactive() bool { return os.Getenv("AVAL_WINE_TERMINAL") != "" }
