package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// Peer is who is at the other end, by the kernel. The zero value is nobody.
type Peer struct {
	valid bool
	admin bool   // Windows: an administrator whose rights are in force, or the agent's own user
	UID   uint32 // Windows: see UserID
	GID   uint32
	PID   int
	// Session is the desktop session of the peer's process; Windows only.
	Session string
}

// Role of the peer: an administrator is root, or the agent's own user.
func (p Peer) Role() Role {
	switch {
	case !p.valid:
		return RoleNone
	case p.admin || p.UID == 0 || int(p.UID) == os.Geteuid():
		return RoleAdmin
	}
	return RoleUser
}

// Limits against floods; a peer beyond them is turned away.
const (
	maxConns        = 512
	maxConnsPerUser = 64
	maxQueuedPushes = 64
	maxQueuedCalls  = 64
)

// Handler answers one request of a connection. Requests of one connection come
// one after the other; ctx ends with the connection. An *Error is passed on as
// it is, any other error is shown as a failure.
type Handler interface {
	Handle(ctx context.Context, c *Conn, m Method, params json.RawMessage) (any, error)
	// Closed is called once when a connection that said hello has ended.
	Closed(c *Conn)
}

// Server is the service's end of the local API.
type Server struct {
	l     net.Listener
	path  string
	hello HelloResult
	log   *slog.Logger

	mu    sync.Mutex // guards the fields below
	conns map[*Conn]struct{}
	done  bool
}

// Listen makes the socket. The error says what to do when it is in use.
func Listen(path string, hello HelloResult, log *slog.Logger) (*Server, error) {
	l, err := listen(path)
	if err != nil {
		return nil, err
	}
	hello.Version = Version
	return &Server{l: l, path: path, hello: hello, log: log, conns: map[*Conn]struct{}{}}, nil
}

// Serve answers until Close.
func (s *Server) Serve(h Handler) error {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("accept: %w", err)
		}
		peer, err := peerOf(conn)
		if err != nil { // no identity: no connection
			s.log.Warn("local connection refused", "err", err)
			_ = conn.Close()
			continue
		}
		c := &Conn{conn: conn, peer: peer, out: make(chan []byte, maxQueuedPushes), done: make(chan struct{})}
		if !s.add(c) {
			s.log.Warn("too many local connections", "uid", peer.UID)
			_ = conn.Close()
			continue
		}
		go c.write()
		go func() {
			s.serve(c, h)
			s.remove(c)
		}()
	}
}

func (s *Server) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := 0
	for o := range s.conns {
		if o.peer.UID == c.peer.UID {
			same++
		}
	}
	if s.done || len(s.conns) >= maxConns || (same >= maxConnsPerUser && c.peer.Role() != RoleAdmin) {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Close ends the listener and every connection, and removes the socket.
func (s *Server) Close() error {
	s.mu.Lock()
	s.done = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	return s.l.Close()
}

// confirmer is a connection whose peer can be known for certain only once it has
// said something.
type confirmer interface{ confirm(Peer) error }

// serve reads one connection's requests and has them answered in order.
func (s *Server) serve(c *Conn, h Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls := make(chan frame, maxQueuedCalls)
	go func() { // reads on while a call is held, so that the peer's end is seen
		defer close(calls)
		defer cancel()
		r := newReader(c.conn)
		for {
			f, err := readFrame(r)
			if err != nil {
				if errors.Is(err, errFrameTooLong) || errors.As(err, new(badFrame)) {
					c.answer(0, nil, &Error{Code: CodeBadRequest, Message: "this is not a request of the Aval service", Hint: err.Error()})
				}
				return
			}
			select {
			case calls <- f:
			default:
				return // a peer that does not wait for answers
			}
		}
	}()
	greeted := false
	for f := range calls {
		if sure, ok := c.conn.(confirmer); ok && !greeted {
			if err := sure.confirm(c.peer); err != nil { // no identity: no connection
				s.log.Warn("local connection refused", "err", err)
				break
			}
		}
		result, err := s.call(ctx, c, h, Method(f.Method), f.Params, &greeted)
		c.answer(f.ID, result, err)
		if !greeted {
			break
		}
	}
	cancel()
	c.Close()
	for range calls { // let the reader end
	}
	if greeted {
		h.Closed(c)
	}
}

func (s *Server) call(ctx context.Context, c *Conn, h Handler, m Method, params json.RawMessage, greeted *bool) (any, error) {
	if m == MethodHello {
		var hello Hello
		if err := Decode(params, &hello); err != nil {
			return nil, err
		}
		if hello.Version != Version {
			return nil, &Error{Code: CodeBadRequest,
				Message: fmt.Sprintf("this program speaks version %d of the local API, the service version %d", hello.Version, Version),
				Hint:    "update both to the same release"}
		}
		c.hello, *greeted = hello, true
		return s.hello, nil
	}
	if !*greeted {
		return nil, &Error{Code: CodeBadRequest, Message: "the first request must be hello"}
	}
	if _, known := methods[m]; !known {
		return nil, &Error{Code: CodeBadRequest, Message: fmt.Sprintf("there is no method %q", m)}
	}
	if !May(c.peer.Role(), m) {
		return nil, &Error{Code: CodeRefused, Message: "this needs administrator rights", Hint: "run it as root"}
	}
	return h.Handle(ctx, c, m, params)
}

// Conn is one connection, seen from the service.
type Conn struct {
	conn net.Conn
	peer Peer
	// hello is what the peer said of itself; set before its first other request.
	hello Hello
	out   chan []byte
	done  chan struct{}
	once  sync.Once
}

// Peer is who is at the other end.
func (c *Conn) Peer() Peer { return c.peer }

// Hello is what the peer said of itself. It may be false: by it a program of
// another version is told, never one that is not ours.
func (c *Conn) Hello() Hello { return c.hello }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection. It may be called more than once.
func (c *Conn) Close() {
	c.once.Do(func() {
		close(c.done)
		// Give what is queued a moment to leave before the socket goes.
		_ = c.conn.SetReadDeadline(time.Now())
		time.AfterFunc(200*time.Millisecond, func() { _ = c.conn.Close() })
	})
}

// Push queues a message. A peer that does not read loses the connection, never
// the service its time.
func (c *Conn) Push(name string, data any) {
	raw, err := json.Marshal(data)
	if err == nil {
		var line []byte
		if line, err = encodeFrame(frame{Push: name, Data: raw}); err == nil {
			c.queue(line)
			return
		}
	}
	c.Close()
}

func (c *Conn) answer(id uint64, result any, err error) {
	f := frame{ID: id}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Code: CodeFailed, Message: err.Error()}
		}
		f.Error = e
	} else if f.Result, err = json.Marshal(result); err != nil {
		f.Error = &Error{Code: CodeFailed, Message: "encode answer: " + err.Error()}
	}
	line, err := encodeFrame(f)
	if err != nil {
		line, _ = encodeFrame(frame{ID: id, Error: &Error{Code: CodeFailed, Message: "the answer is too large", Hint: "ask for less at once"}})
	}
	c.queue(line)
}

func (c *Conn) queue(line []byte) {
	select {
	case c.out <- line:
	default:
		c.Close()
	}
}

func (c *Conn) write() {
	send := func(line []byte) bool {
		_ = c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		_, err := c.conn.Write(line)
		return err == nil
	}
	for {
		select {
		case line := <-c.out:
			if !send(line) {
				c.Close()
				return
			}
		case <-c.done:
			for {
				select {
				case line := <-c.out:
					if !send(line) {
						return
					}
				default:
					_ = c.conn.Close()
					return
				}
			}
		}
	}
}
