package watch

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"
)

// ToolRustDesk is the name of sessions that RustDesk's log tells of.
const ToolRustDesk = "rustdesk"

var rustDeskFacts = facts{hears: []string{"begin", "end", "address"}, missing: "transfers of files, terminals, and which of two logins at the same moment; the desktop: every unlocked one is asked",
	do: "the company's server may receive what it reports of its connections: docs/remote-tools.md"}

// rustDesk reads the log of RustDesk's server process. The lines are those that
// src/server/connection.rs of rustdesk/rustdesk writes (on_open, on_close,
// send_logon_response).
//
// "Connection opened" is before the login. What proves one is the line about the
// encodings, which is written when a desktop is handed out after the login; it
// has no number. So while several connections wait for their login, none of them
// begins. Transfers of files and terminals write no such line and are heard by a
// hint alone: what the company's server was told of a connection that is open here.
type rustDesk struct {
	sink  Sink
	conns []*rdConn // oldest first
}

// Hint is what a server says of a connection of a tool on this computer. It is
// the server's word: it never stands for a connection that the tool itself does
// not know of.
type Hint struct {
	Tool       string
	Connection string // its number, as the tool's log has it
	Closed     bool   // it is over; otherwise somebody has logged in
	Supporter  string
	Kinds      []string // as in Found
	At         time.Time
}

// hintWaits is how long a hint waits for the line of the log that it is about:
// the two come by different ways.
const hintWaits = 10 * time.Second

// maxHints that wait.
const maxHints = 64

// hinted is a reader that can use hints.
type hinted interface {
	// knows tells whether the connection is open by the tool's own log and the
	// hint says something new of it.
	knows(Hint) bool
	hint(Hint)
}

func (r *rustDesk) knows(h Hint) bool {
	for _, c := range r.conns {
		if c.number == h.Connection {
			return c.begun == h.Closed
		}
	}
	return false
}

// hint begins or ends a connection that is open by the log. The log does not say
// whose login has succeeded, nor who it is; its lines still end what a hint began.
func (r *rustDesk) hint(h Hint) {
	if h.Closed {
		r.closed(h.Connection)
		return
	}
	for _, c := range r.conns {
		if c.number == h.Connection && !c.begun {
			r.begin(c, h.Supporter, h.Kinds)
			return
		}
	}
}

type rdConn struct {
	number  string
	address string
	at      time.Time
	id      string
	begun   bool
}

func newRustDesk(s Sink) logReader { return &rustDesk{sink: s} }

var (
	// Time with its zone, level, place in the source, message.
	rdLine   = regexp.MustCompile(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} [+-]\d\d:\d\d)\] [A-Z]+ \[src[\\/]server[\\/]connection(?:[\\/]\w+)?\.rs:\d+\] (.*)$`)
	rdOpened = regexp.MustCompile(`^#(\d{1,20}) Connection opened from (\S+)\.$`)
	rdClosed = regexp.MustCompile(`^#(\d{1,20}) (?:Connection closed: |connection loop exited)`)
	rdLogin  = regexp.MustCompile(`^peer info supported_encoding: `)
)

func (r *rustDesk) line(_, text string, now time.Time) {
	m := rdLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	at, err := time.Parse("2006-01-02 15:04:05.000000 -07:00", m[1])
	if err != nil {
		return
	}
	if f := rdOpened.FindStringSubmatch(m[2]); f != nil {
		if from, err := netip.ParseAddrPort(f[2]); err == nil {
			r.opened(&rdConn{number: f[1], address: from.Addr().Unmap().String(), at: earlier(at, now),
				id: fmt.Sprintf("%s-%d", f[1], at.UnixMilli())})
		}
		return
	}
	if f := rdClosed.FindStringSubmatch(m[2]); f != nil {
		r.closed(f[1])
		return
	}
	if rdLogin.MatchString(m[2]) {
		r.login()
	}
}

func (r *rustDesk) opened(c *rdConn) {
	for _, x := range r.conns {
		if x.id == c.id {
			return
		}
	}
	r.closed(c.number) // the process was started again
	if len(r.conns) >= maxOpen {
		r.closed(r.conns[0].number)
	}
	r.conns = append(r.conns, c)
}

func (r *rustDesk) login() {
	var waiting *rdConn
	for _, c := range r.conns {
		if c.begun {
			continue
		}
		if waiting != nil {
			return
		}
		waiting = c
	}
	if waiting == nil {
		return
	}
	r.begin(waiting, "", nil)
}

func (r *rustDesk) begin(c *rdConn, who string, kinds []string) {
	c.begun = true
	if who == "" {
		who = c.address
	}
	r.sink.Begin(Found{Tool: ToolRustDesk, ID: c.id, Supporter: who, Address: c.address, Kinds: kinds, StartedAt: c.at})
}

func (r *rustDesk) closed(number string) {
	for i, c := range r.conns {
		if c.number != number {
			continue
		}
		r.conns = append(r.conns[:i:i], r.conns[i+1:]...)
		if c.begun {
			r.sink.End(ToolRustDesk, c.id, Left)
		}
		return
	}
}
