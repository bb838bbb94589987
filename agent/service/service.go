// Package service runs Aval under the system's service manager, and installs,
// starts, stops and removes it there, through kardianos/service.
//
// The one rule that must not be broken: the installed service has the rights
// that unit_linux.go lists and explains, and no others.
package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/kardianos/service"
)

// Name of the service, and of its unit.
const Name = "aval"

// StopLimit is how long a stopping service may take; then it ends anyway.
const StopLimit = 5 * time.Second

// Options are the paths that the installed service is started with; an empty
// one, or the default, is not written into its command line.
type Options struct {
	StateDir  string
	Socket    string
	PolicyDir string
}

// State is what the service manager says of the service.
type State string

// The states.
const (
	Running      State = "running"
	Stopped      State = "stopped"
	NotInstalled State = "not-installed"
	Failed       State = "failed"
)

// ErrNotInstalled: there is no service to start or stop.
var ErrNotInstalled = errors.New("the service is not installed: run aval install first")

// SessionChanges returns a channel that tells, while the service runs on Windows,
// that its desktop sessions have changed (SERVICE_CONTROL_SESSIONCHANGE); several
// changes may be one. Each caller gets its own. Elsewhere nothing comes.
func (s *Service) SessionChanges() <-chan struct{} {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, c)
	return c
}

// Service is Aval as a service. Make it with New.
type Service struct {
	opts Options
	exe  string
	prog *program
	svc  service.Service

	mu      sync.Mutex // guards changes
	changes []chan<- struct{}
}

// New makes a service that runs run; run may be nil for a Service that only
// installs, starts or stops. run must return soon after its context has ended.
func New(run func(ctx context.Context) error, o Options) (*Service, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	s := &Service{opts: o, prog: &program{run: run, done: make(chan struct{})}}
	if s.exe, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	cfg := &service.Config{
		Name:        Name,
		DisplayName: "Aval",
		Description: "Aval: summaries of remote support, with the word of the person at the computer",
		Executable:  s.exe,
		Arguments:   append([]string{"run"}, o.arguments()...),
		Option:      service.KeyValue{"RunWait": s.prog.wait},
	}
	if err := configure(cfg, o); err != nil {
		return nil, err
	}
	s.svc, err = service.New(s.prog, cfg)
	if err != nil {
		return nil, fmt.Errorf("find the service manager: %w", err)
	}
	return s, nil
}

// checked makes the paths absolute and refuses those that cannot be written
// into a unit, or that the service would not see.
func (o Options) checked() (Options, error) {
	for _, p := range []*string{&o.StateDir, &o.Socket, &o.PolicyDir} {
		if *p == "" || *p == DefaultPolicyDir { // which is no path on Windows
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return o, fmt.Errorf("find path %q: %w", *p, err)
		}
		*p = abs
	}
	return o, nil
}

// arguments are the flags for paths that are not the default.
func (o Options) arguments() []string {
	var args []string
	for _, f := range []struct{ name, value, usual string }{
		{"--state-dir", o.StateDir, DefaultStateDir},
		{"--socket", o.Socket, DefaultSocket},
		{"--policy-dir", o.PolicyDir, DefaultPolicyDir},
	} {
		if f.value != "" && f.value != f.usual {
			args = append(args, f.name, f.value)
		}
	}
	if Group != "" && o.StateDir != "" && o.StateDir != DefaultStateDir {
		args = append(args, "--group", Group) // with another folder it is a trial otherwise
	}
	return args
}

// Run runs the service until ctx ends, the service manager or a signal (SIGTERM,
// SIGINT) stops it, or run ends by itself; then it returns run's error. A run
// that has not ended StopLimit after it was told to is given up with an error.
func (s *Service) Run(ctx context.Context) error {
	if s.prog.run == nil {
		return errors.New("run service: nothing to run")
	}
	s.prog.outer = ctx
	err := s.runSystem()
	select {
	case <-s.prog.done:
		return s.prog.err
	default:
		return err
	}
}

// Install registers the service with the service manager, to be started at boot.
func (s *Service) Install() error {
	if err := administrator(); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if err := packaged(); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if err := s.prepare(); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if err := setGroup(filepath.Dir(s.exe)); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	if err := s.svc.Install(); err != nil {
		return fmt.Errorf("install service: %w", err)
	}
	return nil
}

// Uninstall stops the service and takes it from the service manager. Its data stays.
func (s *Service) Uninstall() error {
	st, err := s.manage("uninstall")
	if err != nil {
		return err
	}
	if err := packaged(); err != nil {
		return fmt.Errorf("uninstall service: %w", err)
	}
	if st == Running {
		if err := s.svc.Stop(); err != nil {
			return fmt.Errorf("stop service: %w", err)
		}
	}
	if err := s.svc.Uninstall(); err != nil {
		return fmt.Errorf("uninstall service: %w", err)
	}
	if err := unsetGroup(filepath.Dir(s.exe)); err != nil {
		return fmt.Errorf("uninstall service: %w", err)
	}
	return nil
}

// Start starts the installed service and waits until it says that it is ready.
func (s *Service) Start() error {
	if _, err := s.manage("start"); err != nil {
		return err
	}
	if err := s.svc.Start(); err != nil {
		return fmt.Errorf("start service: %w: %s", err, logHint)
	}
	return nil
}

// Stop stops the service and waits for its end.
func (s *Service) Stop() error {
	if _, err := s.manage("stop"); err != nil {
		return err
	}
	if err := s.svc.Stop(); err != nil {
		return fmt.Errorf("stop service: %w: %s", err, logHint)
	}
	return nil
}

// Status asks the service manager.
func (s *Service) Status() (State, error) {
	st, err := s.svc.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return NotInstalled, nil
	case err != nil && err.Error() == "service in failed state": // kardianos has no value for it
		return Failed, nil
	case err != nil:
		return "", fmt.Errorf("ask the service manager: %w", err)
	case st == service.StatusRunning:
		return Running, nil
	}
	return Stopped, nil
}

// manage checks that there is a service and that the caller may manage it.
func (s *Service) manage(verb string) (State, error) {
	if err := administrator(); err != nil {
		return "", fmt.Errorf("%s service: %w", verb, err)
	}
	st, err := s.Status()
	if err != nil {
		return "", fmt.Errorf("%s service: %w", verb, err)
	}
	if st == NotInstalled {
		return "", fmt.Errorf("%s service: %w", verb, ErrNotInstalled)
	}
	return st, nil
}

// administrator refuses users other than root; the service manager decides on Windows.
func administrator() error {
	if os.Geteuid() > 0 {
		return fmt.Errorf("only root may do that: %w", os.ErrPermission)
	}
	return nil
}

// program is what kardianos drives.
type program struct {
	run    func(ctx context.Context) error
	outer  context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	err    error         // of run; valid once done is closed
}

var _ service.Interface = (*program)(nil)

// Start implements service.Interface: it must return at once.
func (p *program) Start(service.Service) error {
	ctx, cancel := context.WithCancel(p.outer)
	p.cancel = cancel
	go func() {
		p.err = p.run(ctx)
		close(p.done)
		ended(p.err)
	}()
	return nil
}

// Stop implements service.Interface.
func (p *program) Stop(service.Service) error {
	notify("STOPPING=1")
	p.cancel()
	select {
	case <-p.done:
		return p.err
	case <-time.After(StopLimit):
		return fmt.Errorf("stop service: not ended after %s", StopLimit)
	}
}

// wait returns when the service shall stop, or has.
func (p *program) wait() {
	ctx, stop := signal.NotifyContext(p.outer, os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case <-ctx.Done():
	case <-p.done:
	}
}
