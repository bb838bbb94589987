package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/windows"
)

// defaultSocket is below a prefix at which administrators alone can make pipes, so
// that no program of a user can sit there first (Microsoft Learn, "Named Pipe
// Security and Access Rights"; \ProtectedPrefix of npfs.sys).
const (
	pipes         = `\\.\pipe\`
	defaultSocket = pipes + `ProtectedPrefix\Administrators\aval`
)

// Every local user may connect, nobody over the network (PIPE_REJECT_REMOTE_CLIENTS),
// and nobody but the service makes a further instance: 0x12019b is reading and
// writing without FILE_CREATE_PIPE_INSTANCE, which is the bit of FILE_APPEND_DATA.
const (
	pipeSDDL   = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;%s)(A;;0x12019b;;;AU)"
	pipeClient = 0x0012019b
	pipeBuffer = 64 << 10
)

// busyAgain is how long a client waits when all instances are taken; the service
// makes the next one at once.
const busyAgain = 10 * time.Millisecond

// dial opens the pipe. The service may learn who this is, and act as nobody: an
// impersonation of this client identifies only.
func dial(ctx context.Context, socket string) (net.Conn, error) {
	name, err := pipeName(socket)
	if err != nil {
		return nil, err
	}
	for {
		h, err := windows.CreateFile(name, pipeClient, 0, nil, windows.OPEN_EXISTING,
			windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
		switch {
		case err == nil:
			if err := trusted(socket, h); err != nil {
				windows.CloseHandle(h)
				return nil, err
			}
			return newPipe(h, socket), nil
		case !errors.Is(err, windows.ERROR_PIPE_BUSY):
			return nil, &os.PathError{Op: "open", Path: socket, Err: err}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(busyAgain):
		}
	}
}

func pipeName(socket string) (*uint16, error) {
	if rest, ok := strings.CutPrefix(strings.ToLower(socket), pipes); !ok || rest == "" || len(socket) > 256 {
		return nil, fmt.Errorf(`%q is no pipe: on Windows the socket is like %saval-trial: %w`, socket, pipes, fs.ErrInvalid)
	}
	return windows.UTF16PtrFromString(socket)
}

// trusted refuses a server that is neither the system, nor an administrator, nor
// this user: anybody may make a pipe of a name that is free outside of the prefix.
func trusted(socket string, h windows.Handle) error {
	if strings.EqualFold(socket, defaultSocket) {
		return nil
	}
	var pid uint32
	if err := windows.GetNamedPipeServerProcessId(h, &pid); err != nil {
		return fmt.Errorf("look at the service: %w", err)
	}
	of, err := whoIs(pid)
	if err != nil {
		return fmt.Errorf("look at the service: %w", err)
	}
	if !of.admin && !of.self {
		return fmt.Errorf("the program at %s runs as another user: %w", socket, fs.ErrPermission)
	}
	return nil
}

// pipeListener hands out the connected instances of a pipe. There is always one
// that waits, so that no other program can take the name meanwhile.
type pipeListener struct {
	path string
	name *uint16
	sa   *windows.SecurityAttributes
	stop windows.Handle // set by Close

	mu     sync.Mutex // guards what is below
	next   windows.Handle
	closed bool
}

func listen(path string) (net.Listener, error) {
	name, err := pipeName(path)
	if err != nil {
		return nil, err
	}
	self, err := ownSID()
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf(pipeSDDL, self))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if isThere(path) {
		return nil, inUse(path)
	}
	l := &pipeListener{path: path, name: name, sa: &windows.SecurityAttributes{SecurityDescriptor: sd}}
	l.sa.Length = uint32(sizeOf(*l.sa))
	l.next, err = l.instance(windows.FILE_FLAG_FIRST_PIPE_INSTANCE)
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED) && isThere(path): // it came meanwhile
		return nil, inUse(path)
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return nil, fmt.Errorf("listen on %s: only an administrator may: name another pipe with --socket %saval-trial: %w", path, pipes, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if l.stop, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		windows.CloseHandle(l.next)
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

func inUse(path string) error {
	return fmt.Errorf("%s is in use: another Aval service is running; stop it (aval stop) or choose another --socket", path)
}

// isThere tells whether somebody serves a pipe.
func isThere(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := dial(ctx, path)
	if err == nil {
		c.Close()
	}
	return err == nil || errors.Is(err, context.DeadlineExceeded)
}

func (l *pipeListener) instance(flag uint32) (windows.Handle, error) {
	return windows.CreateNamedPipe(l.name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|flag,
		windows.PIPE_TYPE_BYTE|windows.PIPE_REJECT_REMOTE_CLIENTS, windows.PIPE_UNLIMITED_INSTANCES, pipeBuffer, pipeBuffer, 0, l.sa)
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		h, closed := l.next, l.closed
		l.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		err := l.await(h)
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		at := time.Now()
		next, nextErr := l.instance(0)
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			windows.CloseHandle(h)
			if nextErr == nil {
				windows.CloseHandle(next)
			}
			return nil, net.ErrClosed
		}
		l.next = next
		l.mu.Unlock()
		if nextErr != nil {
			windows.CloseHandle(h)
			return nil, fmt.Errorf("listen on %s: %w", l.path, nextErr)
		}
		if err != nil { // a client that came and went
			windows.CloseHandle(h)
			continue
		}
		c := newPipe(h, l.path)
		c.h, c.at = h, at
		return c, nil
	}
}

// await waits until a client has connected to h, or Close.
func (l *pipeListener) await(h windows.Handle) error {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(event)
	o := windows.Overlapped{HEvent: event}
	switch err := windows.ConnectNamedPipe(h, &o); {
	case err == nil, errors.Is(err, windows.ERROR_PIPE_CONNECTED):
		return nil
	case !errors.Is(err, windows.ERROR_IO_PENDING):
		return err
	}
	n, err := windows.WaitForMultipleObjects([]windows.Handle{l.stop, event}, false, windows.INFINITE)
	var done uint32
	if err != nil || n == windows.WAIT_OBJECT_0 {
		_ = windows.CancelIoEx(h, &o)
		_ = windows.GetOverlappedResult(h, &o, &done, true) // o is the kernel's until then
		windows.CloseHandle(h)
		return net.ErrClosed
	}
	return windows.GetOverlappedResult(h, &o, &done, true)
}

// Close implements net.Listener. It may be called more than once.
func (l *pipeListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return windows.SetEvent(l.stop)
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.path) }

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// pipeConn is one end of a pipe.
type pipeConn struct {
	*os.File
	path string
	h    windows.Handle // of the service's end
	at   time.Time      // when the service saw it connected
}

func newPipe(h windows.Handle, path string) *pipeConn {
	return &pipeConn{File: os.NewFile(uintptr(h), path), path: path}
}

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr(c.path) }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr(c.path) }
