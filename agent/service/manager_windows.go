//go:build !wine

package service

import "github.com/kardianos/service"

// interactive tells that it was not the service manager that started this process.
func interactive() bool { return service.Interactive() }
