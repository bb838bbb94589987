package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// memory is a connection on which a client's bytes arrive in pieces.
type memory struct {
	net.Conn
	in    *bytes.Reader
	piece int
	out   bytes.Buffer
}

func (m *memory) Read(p []byte) (int, error)       { return m.in.Read(p[:min(len(p), m.piece)]) }
func (m *memory) Write(p []byte) (int, error)      { return m.out.Write(p) }
func (m *memory) Close() error                     { return nil }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// hijacked gives a connection to who takes over a request.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

func upgradeRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	return r
}

// client is a frame as a client sends it.
func client(op byte, payload string) []byte {
	b := []byte{op, 0x80 | byte(len(payload)), 1, 2, 3, 4}
	for i := range len(payload) {
		b = append(b, payload[i]^b[2+i%4])
	}
	return b
}

// FuzzSocket: whatever a client sends, in whatever pieces, a device's connection reads
// the messages of it, and answers its pings, as the library does by itself; and it
// waits for more only where nothing has come. Planted: with a wrong key in control the
// answers to pings differed; without Discard they never ended; without full in Read
// bytes were lost.
func FuzzSocket(f *testing.F) {
	all := bytes.Join([][]byte{client(0x8a, ""), client(0x82, "one"), client(0x89, "are you there?"), client(0x8a, "unasked"),
		client(0x02, "tw"), client(0x8a, ""), client(0x89, "x"), client(0x80, "o"), client(0x81, "text"), client(0x88, "\x03\xe8bye")}, nil)
	for _, piece := range []byte{1, 2, 3, 7, 255} {
		f.Add(all, piece)
		f.Add(all[:len(all)/2], piece)
	}
	f.Add([]byte{0x8a, 0xfe, 0, 0, 0, 0, 0, 0}, byte(1))
	f.Add([]byte{0xca, 0x80, 0, 0, 0, 0}, byte(1))
	f.Add([]byte{0x8a, 0x00}, byte(1))
	f.Fuzz(func(t *testing.T, in []byte, piece byte) {
		type message struct {
			typ int
			raw string
		}
		// By the library alone.
		var want []message
		theirs := &memory{in: bytes.NewReader(in), piece: max(1, int(piece))}
		up := websocket.Upgrader{}
		ws, err := up.Upgrade(hijacked{httptest.NewRecorder(), theirs}, upgradeRequest(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(1 << 16)
		controls := 0
		pong, ping := ws.PongHandler(), ws.PingHandler()
		ws.SetPongHandler(func(s string) error { controls++; return pong(s) })
		ws.SetPingHandler(func(s string) error { controls++; return ping(s) })
		for {
			typ, raw, err := ws.ReadMessage()
			if err != nil {
				break
			}
			want = append(want, message{typ, string(raw)})
		}
		if controls > maxControls {
			return
		}
		// By ours.
		s := New(nil, nil, Options{})
		defer s.Close()
		ours := &memory{in: bytes.NewReader(in), piece: max(1, int(piece))}
		c := &conn{s: s}
		if c.ws, err = up.Upgrade(takeover{hijacked{httptest.NewRecorder(), &socket{Conn: ours}}, c}, upgradeRequest(), nil); err != nil {
			t.Fatal(err)
		}
		c.ws.SetReadLimit(1 << 16)
		c.ws.SetPingHandler(c.ping)
		c.ws.SetPongHandler(c.pong)
		var got []message
		for {
			typ, raw, err := c.next()
			if errors.Is(err, errDry) {
				if n := c.br.Buffered(); n > 0 {
					t.Fatalf("waits with %d bytes in hand", n)
				}
				c.drain()
				if err = c.sock.wait(); err == nil {
					c.refill(c.ws.NetConn())
					continue
				}
			}
			if err != nil {
				break
			}
			got = append(got, message{typ, string(raw)})
		}
		if len(got) != len(want) {
			t.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("message %d: %v, want %v", i, got[i], want[i])
			}
		}
		if !bytes.Equal(ours.out.Bytes(), theirs.out.Bytes()) {
			t.Fatalf("answered %q, want %q", ours.out.Bytes(), theirs.out.Bytes())
		}
	})
}

// TestNotListened: a server that does not listen by Listen says so and serves nobody.
func TestNotListened(t *testing.T) {
	s := New(nil, nil, Options{})
	defer s.Close()
	m := &memory{in: bytes.NewReader(nil), piece: 1}
	_, _, err := takeover{hijacked{httptest.NewRecorder(), m}, &conn{s: s}}.Hijack()
	if err == nil || errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}
