package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aval/agent/wire"
)

// slowWithin bounds how long a slow client may be put up with: the longest of the
// server's limits is a minute.
const slowWithin = 100 * time.Second

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

// slowclients: clients of every kind that keep the server waiting, all at once, are
// cut off by its limits, while others are answered; and when they are gone, so is
// everything that was kept for them. Planted, one after the other: without ReadTimeout
// the forms, without WriteTimeout the pages, and with an hour for a greeting the agents
// were never cut off.
func slowClients(ts *testscript.TestScript, _ bool, _ []string) {
	address := ts.Getenv("ADDR")
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
