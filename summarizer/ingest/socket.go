package ingest

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// messageWithin bounds a message from its first byte to its last, whatever
	// fragments it comes in.
	messageWithin = 90 * time.Second
	// maxControls is how many pings and pongs a device may send between two of the
	// server's own pings. One is asked for; more are allowed by RFC 6455, section
	// 5.5.3, and some clients keep gateways open with them.
	maxControls = 60
	// readBuffer has room for the longest control frame. The library takes a buffer
	// over that is larger than 256 bytes, else it makes one of its own.
	readBuffer = 4096
)

// Listen is l with connections on which devices can wait. The server's listener
// must be one: what is read ahead while a device says nothing is read below TLS.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &socket{Conn: conn}, nil
}

// socket is a TCP connection that can be waited on from a shallow stack: a stack
// that has grown once stays so, and what reads a message through WebSocket and TLS
// is deep. One goroutine at a time reads.
type socket struct {
	net.Conn
	ahead [1]byte // read by wait
	full  bool    // ahead holds what the next Read returns
	dry   bool    // Read says errDry rather than to ask the system
}

// wait returns once there is something to read.
func (s *socket) wait() error {
	if s.full {
		return nil
	}
	n, err := s.Conn.Read(s.ahead[:])
	if n == 0 {
		return err
	}
	s.full = true
	return nil
}

func (s *socket) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case s.full:
		s.full = false
		return copy(p, s.ahead[:]), nil
	case s.dry:
		return 0, errDry
	}
	return s.Conn.Read(p)
}

// errDry says that nothing is left of what was read. It is temporary, so that TLS
// goes on after it, also within a record.
var errDry net.Error = dry{}

type dry struct{}

func (dry) Error() string   { return "nothing has been read ahead" }
func (dry) Timeout() bool   { return true }
func (dry) Temporary() bool { return true }

// takeover hands a request's connection over to a device's, with a buffer that can
// be looked into: only so is it known that nothing is left in it.
type takeover struct {
	http.ResponseWriter
	c *conn
}

// Hijack implements http.Hijacker.
func (t takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	below := conn
	if s, ok := conn.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		below = s.NetConn()
	}
	var ok bool
	if t.c.sock, ok = below.(*socket); !ok {
		_ = conn.Close()
		return nil, nil, errors.New("the server does not listen by ingest.Listen")
	}
	if rw.Reader.Buffered() == 0 { // else the library refuses the connection
		t.c.br = &bufio.Reader{}
		t.c.refill(conn)
		rw.Reader = t.c.br
	}
	return conn, rw, nil
}

// buffers are what is read into while something comes; nobody who is idle has one.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

// refill gives the reader that the library holds a buffer. drain, when that is
// empty, takes it away.
func (c *conn) refill(conn net.Conn) {
	c.buf = buffers.Get().(*bufio.Reader)
	c.buf.Reset(conn)
	*c.br = *c.buf
}

func (c *conn) drain() {
	buffers.Put(c.buf)
	*c.br, c.buf = bufio.Reader{}, nil
}

// next reads a message; errDry: the device has said nothing more, and what comes
// can be waited for. Pings and pongs between messages are answered and counted
// here, for the library would wait on after them.
func (c *conn) next() (typ int, raw []byte, err error) {
	for {
		c.sock.dry = true
		_, err := c.br.Peek(1)
		c.sock.dry = false
		if err != nil {
			return 0, nil, err
		}
		c.heard.Store(int64(c.s.age()))
		c.until(messageWithin)
		switch control, err := c.control(); {
		case err != nil:
			return 0, nil, err
		case !control:
			return c.ws.ReadMessage()
		}
	}
}

// control takes a ping or a pong that is next (RFC 6455, sections 5.2 and 5.5); all
// else, and what is malformed, is left to the library.
func (c *conn) control() (bool, error) {
	const final, masked, ping, pong, maxPayload = 0x80, 0x80, 9, 10, 125
	head, err := c.br.Peek(2)
	if err != nil {
		return false, err
	}
	op, n := head[0], int(head[1])-masked
	if op != final|ping && op != final|pong || n < 0 || n > maxPayload {
		return false, nil
	}
	frame, err := c.br.Peek(2 + 4 + n)
	if err != nil {
		return false, err
	}
	key, payload := frame[2:6], make([]byte, n)
	for i := range payload {
		payload[i] = frame[6+i] ^ key[i%4]
	}
	_, _ = c.br.Discard(len(frame)) // it has been peeked at
	if op == final|pong {
		return true, c.pong("")
	}
	return true, c.ping(string(payload))
}

// pong counts; too many end the connection.
func (c *conn) pong(string) error {
	if c.controls.Add(1) > maxControls {
		c.refuse(CodeProtocol)
		return errGone
	}
	return nil
}

// ping is answered. That an answer could not be written the next read notices.
func (c *conn) ping(data string) error {
	if err := c.pong(""); err != nil {
		return err
	}
	_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	return nil
}

// until sets by when what is being read must have come; 0: there is nothing. Once
// the server is stopping, the deadline that goAway has set stays.
func (c *conn) until(within time.Duration) {
	var at time.Time
	if within > 0 {
		at = time.Now().Add(within)
	}
	_ = c.ws.SetReadDeadline(at)
	if c.leaving.Load() { // after, so that neither order of the two leaves the later one
		_ = c.ws.SetReadDeadline(time.Unix(1, 0))
	}
}

// idle waits for the device's next word, with nothing else on its stack, and leaves
// it to a goroutine of its own. One of the two owns the connection.
func (c *conn) idle() {
	if err := c.sock.wait(); err != nil || c.leaving.Load() {
		go c.depart()
		return
	}
	go c.serve()
}

// serve takes what has come, and leaves the connection to idle again.
func (c *conn) serve() {
	if c.buf == nil {
		c.refill(c.ws.NetConn())
	}
	for !c.leaving.Load() {
		typ, raw, err := c.next()
		if errors.Is(err, errDry) {
			c.until(0)
			c.drain()
			go c.idle()
			return
		}
		if err != nil || c.take(typ, raw) != nil {
			break
		}
	}
	c.depart()
}

// depart ends a connection that was greeted.
func (c *conn) depart() {
	if c.leaving.Load() {
		c.bye(websocket.CloseServiceRestart, "it is being restarted")
	}
	c.s.o.Log.Info("device gone", "device", c.device)
	c.end()
}
