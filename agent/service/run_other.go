//go:build !windows

package service

// runSystem runs under the service manager, or in a terminal.
func (s *Service) runSystem() error { return s.svc.Run() }
