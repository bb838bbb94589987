package capture

import "time"

// rank says what a process is to the one who reads about the session.
type rank uint8

const (
	// stranger: not of the session; another desktop's, or Aval's own.
	stranger rank = iota
	// step: somebody's doing, told one by one: what a shell, a panel or a script
	// of the session's own starts.
	step
	// same: the step above in another guise, as what sudo or sh -c start.
	same
	// inner: how the step above works inside; only counted.
	inner
)

// Bounds of the tree.
const (
	// maxLooked is how many inner processes of a step are looked at; a terminal
	// is among the first of them. After that they are only counted.
	maxLooked = 200
	// maxProcs bounds what is remembered. Linux has at most 4 million processes;
	// a desktop with its programs has some hundreds.
	maxProcs = 100_000
	// maxAlike is how many of the same program from the same place are told one
	// by one within alikeFor; more of them are one event with a count.
	maxAlike = 20
	alikeFor = time.Minute
	// lostFor is how long the name of a program that was gone is waited for.
	lostFor = 2 * time.Second
	// longLine is a command line that is a script in itself, in bytes: longer
	// than an event holds, so that what it starts is told.
	longLine = 900
	// An end is told of a program that ran longEnough, or worked with manyInner
	// processes, or failed.
	longEnough = 10 * time.Second
	manyInner  = 10
)

// seen is what could be read of a process that runs something new.
type seen struct {
	name    string    // base name of the executable
	file    string    // its path
	at      time.Time // when it began to run it; zero: before the capture
	args    []string
	cwd     string
	display string // what its environment names; empty: nothing, or not looked at
	start   uint64 // clock ticks since boot
	group   int    // process group
	tty     bool   // it has a controlling terminal
	hidden  bool   // a tool's hook or the like: no work of anybody
}

// program is one start that is told, or count alike ones.
type program struct {
	pid   int
	name  string
	args  []string // nil: gone before they could be read
	cwd   string
	at    time.Time
	count int // 0: one
}

// ending is one end that is told.
type ending struct {
	name  string
	at    time.Time
	ran   time.Duration
	code  int // exit status, 128 + signal where one ended it; -1: not known
	inner int
}

// proc is a process of the session.
type proc struct {
	start uint64
	is    rank // what its next exec is
	gives rank // what its children are
	of    *act // the step that it belongs to; nil: none was told
	// shell is the process group of the interactive shell above it: what runs in
	// the same group is not a job of that shell, but its start-up, its prompt or
	// its completion (bash reads its start-up files without job control).
	shell int
	from  int    // the process whose child it is to the reader: the place
	file  string // what it was last seen to run; empty: it has only been forked
	line  string
}

// act is one step that was told.
type act struct {
	pid   int
	name  string
	at    time.Time
	inner int
	quiet bool // one of many alike: its end is not told
}

// alike counts the same program from the same place.
type alike struct {
	since time.Time
	n     int
	held  int // of n, not told yet
	last  program
}

type alikeKey struct {
	from int
	name string
}

type lostExec struct {
	at time.Time
	p  proc
}

// tree is what is known of a session's processes. It decides what is a step,
// what is how a step works inside, and what is nobody's doing; it reads nothing
// itself. It belongs to one goroutine.
type tree struct {
	display string // what the session's programs name, if they name one; empty: a login
	procs   map[int]*proc
	lost    map[int]lostExec
	alike   map[alikeKey]*alike
	missed  int // programs without arguments or name since the last flush
	started func(program)
	ended   func(ending)
	// looked is told of every program that was looked at, told or not, and
	// whether it is how another one works inside; may be nil.
	looked func(pid int, s seen, within bool)
	// gone is told of every end; may be nil.
	gone func(pid int)
}

func newTree(display string, started func(program), ended func(ending)) *tree {
	return &tree{display: display, procs: map[int]*proc{}, lost: map[int]lostExec{}, alike: map[alikeKey]*alike{}, started: started, ended: ended}
}

// adopt takes a process in that was there before: what it starts is told.
func (t *tree) adopt(pid int, s seen) {
	if len(t.procs) >= maxProcs {
		return
	}
	p := &proc{start: s.start, is: step, gives: step, from: pid, file: s.file, line: commandLine(s.args)}
	if own(s.name) || s.hidden {
		p.is, p.gives = stranger, stranger
	}
	if _, prompts := s.children(); prompts {
		p.shell = s.group
	}
	t.procs[pid] = p
}

// outside takes in a process that nothing of the session started, but that is
// of it, such as one that the bus started: its exec comes next.
func (t *tree) outside(pid int) {
	if len(t.procs) < maxProcs {
		t.procs[pid] = &proc{is: step, gives: step, from: pid}
	}
}

// fork notes a new process.
func (t *tree) fork(pid, parent int) {
	p := t.procs[parent]
	if p == nil || len(t.procs) >= maxProcs {
		delete(t.procs, pid) // the number was used before
		return
	}
	c := *p
	c.start, c.is, c.file, c.line = 0, p.gives, "", ""
	if p.gives == step {
		c.of, c.from = nil, parent
	}
	t.procs[pid] = &c
}

// exec takes that a process runs something new. look reads what; false: it is
// gone already.
func (t *tree) exec(pid int, at time.Time, look func() (seen, bool)) {
	p := t.procs[pid]
	if p == nil || p.is == stranger {
		return
	}
	if p.is == inner && p.of != nil && p.of.inner >= maxLooked {
		p.of.inner++
		return
	}
	s, ok := look()
	if !ok {
		switch {
		case p.is == step:
			t.lost[pid] = lostExec{at, *p}
		case p.is == inner && p.of != nil && p.of.pid != pid:
			p.of.inner++
		}
		return
	}
	line := commandLine(s.args)
	if p.file == s.file && p.file != "" && (line == p.line || line == "") {
		return // seen before
	}
	again := p.file // what the same process ran before
	p.start, p.file, p.line = s.start, s.file, line
	if s.hidden || own(s.name) || t.display != "" && s.display != "" && s.display != t.display {
		p.is, p.gives, p.of = stranger, stranger, nil
		return
	}
	if s.at = at; t.looked != nil {
		t.looked(pid, s, p.is == inner)
	}
	gives, prompts := s.children()
	was := p.is
	switch {
	case prompts:
		gives = step // a place of its own, whatever opened it
	case was == inner:
		gives = inner
	}
	switch was {
	case inner:
		if p.of != nil && p.of.pid != pid && gives != step {
			p.of.inner++
		}
	case step:
		switch {
		case p.shell != 0 && s.group == p.shell && !prompts:
			gives, p.of = inner, nil // the shell's own
		case skipped(s.name, s.args):
			p.of = nil
			if gives != step {
				gives = inner
			}
		case again != "" && base(again) == s.title():
			// A script that has become the program that it starts.
		default:
			t.tell(p, program{pid: pid, name: s.title(), args: s.args, cwd: s.cwd, at: at})
		}
	}
	p.gives, p.is = gives, gives
	p.shell = 0
	if gives == step {
		p.from = pid
		if prompts {
			p.shell = s.group
			if p.of != nil && p.of.pid == pid {
				p.of.quiet = true // a shell is a place: its end says nothing
			}
		}
	}
	if p.of == nil && gives == same {
		p.is, p.gives = inner, inner
	}
}

// named says what a process was called that was gone before it could be read.
func (t *tree) named(pid int, name string) {
	l, ok := t.lost[pid]
	if !ok {
		return
	}
	delete(t.lost, pid)
	if skipped(name, nil) {
		return
	}
	t.missed++
	if t.looked != nil && t.gone != nil { // it was there, and what it did counts as the session's; where, nobody knows
		t.looked(pid, seen{name: name, at: l.at}, true)
		t.gone(pid)
	}
	p := l.p
	t.tell(&p, program{pid: pid, name: name, at: l.at})
}

// exit notes the end of a process. code is its exit status as a shell has it,
// -1 if it is not known.
func (t *tree) exit(pid, code int, at time.Time) {
	p := t.procs[pid]
	if p == nil {
		return
	}
	delete(t.procs, pid)
	if t.gone != nil {
		t.gone(pid)
	}
	for k, a := range t.alike {
		if k.from == pid {
			t.release(k, a)
		}
	}
	a := p.of
	if a == nil || a.pid != pid || a.quiet {
		return
	}
	if ran := at.Sub(a.at); failed(a.name, code) || ran >= longEnough || a.inner >= manyInner {
		t.ended(ending{name: a.name, at: at, ran: ran, code: code, inner: a.inner})
	}
}

// tell tells of a step, or counts it with those that are alike.
func (t *tree) tell(p *proc, g program) {
	p.of = &act{pid: g.pid, name: g.name, at: g.at}
	k := alikeKey{p.from, g.name}
	a := t.alike[k]
	if a == nil || g.at.Sub(a.since) > alikeFor {
		if a != nil {
			t.release(k, a)
		}
		a = &alike{since: g.at}
		t.alike[k] = a
	}
	if a.n++; a.n > maxAlike {
		a.held++
		a.last, p.of.quiet = g, true
		return
	}
	t.started(g)
}

// release tells of those that were held back.
func (t *tree) release(k alikeKey, a *alike) {
	delete(t.alike, k)
	if a.held > 0 {
		a.last.count = a.held
		t.started(a.last)
	}
}

// flush tells what was held back and is old enough, and gives up waiting for
// names. It returns how many programs could not be told whole since the last time.
func (t *tree) flush(now time.Time) (missed int) {
	for k, a := range t.alike {
		if now.Sub(a.since) > alikeFor {
			t.release(k, a)
		}
	}
	for pid, l := range t.lost {
		if now.Sub(l.at) > lostFor {
			delete(t.lost, pid)
			t.missed++
		}
	}
	missed, t.missed = t.missed, 0
	return missed
}
