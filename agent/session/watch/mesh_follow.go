package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// meshAnswer bounds the first words with an agent, which comes from its main loop.
	meshAnswer = 3 * time.Second
	// meshLook is how long the program behind a connection is looked for, which the
	// agent starts a moment before or after it counts the connection; at growing
	// intervals, from meshFirst.
	meshLook  = 2 * time.Second
	meshFirst = 20 * time.Millisecond
	// An agent that does not answer is tried again after this, and then after twice
	// as long each time: its socket takes five programs at most, and anybody's.
	meshAgainFirst = time.Second
	meshAgainLast  = 5 * time.Minute
)

// meshConn is a connection with an agent, by a socket or a pipe.
type meshConn interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// mesh follows one agent of MeshCentral. Its fields belong to Run's goroutine.
type mesh struct {
	t     *Tools
	ctx   context.Context
	s     Server
	conn  meshConn
	heard time.Time // since when
	state meshState
	desks map[string]*meshDesk // by user
	// terms are the terminals of each user, the oldest first; taken is whose
	// program is which: a process of the agent, with its start.
	terms map[string][]*meshTerm
	taken map[int]uint64
	// queue are the terminals whose program is looked for: the agent starts them in
	// the order in which it counts them.
	queue []*meshTerm
}

// meshDesk is one user at the desktop, or at its files.
type meshDesk struct {
	user  string
	kinds []string
	since time.Time
	id    string // empty: the program is still looked for
	over  bool
}

// meshTerm is one terminal of a user.
type meshTerm struct {
	name  string // of who uses it
	since time.Time
	id    string
	own   bool // it has a program, whose end ends it
	over  bool
}

// followMesh connects with an agent and takes what it says, first who is
// connected already, until it ends.
func (t *Tools) followMesh(ctx context.Context, s Server) error {
	m := &mesh{t: t, ctx: ctx, s: s, desks: map[string]*meshDesk{}, terms: map[string][]*meshTerm{}, taken: map[int]uint64{}}
	now, err := m.dial()
	if err != nil {
		return err
	}
	m.heard = time.Now()
	m.take(now)
	stop := context.AfterFunc(ctx, func() { m.conn.Close() })
	go func() {
		defer stop()
		defer m.conn.Close()
		for {
			msg, err := m.read()
			if err != nil {
				if ctx.Err() == nil {
					t.post(ctx, func() { m.lost(err) })
				}
				return
			}
			if msg.sessions != nil {
				t.post(ctx, func() { m.take(msg.sessions) })
			}
		}
	}()
	return nil
}

// dial says who listens, and asks who is connected. The agent takes one message
// at a time: a second one before its answer would be lost (MeshCentral 1.1.55).
func (m *mesh) dial() (map[string]meshUsers, error) {
	c, pid, err := meshDial(m.s)
	if err != nil {
		return nil, fmt.Errorf("connect with the mesh agent: %w", err)
	}
	m.conn = c
	fail := func(err error) (map[string]meshUsers, error) {
		c.Close()
		return nil, fmt.Errorf("ask the mesh agent who is connected: %w", err)
	}
	if pid != m.s.PID {
		return fail(fmt.Errorf("its socket belongs to process %d", pid))
	}
	if err := c.SetDeadline(time.Now().Add(meshAnswer)); err != nil {
		return fail(err)
	}
	for _, say := range []struct {
		frame  []byte
		answer string
	}{{meshFrame("register", "aval"), "serverstate"}, {meshFrame("sessions", ""), "sessions"}} {
		if _, err := c.Write(say.frame); err != nil {
			return fail(err)
		}
		for {
			msg, err := m.read()
			if err != nil {
				return fail(err)
			}
			if msg.cmd != say.answer {
				continue
			}
			if msg.sessions != nil {
				return msg.sessions, c.SetDeadline(time.Time{})
			}
			break
		}
	}
	return fail(errors.New("it does not say"))
}

func (m *mesh) read() (meshMessage, error) {
	body, err := readMeshFrame(m.conn)
	if err != nil {
		return meshMessage{}, err
	}
	return parseMesh(body)
}

// lost ends all sessions of an agent that can no longer be heard: whether they
// go on is not known. It is looked for again.
func (m *mesh) lost(err error) {
	why := Unheard
	if start, ok := ProcStart(m.s.PID); !ok || start != m.s.Start {
		why = Exited
	} else {
		m.t.log.Warn("remote tool is no longer heard", "tool", m.s.Tool, "pid", m.s.PID, "err", err)
	}
	for _, d := range m.desks {
		d.over = true
		m.t.end(ToolMeshCentral, d.id, why)
	}
	for _, all := range m.terms {
		for _, x := range all {
			x.over = true
			m.t.end(ToolMeshCentral, x.id, why)
		}
	}
	if m.t.known[m.s.PID] == m.s.Start {
		delete(m.t.known, m.s.PID)
		if time.Since(m.heard) > meshAgainLast {
			delete(m.t.waits, m.s.PID)
		}
		m.t.again(m.ctx, m.s.PID)
	}
}

// take goes from what was to what is.
func (m *mesh) take(now map[string]meshUsers) {
	// Whose program is whose is known by the order of beginnings alone: of those
	// that were there before, by nothing.
	unsure := ""
	if m.state == nil && len(now[meshTerminal]) > 1 {
		var names []string
		for _, u := range slices.Sorted(maps.Keys(now[meshTerminal])) {
			names = append(names, meshName(u))
		}
		unsure = strings.Join(names, " / ")
	}
	for _, c := range m.state.to(now) {
		switch {
		case c.terminal:
			m.terminals(c, cmp.Or(unsure, meshName(c.user)))
		case len(c.kinds) == 0:
			if d := m.desks[c.user]; d != nil {
				delete(m.desks, c.user)
				d.over = true
				m.t.end(ToolMeshCentral, d.id, Left)
			}
		default:
			d := m.desks[c.user]
			if d == nil {
				d = &meshDesk{user: c.user, since: time.Now()}
				m.desks[c.user] = d
				d.kinds = c.kinds
				m.findDesktop(d, meshFirst)
				continue
			}
			d.kinds = c.kinds
			if m.t.live[d.id] {
				m.t.sink.Kinds(ToolMeshCentral, d.id, slices.Clone(d.kinds))
			}
		}
	}
}

func (m *mesh) found(name string, since time.Time) Found {
	return Found{Tool: ToolMeshCentral, Supporter: name, StartedAt: since.UTC(), UID: m.s.UID, User: userName(m.s.UID), Owner: m.s.Owner,
		Leader: m.s.PID, LeaderStart: m.s.Start}
}

// findDesktop begins a session once it is known which display the agent shows;
// when that stays unknown, it may be any.
func (m *mesh) findDesktop(d *meshDesk, next time.Duration) {
	if d.over || m.ctx.Err() != nil {
		return
	}
	f := m.found(meshName(d.user), d.since)
	// Without a program of its own nothing tells this connection from a later one
	// of the same user, so that it is not taken for it after a restart.
	f.ID = fmt.Sprintf("%d-%d-t%d-%s", m.s.PID, m.s.Start, d.since.UnixMilli(), meshUserKey(d.user))
	if slices.Contains(d.kinds, View) {
		pid, start, display := m.viewer()
		if pid == 0 && time.Since(d.since) < meshLook {
			m.later(next, func() { m.findDesktop(d, 2*next) })
			return
		}
		if f.Display = display; pid != 0 {
			f.Leader, f.LeaderStart = pid, start
			f.ID = fmt.Sprintf("%d-%d-%d-%d-%s", m.s.PID, m.s.Start, pid, start, meshUserKey(d.user))
		}
	}
	f.Kinds = slices.Clone(d.kinds)
	d.id = f.ID
	m.t.begin(m.ctx, f, func() string {
		// The program that showed the desktop has ended. Who is still connected then
		// looks at another one: that is a session of its own.
		m.later(meshFirst, func() {
			if !d.over {
				d.since = time.Now()
				m.findDesktop(d, meshFirst)
			}
		})
		return Exited
	})
}

// terminals takes a change of a user's terminals.
func (m *mesh) terminals(c meshChange, name string) {
	for range c.now - c.was {
		x := &meshTerm{name: name, since: time.Now()}
		m.terms[c.user] = append(m.terms[c.user], x)
		m.queue = append(m.queue, x)
		m.findTerminal(c.user, x, meshFirst)
	}
	if c.now >= c.was {
		return
	}
	// What has a program ends with it; of the others it is not known which one.
	// The last one of a user takes all with it.
	all := m.terms[c.user]
	left := c.was - c.now
	all = slices.DeleteFunc(all, func(x *meshTerm) bool {
		if x.over {
			return true
		}
		if c.now == 0 || (!x.own && left > 0) {
			left--
			x.over = true
			m.t.end(ToolMeshCentral, x.id, Left)
			return true
		}
		return false
	})
	if m.terms[c.user] = all; len(all) == 0 {
		delete(m.terms, c.user)
	}
}

// findTerminal begins the session of a terminal once its program is known, the
// account's with it; when that stays unknown, everybody's desktop may be concerned.
func (m *mesh) findTerminal(user string, x *meshTerm, next time.Duration) {
	m.queue = slices.DeleteFunc(m.queue, func(q *meshTerm) bool { return q.over })
	if x.over || m.ctx.Err() != nil {
		return
	}
	if m.queue[0] != x {
		m.later(next, func() { m.findTerminal(user, x, next) })
		return
	}
	f := m.found(x.name, x.since)
	f.Kinds = []string{Terminal}
	pid, st, uid, gids := m.shell()
	switch {
	case pid != 0:
		m.taken[pid] = st.start
		x.own = true
		f.Leader, f.LeaderStart, f.TTY, f.UID, f.GIDs, f.User = pid, st.start, st.tty, uid, gids, userName(uid)
		f.ID = fmt.Sprintf("%d-%d-%d-%d", m.s.PID, m.s.Start, pid, st.start)
	case time.Since(x.since) < meshLook:
		m.later(next, func() { m.findTerminal(user, x, 2*next) })
		return
	default:
		f.ID = fmt.Sprintf("%d-%d-t%d-%s", m.s.PID, m.s.Start, x.since.UnixMilli(), meshUserKey(user))
		for base, n := f.ID, 2; m.t.live[f.ID]; n++ { // two in the same millisecond
			f.ID = fmt.Sprintf("%s-%d", base, n)
		}
	}
	m.queue = m.queue[1:]
	x.id = f.ID
	m.t.begin(m.ctx, f, func() string {
		x.over = true
		delete(m.taken, pid)
		return Exited
	})
}

// later has f run by Run's goroutine, soon.
func (m *mesh) later(d time.Duration, f func()) {
	time.AfterFunc(d, func() { m.t.post(m.ctx, f) })
}

// again looks once more for an agent that did not answer.
func (t *Tools) again(ctx context.Context, pid int) {
	d := t.waits[pid]
	t.waits[pid] = min(max(2*d, meshAgainFirst), meshAgainLast)
	time.AfterFunc(t.waits[pid], func() { t.post(ctx, func() { t.look(ctx) }) })
}
