package scale

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/ingest"
	"aval/summarizer/store"
)

// idleConns are connected at once to each of the servers that are compared, of which
// idleFirst are there before anything is counted.
const (
	idleConns = 2500
	idleFirst = 500
)

// TestMain lets this program be a server whose memory is looked at.
func TestMain(m *testing.M) {
	if kind := os.Getenv("AVAL_IDLE_SERVER"); kind != "" {
		if err := idleServer(kind, os.Getenv("AVAL_IDLE_DIR")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// plain ends the name of a server without TLS.
const plain = "-plain"

// idleServer serves agents ("aval"), or is what one would write with the same
// library ("gorilla": its loop within the handler), with the same TLS or without.
// It prints its address, and its memory for each line that it reads.
//
// Agents are never served without TLS, for a device's proof is bound to it. To see
// what TLS costs, here all connections are given that of one handshake which the
// process has with itself, and for a nonce that it reads it prints what the other
// end of that handshake exports.
func idleServer(kind, dir string) error {
	db, err := store.Open(context.Background(), dir)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	host, err := company.Open(context.Background(), db, company.Options{Server: "https://" + l.Addr().String()})
	if err != nil {
		return err
	}
	var h http.Handler = ingest.New(db, host, ingest.Options{})
	var export func(nonce []byte) ([]byte, error)
	if strings.HasSuffix(kind, plain) {
		here, there, err := handshake(host.TLS())
		if err != nil {
			return err
		}
		agents := h
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.TLS = &here; agents.ServeHTTP(w, r) })
		export = func(nonce []byte) ([]byte, error) { return there.ExportKeyingMaterial(wire.ProofLabel, nonce, 32) }
	}
	if strings.HasPrefix(kind, "gorilla") {
		up := websocket.Upgrader{}
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			for {
				if _, _, err := ws.ReadMessage(); err != nil {
					return
				}
			}
		})
	}
	srv := &http.Server{Handler: h, TLSConfig: host.TLS(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	if export != nil {
		go func() { _ = srv.Serve(ingest.Listen(l)) }()
	} else {
		go func() { _ = srv.ServeTLS(ingest.Listen(l), "", "") }()
	}
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() != "" {
			nonce, err := hex.DecodeString(in.Text())
			if err != nil {
				return err
			}
			exported, err := export(nonce)
			if err != nil {
				return err
			}
			fmt.Println(hex.EncodeToString(exported))
			continue
		}
		fmt.Println(settled())
	}
	return nil
}

// handshake is both ends of a connection of this process with itself.
func handshake(conf *tls.Config) (here, there tls.ConnectionState, err error) {
	a, b := net.Pipe()
	server, client := tls.Server(a, conf), tls.Client(b, insecure.Clone())
	defer a.Close()
	done := make(chan error, 1)
	go func() {
		err := client.Handshake()
		_, _ = client.Read(make([]byte, 1)) // the tickets that come after it
		done <- err
	}()
	err = server.Handshake()
	here = server.ConnectionState()
	_ = a.Close()
	err = errors.Join(err, <-done)
	return here, client.ConnectionState(), err
}

// settled is this process's memory once it no longer changes: what is left of
// handshakes is done, and whatever can be has been given back.
func settled() (now int64) {
	for tries, before := 0, int64(0); tries < 50; tries++ {
		for range 6 { // each one halves the stacks that were needed once
			runtime.GC()
		}
		debug.FreeOSMemory()
		if now = rss(); max(now-before, before-now) < 32<<10 {
			break
		}
		before = now
	}
	return now
}

// rss is this process's memory in bytes, of /proc/self/status.
func rss() int64 {
	raw, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	n, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return n << 10
}

// BenchmarkIdle is what one connected agent that says nothing costs the server, by
// the memory of its process, beside the usual handler of the same library, in turn;
// of several rounds the medians. Goal: 0.55 of it with TLS, 0.35 without.
func BenchmarkIdle(b *testing.B) {
	for name, suffix := range map[string]string{"tls": "", "plain": plain} {
		b.Run(name, func(b *testing.B) {
			var ours, theirs, ratios []float64
			for b.Loop() {
				aval, usual := idleCost(b, "aval"+suffix), idleCost(b, "gorilla"+suffix)
				ours, theirs, ratios = append(ours, aval), append(theirs, usual), append(ratios, aval/usual)
			}
			b.ReportMetric(median(ours), "B/agent")
			b.ReportMetric(median(theirs), "B/usual")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(slices.Max(ratios), "worst-ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// idleAgents are known to the server of a data folder.
func idleAgents(b *testing.B, dir string) (all []*Agent) {
	ctx := context.Background()
	db, err := store.Open(ctx, dir)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	host, err := company.Open(ctx, db, company.Options{Server: "https://127.0.0.1:1"})
	if err != nil {
		b.Fatal(err)
	}
	home, err := host.Home(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		all = nil
		for i := range idleConns {
			a := &Agent{Company: home.ID(), Device: fmt.Sprintf("d%05d", i)}
			a.Key = newKey(a.Device)
			pub := a.Key.Public().(ed25519.PublicKey)
			if err := tx.InsertDevice(store.Device{ID: a.Device, Company: a.Company, Name: a.Device, AgentVersion: "test", EnrolledAt: time.Now()}, record.KeyID(pub), pub); err != nil {
				return err
			}
			all = append(all, a)
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return all
}

func idleCost(b *testing.B, kind string) float64 {
	dir := b.TempDir()
	agents := idleAgents(b, dir)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AVAL_IDLE_SERVER="+kind, "AVAL_IDLE_DIR="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = in.Close(), cmd.Wait() }()
	lines := bufio.NewScanner(out)
	read := func() string {
		if !lines.Scan() {
			b.Fatal("the server has ended")
		}
		return lines.Text()
	}
	memory := func() (n float64) {
		if _, err := fmt.Fprintln(in); err != nil {
			b.Fatal(err)
		}
		n, err := strconv.ParseFloat(read(), 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	address := read()
	scheme := "wss://"
	var export func(nonce []byte) ([]byte, error)
	if strings.HasSuffix(kind, plain) {
		scheme = "ws://"
		export = func(nonce []byte) ([]byte, error) {
			if _, err := fmt.Fprintln(in, hex.EncodeToString(nonce)); err != nil {
				return nil, err
			}
			return hex.DecodeString(read())
		}
	}
	connect := func(a *Agent) *websocket.Conn {
		ws, _, err := (&websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, ReadBufferSize: 512, WriteBufferSize: 512}).
			Dial(scheme+address+wire.AgentPath, nil)
		if err != nil {
			b.Fatal(err)
		}
		if a.exported = export; strings.HasPrefix(kind, "aval") {
			if err := a.hello(&channel{ws: ws}); err != nil {
				b.Fatal(err)
			}
		}
		return ws
	}
	var open []*websocket.Conn
	defer func() {
		for _, ws := range open {
			_ = ws.Close()
		}
	}()
	// Each says one word that asks for nothing, as the answer to a ping: what a
	// connection needs for that and keeps is its own.
	greet := func(a *Agent) *websocket.Conn {
		ws := connect(a)
		if err := ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Minute)); err != nil {
			b.Fatal(err)
		}
		return ws
	}
	// Each comes once and goes: what the store and the runtime keep for whoever comes
	// is no connection's.
	for _, a := range agents {
		_ = greet(a).Close()
	}
	for _, a := range agents[:idleFirst] {
		open = append(open, greet(a))
	}
	before := memory()
	for _, a := range agents[idleFirst:] {
		open = append(open, greet(a))
	}
	return (memory() - before) / float64(len(agents)-idleFirst)
}
