package watch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"aval/agent/ipc"

	"github.com/fsnotify/fsnotify"
)

// ToolSSH is the name of sessions that SSH finds.
const ToolSSH = "ssh"

var sshFacts = facts{hears: []string{"begin", "end", "address", "account", "commands"},
	missing: "the key, by which a policy may choose logins", do: "add at the end of /etc/pam.d/sshd: " + HookLine}

const (
	// A terminal is allocated a moment after the login was announced: it is
	// looked for at growing intervals, and then again whenever the system makes
	// a new terminal, as a second shell over the same connection does.
	firstLook = 20 * time.Millisecond
	lastLook  = 2 * time.Second
)

// SSH finds logins over OpenSSH that have a terminal, out of two sources: the
// session list of logind, and the PAM hook, which adds the key. Both together
// make one session, since both name the same process of sshd.
type SSH struct {
	log     *slog.Logger
	sink    Sink
	watched func(Found) bool
	sys     system
	inbox   chan func()
	done    chan struct{}
	// noTerminals leaves out the announcement of new terminals, which tests
	// under a clock of their own cannot wait for.
	noTerminals bool

	// Of the goroutine in Run.
	logins map[int]*login // by leader
	ctx    context.Context
}

// system is what SSH asks the operating system.
type system struct {
	procStart func(pid int) (uint64, bool)
	waitExit  func(ctx context.Context, pid int, start uint64) <-chan struct{}
	terminal  func(leader int) (tty string, uid uint32, gids []uint32)
	started   func(ticks uint64) time.Time
}

// login is one connection that has logged in, with or without a terminal.
type login struct {
	Found
	listed bool // logind has it
	begun  bool // the sink knows it
	look   time.Duration
	timer  *time.Timer
	cancel context.CancelFunc // of the wait for its end
}

// NewSSH makes a watcher. watched says which logins are sessions: it is asked
// when all is known of a login, again when the key becomes known, and after
// Refresh; nil means none. It and sink are called by Run's goroutine.
func NewSSH(log *slog.Logger, sink Sink, watched func(Found) bool) *SSH {
	if watched == nil {
		watched = func(Found) bool { return false }
	}
	return &SSH{
		log: log, sink: sink, watched: watched,
		sys:    system{ProcStart, WaitExit, terminal, started},
		inbox:  make(chan func(), 64),
		done:   make(chan struct{}),
		logins: map[int]*login{},
	}
}

// Run watches until ctx ends; l may be nil: then the PAM hook alone announces
// logins. It may be called once. It calls no End for what still goes on.
func (s *SSH) Run(ctx context.Context, l *Logind) error {
	ctx, cancel := context.WithCancel(ctx)
	defer close(s.done)
	defer cancel()
	s.ctx = ctx
	if l != nil {
		lost := make(chan error, 1)
		go func() {
			lost <- l.Watch(ctx, func() {
				all, err := l.Sessions(ctx)
				if err != nil {
					if ctx.Err() == nil {
						s.log.Warn("read session list", "err", err)
					}
					return // the ends of processes are still heard of
				}
				s.post(func() { s.listed(all) })
			})
		}()
		defer func() { <-lost }()
		defer cancel()
	}
	terminals := s.newTerminals()
	for {
		select {
		case <-ctx.Done():
			for _, l := range s.logins {
				s.forget(l)
			}
			return nil
		case f := <-s.inbox:
			f()
		case <-terminals:
			for _, l := range s.logins {
				if l.TTY == "" {
					s.lookAgain(l)
				}
			}
		}
	}
}

// PAM takes a message of the hook. The caller has made sure that it came from
// root: only sshd itself runs the hook. It does not wait for what comes of it.
func (s *SSH) PAM(m ipc.SessionPAM) { s.post(func() { s.pam(m) }) }

// Refresh asks watched again for logins that are no session yet: after a change
// of the policy.
func (s *SSH) Refresh() {
	s.post(func() {
		for _, l := range s.logins {
			s.maybeBegin(l)
		}
	})
}

func (s *SSH) post(f func()) {
	select {
	case s.inbox <- f:
	case <-s.done:
	}
}

// newTerminals tells of new pseudo terminals; where that is not possible, the
// looks after the login have to do.
func (s *SSH) newTerminals() <-chan struct{} {
	out := make(chan struct{}, 1)
	if s.noTerminals {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		err = w.Add("/dev/pts")
	}
	if err != nil {
		s.log.Info("new terminals are not announced", "err", err)
		if w != nil {
			w.Close()
		}
		return nil
	}
	context.AfterFunc(s.ctx, func() { w.Close() })
	go func() {
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if e.Has(fsnotify.Create) {
					select {
					case out <- struct{}{}:
					default: // one is waiting already
					}
				}
			case _, ok := <-w.Errors:
				if !ok {
					return
				}
			}
		}
	}()
	return out
}

// listed compares the logins with logind's list.
func (s *SSH) listed(all []LogindSession) {
	now := map[int]bool{}
	for _, e := range all {
		if e.Service != "sshd" || e.Class != "user" || e.Leader <= 0 || e.State == "closing" {
			continue
		}
		now[e.Leader] = true
		l := s.login(e.Leader)
		if l == nil {
			continue
		}
		l.listed = true
		l.User, l.UID, l.LogindID = e.User, e.UID, e.ID
		if e.RemoteHost != "" {
			l.Address = e.RemoteHost
		}
		if !e.Started.IsZero() {
			l.StartedAt = e.Started
		}
		s.maybeBegin(l)
	}
	for leader, l := range s.logins {
		if l.listed && !now[leader] {
			s.end(l, Removed)
		}
	}
}

// pam takes a message of the hook.
func (s *SSH) pam(m ipc.SessionPAM) {
	if m.Service != "sshd" {
		return
	}
	if m.Type == "close_session" {
		if l := s.logins[m.ParentPID]; l != nil && l.User == m.User {
			s.end(l, Closed)
		}
		return
	}
	l := s.login(m.ParentPID)
	if l == nil {
		return
	}
	l.KeyFingerprint = fingerprint(m.AuthInfo)
	if l.User == "" {
		l.User = m.User
	}
	if l.LogindID == "" {
		l.LogindID = m.LogindID
	}
	if a := peer(m.Connection); a != "" {
		l.Address = a // the number, where logind may have a name
	} else if l.Address == "" {
		l.Address = m.RHost
	}
	s.maybeBegin(l)
}

// login finds or makes the entry of a leader. nil: there is no such process.
func (s *SSH) login(leader int) *login {
	start, ok := s.sys.procStart(leader)
	l := s.logins[leader]
	if l != nil && ok && l.LeaderStart == start {
		return l
	}
	if l != nil { // the number was used again
		s.end(l, Exited)
	}
	if !ok {
		return nil
	}
	l = &login{Found: Found{
		Tool: ToolSSH, ID: fmt.Sprintf("%d-%d", leader, start), Kinds: []string{Terminal},
		Leader: leader, LeaderStart: start, StartedAt: s.sys.started(start),
	}}
	s.logins[leader] = l
	ctx, cancel := context.WithCancel(s.ctx)
	l.cancel = cancel
	exit := s.sys.waitExit(ctx, leader, start)
	go func() {
		<-exit
		if ctx.Err() == nil {
			s.post(func() {
				if s.logins[leader] == l {
					s.end(l, Exited)
				}
			})
		}
	}()
	s.lookAgain(l)
	return l
}

// lookAgain starts a new series of looks for the terminal.
func (s *SSH) lookAgain(l *login) {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.look = firstLook
	s.arm(l)
}

func (s *SSH) arm(l *login) {
	l.timer = time.AfterFunc(l.look, func() {
		s.post(func() {
			if s.logins[l.Leader] != l || l.TTY != "" {
				return
			}
			s.maybeBegin(l)
			if l.look *= 2; l.TTY == "" && l.look <= lastLook {
				s.arm(l)
			}
		})
	})
}

// maybeBegin tells the sink of a login that has a terminal and is watched.
func (s *SSH) maybeBegin(l *login) {
	if l.begun {
		return
	}
	if l.TTY == "" {
		tty, uid, gids := s.sys.terminal(l.Leader)
		if tty == "" {
			return
		}
		l.TTY, l.GIDs = tty, gids
		if l.listed && l.UID != uid {
			l.GIDs = nil // somebody else's by now
		} else {
			l.UID = uid
		}
	}
	if l.User == "" {
		return
	}
	f := l.Found
	f.Supporter, f.GIDs = f.Address, slices.Clone(l.GIDs)
	if !s.watched(f) {
		return
	}
	l.begun = true
	s.sink.Begin(f)
}

// end forgets a login and tells the sink if it knew it.
func (s *SSH) end(l *login, reason string) {
	s.forget(l)
	if l.begun {
		s.sink.End(l.Tool, l.ID, reason)
	}
}

func (s *SSH) forget(l *login) {
	delete(s.logins, l.Leader)
	l.cancel()
	if l.timer != nil {
		l.timer.Stop()
	}
}
