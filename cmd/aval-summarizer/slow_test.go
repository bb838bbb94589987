package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// slowWithin bounds how long a slow client may be put up with: the longest of the
// server's limits is a minute and a half.
const slowWithin = 150 * time.Second

// A slow is one way to keep a server waiting. It returns when it was let go of, and
// fails with a deadline where it never was.
type slow struct {
	name string
	n    int
	keep func(address string) error
}

var slows = []slow{
	{"a connection without a handshake", 20, func(address string) error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		return untilClosed(conn)
	}},
	{"a head that does not end", 50, stall("GET /sign-in HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")},
	{"a form that does not come", 20, stall("POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nlogin=a")},
	{"chunks that do not end", 10, stall("POST " + wire.EnrollPath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")},
	{"a request of the API that does not come", 10, stall("POST /api/v1/sessioncodes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")},
	{"an agent that says nothing", 20, stall(upgrade)},
	{"an agent whose frame does not end", 10, stall(upgrade + "\x82\xfe")},
	{"a greeted agent whose message does not end", 10, drip(time.Second, fragment(true), fragment(false))},
	{"a greeted agent whose message does not end, with pongs between", 10, drip(3*time.Second, fragment(true), fragment(false), pong)},
	{"a greeted agent that sends pongs for ever", 10, drip(20*time.Millisecond, pong)},
	{"a greeted agent that sends pings for ever", 10, drip(20*time.Millisecond, ping)},
	{"a body without an end", 5, func(address string) error {
		conn, err := dial(address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999999999\r\n\r\nlogin="); err != nil {
			return err
		}
		n, err := io.Copy(conn, zeros{})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if n > 32<<20 { // what the buffers of both ends take
			return fmt.Errorf("%d bytes were taken: %w", n, err)
		}
		return nil
	}},
	{"pages that are not read", 10, func(address string) error {
		conn, err := dial(address)
		if err != nil {
			return err
		}
		defer conn.Close()
		for { // until the buffers of both ends are full and the server gives up
			if _, err := io.WriteString(conn, strings.Repeat("GET /static/htmx.js HTTP/1.1\r\nHost: localhost\r\n\r\n", 100)); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return err
				}
				return nil
			}
		}
	}},
	{"a form by HTTP/2 that does not come", 10, func(address string) error {
		body, end := io.Pipe()
		defer end.Close()
		c := http.Client{Timeout: slowWithin, Transport: &http.Transport{TLSClientConfig: anybody("h2"), ForceAttemptHTTP2: true}}
		defer c.CloseIdleConnections()
		res, err := c.Post("https://"+address+"/sign-in", "application/x-www-form-urlencoded", body)
		if err != nil {
			if os.IsTimeout(err) {
				return os.ErrDeadlineExceeded
			}
			return nil
		}
		return res.Body.Close()
	}},
}

// Frames of a client (RFC 6455, section 5.2): masked with nothing but zeros.
var (
	ping = []byte{0x89, 0x80, 0, 0, 0, 0}
	pong = []byte{0x8a, 0x80, 0, 0, 0, 0}
)

// fragment is one byte of a message that goes on after it.
func fragment(first bool) []byte {
	b := []byte{0x00, 0x81, 0, 0, 0, 0, 'x'}
	if first {
		b[0] = 0x02
	}
	return b
}

// drip is a computer of the company's, greeted as it should be, that then sends first
// once and the others for ever.
func drip(every time.Duration, first []byte, others ...[]byte) func(string) error {
	if len(others) == 0 {
		others = [][]byte{first}
	}
	return func(address string) error {
		d := websocket.Dialer{TLSClientConfig: anybody("http/1.1")}
		ws, _, err := d.Dial("wss://"+address+wire.AgentPath, nil)
		if err != nil {
			return err
		}
		defer ws.Close()
		if err := slowDevice.hello(ws); err != nil {
			return err
		}
		conn := ws.NetConn()
		closed := make(chan error, 1)
		go func() { closed <- untilClosed(conn) }()
		tick := time.NewTicker(every)
		defer tick.Stop()
		_, _ = conn.Write(first) // that it failed is seen by reading
		for i := 0; ; i++ {
			select {
			case err := <-closed:
				return err
			case <-tick.C:
				_, _ = conn.Write(others[i%len(others)])
			}
		}
	}
}

// slowDevice is a computer that is known to the server.
var slowDevice slowComputer

type slowComputer struct {
	company, id string
	key         ed25519.PrivateKey
}

// enrol makes the computer known to the server of a data folder.
func (d *slowComputer) enrol(ts *testscript.TestScript, dir string) {
	ctx := context.Background()
	db, err := store.OpenBeside(ctx, ts.MkAbs(dir))
	ts.Check(err)
	defer db.Close()
	pub, key, err := ed25519.GenerateKey(nil)
	ts.Check(err)
	d.id, d.key = "slow", key
	ts.Check(db.Tx(ctx, func(t *store.Tx) error {
		all, err := t.Companies()
		if err != nil {
			return err
		}
		d.company = all[0].ID
		return t.InsertDevice(store.Device{ID: d.id, Company: d.company, Name: d.id, AgentVersion: "test", EnrolledAt: time.Now()}, record.KeyID(pub), pub)
	}))
}

// hello proves the computer's key and reads until it is greeted.
func (d *slowComputer) hello(ws *websocket.Conn) error {
	_ = ws.SetReadDeadline(time.Now().Add(slowWithin))
	for {
		_, raw, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		f := &wire.Frame{}
		if err := proto.Unmarshal(raw, f); err != nil {
			return err
		}
		if f.GetWelcome() != nil {
			return nil
		}
		nonce := f.GetChallenge().GetNonce()
		cs := ws.NetConn().(*tls.Conn).ConnectionState()
		exported, err := cs.ExportKeyingMaterial(wire.ProofLabel, nonce, 32)
		if err != nil {
			return err
		}
		proof, err := record.SignBytes(d.key, record.TypeProof, wire.ProofPayload(nonce, exported, d.id, d.company))
		if err != nil {
			return err
		}
		raw, err = proto.Marshal(&wire.Frame{Body: &wire.Frame_Hello{Hello: &wire.Hello{Version: wire.Version, Company: d.company, Device: d.id,
			Proof: proof, KeyId: record.KeyID(d.key.Public().(ed25519.PublicKey)), ClockUnixNano: time.Now().UnixNano()}}})
		if err != nil {
			return err
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, raw); err != nil {
			return err
		}
	}
}

// upgrade asks for an agent's connection.
const upgrade = "GET " + wire.AgentPath + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// anybody: who the server is, is not what is tested here.
func anybody(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}
}

func dial(address string) (net.Conn, error) {
	conn, err := tls.Dial("tcp", address, anybody("http/1.1"))
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(slowWithin))
}

// stall sends the beginning of something and waits.
func stall(begin string) func(string) error {
	return func(address string) error {
		conn, err := dial(address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, begin); err != nil {
			return err
		}
		return untilClosed(conn)
	}
}

func untilClosed(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(slowWithin))
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// slowclients DIR: clients of every kind that keep the server waiting, all at once, are
// cut off by its limits, while others are answered; and when they are gone, so is
// everything that was kept for them. Planted, one after the other: without ReadTimeout
// the forms, without WriteTimeout the pages, and with an hour for a greeting the agents
// were never cut off; without until in next the greeted ones whose message does not
// end, without the count of pong those that send pongs and pings.
func slowClients(ts *testscript.TestScript, _ bool, args []string) {
	address := ts.Getenv("ADDR")
	slowDevice.enrol(ts, args[0])
	before := goroutines(ts)
	type end struct {
		name string
		err  error
	}
	ended := make(chan end)
	all := 0
	for _, s := range slows {
		for range s.n {
			all++
			go func() { ended <- end{s.name, s.keep(address)} }()
		}
	}
	c := client()
	for range 20 {
		res, err := c.Get("https://" + address + "/sign-in")
		ts.Check(err)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			ts.Fatalf("meanwhile: %s", res.Status)
		}
	}
	wrong := map[string]int{}
	for range all {
		if e := <-ended; e.err != nil {
			wrong[fmt.Sprintf("%s: %v", e.name, e.err)]++
		}
	}
	if len(wrong) > 0 {
		ts.Fatalf("not let go of: %v", wrong)
	}
	c.CloseIdleConnections()
	for end := time.Now().Add(slowWithin); ; time.Sleep(50 * time.Millisecond) {
		after := goroutines(ts)
		if after <= before+5 {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%d goroutines before, %d afterwards", before, after)
		}
	}
}

// goroutines of the server, as its metrics at $ADDR2 say.
func goroutines(ts *testscript.TestScript) (n int) {
	res, err := http.Get("http://" + ts.Getenv("ADDR2") + "/metrics")
	ts.Check(err)
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "go_goroutines %d", &n); err == nil {
			return n
		}
	}
	ts.Fatalf("the metrics do not say how many goroutines there are")
	return 0
}
