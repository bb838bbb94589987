package service

import "golang.org/x/sys/windows/svc"

// runSystem runs under the service manager with session changes, which kardianos
// does not ask for, and in a terminal as kardianos does.
func (s *Service) runSystem() error {
	if interactive() {
		return s.svc.Run()
	}
	return svc.Run(Name, &handler{s})
}

// handler answers the service manager (svc.Handler).
type handler struct{ s *Service }

// stopped and notStarted are exit codes of our own.
const (
	notStarted = 1
	notStopped = 2
)

// Execute implements svc.Handler.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown | svc.AcceptSessionChange
	status <- svc.Status{State: svc.StartPending}
	if err := h.s.prog.Start(h.s.svc); err != nil {
		return true, notStarted
	}
	status <- svc.Status{State: svc.Running, Accepts: accepts}
	for {
		select {
		case <-h.s.prog.done: // ended by itself
			if h.s.prog.err != nil {
				return true, notStopped
			}
			return false, 0
		case c := <-requests:
			switch c.Cmd {
			case svc.Interrogate:
				status <- c.CurrentStatus
			case svc.SessionChange:
				h.s.changed()
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				if err := h.s.prog.Stop(h.s.svc); err != nil {
					return true, notStopped
				}
				return false, 0
			}
		}
	}
}

// changed passes on that there was a change. Which one it was is in memory that the
// system may have freed by now: who is told looks at the whole.
func (s *Service) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.changes {
		select {
		case c <- struct{}{}:
		default: // one is waiting already
		}
	}
}
