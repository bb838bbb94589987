package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Push is a message that the service sent by itself.
type Push struct {
	Name string
	Data json.RawMessage
}

// Client is a connection to the service. Its methods may be called from
// several goroutines at once.
type Client struct {
	conn   net.Conn
	hello  HelloResult
	pushes chan Push

	mu      sync.Mutex // guards the fields below and writes to conn
	next    uint64
	waiting map[uint64]chan frame
	err     error // why the connection ended
}

// ErrEnded is returned for calls on a connection that has ended.
var ErrEnded = errors.New("the connection to the Aval service has ended")

// Dial connects to the service's socket and says hello. It fails at once when
// nobody listens; the error says what to do.
func Dial(ctx context.Context, socket string, h Hello) (*Client, error) {
	conn, err := dial(ctx, socket)
	if err != nil {
		return nil, dialError(socket, err)
	}
	c := &Client{conn: conn, pushes: make(chan Push, 64), waiting: map[uint64]chan frame{}}
	go c.read()
	h.Version = Version
	if err := c.Call(ctx, MethodHello, h, &c.hello); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func dialError(socket string, err error) error {
	e := &Error{Code: CodeFailed, Message: "the Aval service is not running or cannot be reached at " + socket}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e.Hint = `start it with "aval start", or name its socket with --socket`
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "this user may not open the socket"
	default:
		e.Hint = err.Error()
	}
	return e
}

// HelloResult is what the service said of itself.
func (c *Client) HelloResult() HelloResult { return c.hello }

// Pushes delivers what the service sends by itself, in order; it is closed when
// the connection ends. A reader that falls 64 messages behind loses the connection.
func (c *Client) Pushes() <-chan Push { return c.pushes }

// Call sends a request and waits for its answer. A refusal is an *Error.
// result may be nil.
func (c *Client) Call(ctx context.Context, m Method, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m, err)
	}
	if params == nil {
		raw = nil
	}
	answer := make(chan frame, 1)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	c.next++
	id := c.next
	line, err := encodeFrame(frame{ID: id, Method: string(m), Params: raw})
	if err != nil {
		c.mu.Unlock()
		return &Error{Code: CodeBadRequest, Message: "the request is too large", Hint: err.Error()}
	}
	c.waiting[id] = answer
	_ = c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err = c.conn.Write(line)
	c.mu.Unlock()
	if err != nil {
		c.end(fmt.Errorf("%w: %w", ErrEnded, err))
	}
	select {
	case f, ok := <-answer:
		if !ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.err
		}
		if f.Error != nil {
			return f.Error
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(f.Result, result); err != nil {
			return fmt.Errorf("decode answer to %s: %w", m, err)
		}
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		return ctx.Err()
	}
}

// Close ends the connection. It may be called more than once.
func (c *Client) Close() error {
	c.end(ErrEnded)
	return nil
}

func (c *Client) read() {
	defer close(c.pushes)
	r := newReader(c.conn)
	for {
		f, err := readFrame(r)
		if err != nil {
			c.end(fmt.Errorf("%w: %w", ErrEnded, err))
			return
		}
		if f.Push != "" {
			select {
			case c.pushes <- Push{Name: f.Push, Data: f.Data}:
			default:
				c.end(fmt.Errorf("%w: 64 messages were waiting", ErrEnded))
				return
			}
			continue
		}
		c.mu.Lock()
		answer, ok := c.waiting[f.ID]
		delete(c.waiting, f.ID)
		c.mu.Unlock()
		if ok {
			answer <- f
		}
	}
}

func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	_ = c.conn.Close()
	for id, answer := range c.waiting {
		close(answer)
		delete(c.waiting, id)
	}
}

// DefaultSocket is where the installed service listens; AVAL_SOCKET overrides
// it for a user's own trial set-up.
func DefaultSocket() string {
	if s := os.Getenv("AVAL_SOCKET"); s != "" {
		return s
	}
	return defaultSocket
}
