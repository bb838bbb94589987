package capture

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"aval/agent/event"
)

const (
	// servicesEvery is how often the list of services is read, and startEvery how
	// often how they start: the service manager tells of a change only of services
	// that are held open one by one (NotifyServiceStatusChange).
	servicesEvery = time.Second
	startEvery    = 4 * time.Second
	servicesKey   = `SYSTEM\CurrentControlSet\Services`
)

// runServices tells which services are started, stopped, enabled and disabled
// while the session works on services or packages, and which ones fail.
func runServices(ctx context.Context, g *gate, w *work) error {
	man, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return fmt.Errorf("watch services: %w", err)
	}
	defer windows.CloseServiceHandle(man)
	var before map[string]serviceState
	var ranks map[string]int
	var ranked time.Time
	return every(ctx, servicesEvery, func() error {
		now, err := services(man)
		if err != nil {
			return fmt.Errorf("watch services: %w", err)
		}
		if time.Since(ranked) >= startEvery {
			ranks, ranked = serviceRanks(now), time.Now()
		}
		for key, s := range now {
			if s.rank = -1; ranks != nil {
				if r, ok := ranks[key]; ok {
					s.rank = r
				}
			}
			now[key] = s
		}
		if before != nil {
			at := time.Now()
			for _, c := range serviceChanges(before, now) {
				tell := func() {
					g.pass(event.ServiceChanged, at, map[string]string{"action": c.action, "name": c.name})
				}
				if c.any {
					tell()
				} else {
					w.mine(at, tell, servicers, packagers)
				}
			}
		}
		before = now
		return nil
	})
}

// services is the service manager's list (EnumServicesStatusExW), by the
// services' own names. One that is on its way counts as where it comes from.
func services(man windows.Handle) (map[string]serviceState, error) {
	buf := make([]uint64, 32<<10)
	for {
		var need, n, resume uint32
		err := windows.EnumServicesStatusEx(man, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32, windows.SERVICE_STATE_ALL,
			(*byte)(unsafe.Pointer(&buf[0])), uint32(len(buf)*8), &need, &n, &resume, nil)
		if errors.Is(err, windows.ERROR_MORE_DATA) && len(buf) < 1<<20 {
			buf = make([]uint64, 2*len(buf))
			continue
		}
		if err != nil {
			return nil, err
		}
		out := make(map[string]serviceState, n)
		for _, e := range unsafe.Slice((*windows.ENUM_SERVICE_STATUS_PROCESS)(unsafe.Pointer(&buf[0])), n) {
			s := e.ServiceStatusProcess
			const neverStarted = 1077 // ERROR_SERVICE_NEVER_STARTED
			out[windows.UTF16PtrToString(e.ServiceName)] = serviceState{
				name:    windows.UTF16PtrToString(e.DisplayName),
				running: s.CurrentState != windows.SERVICE_STOPPED && s.CurrentState != windows.SERVICE_START_PENDING,
				process: s.ProcessId,
				failed:  s.CurrentState == windows.SERVICE_STOPPED && s.Win32ExitCode != 0 && s.Win32ExitCode != neverStarted,
			}
		}
		return out, nil
	}
}

// serviceRanks reads how readily services start: the value Start of each
// (CreateServiceW, dwStartType).
func serviceRanks(of map[string]serviceState) map[string]int {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, servicesKey, registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return nil
	}
	defer k.Close()
	out := make(map[string]int, len(of))
	for name := range of {
		s, err := registry.OpenKey(k, name, registry.QUERY_VALUE|registry.WOW64_64KEY)
		if err != nil {
			continue
		}
		if n, _, err := s.GetIntegerValue("Start"); err == nil {
			switch n {
			case windows.SERVICE_DISABLED:
				out[name] = 0
			case windows.SERVICE_DEMAND_START:
				out[name] = 1
			default:
				out[name] = 2
			}
		}
		s.Close()
	}
	return out
}
