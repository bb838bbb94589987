package link_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	astore "aval/agent/store"
	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/ingest"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// authority is a certificate authority that this test process trusts like a
// system root.
var authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("AVAL_LINK_SERVER"); dir != "" {
		serveChild(dir, os.Getenv("AVAL_LINK_ADDR"))
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "link")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		authority.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		der := makeCert(nil, authority.key.Public(), func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
			c.Subject.CommonName = "test authority"
		})
		authority.cert, _ = x509.ParseCertificate(der)
		file := filepath.Join(dir, "roots.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			panic(err)
		}
		// crypto/x509 reads these before it looks anywhere else on Linux.
		_ = os.Setenv("SSL_CERT_FILE", file)
		_ = os.Setenv("SSL_CERT_DIR", dir)
		return storetest.Run(m)
	}())
}

// makeCert makes a certificate for 127.0.0.1, signed by the authority or, where
// parent is nil and the authority has none yet, by itself.
func makeCert(parent *x509.Certificate, pub crypto.PublicKey, change func(*x509.Certificate)) []byte {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if change != nil {
		change(c)
	}
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, authority.key)
	if err != nil {
		panic(err)
	}
	return der
}

// clock is a clock that can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time      { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) add(d time.Duration) { c.ahead.Add(int64(d)) }

// server is a running summarizer: everything of it that agents meet.
type server struct {
	dir  string
	addr string
	db   *store.DB
	host *company.Host
	co   *company.Service // the one of the first start
	in   *ingest.Server
	http *http.Server
}

// listen starts a server in dir. addr may be 127.0.0.1:0.
func listen(dir, addr string, now func() time.Time, ping time.Duration) (*server, error) {
	return listenWith(dir, addr, company.Options{Now: now}, ping)
}

func listenWith(dir, addr string, o company.Options, ping time.Duration) (*server, error) {
	return listenLook(dir, addr, o, ping, 100*time.Millisecond)
}

// listenLook says how often the server looks for what was changed; 0: as always.
func listenLook(dir, addr string, o company.Options, ping, look time.Duration) (*server, error) {
	ctx := context.Background()
	db, err := store.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // the port of one that was killed
		if l, err = net.Listen("tcp", addr); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, addr: l.Addr().String(), db: db}
	o.Name, o.Server = "Example Support", "https://"+s.addr
	if s.host, err = company.Open(ctx, db, o); err != nil {
		return nil, err
	}
	if s.co, err = s.host.Home(ctx); err != nil {
		return nil, err
	}
	s.in = ingest.New(db, s.host, ingest.Options{Now: o.Now, Ping: ping, Look: look})
	mux := http.NewServeMux()
	mux.Handle(wire.AgentPath, s.in)
	mux.Handle(wire.EnrollPath, s.host.Enroll())
	mux.Handle(wire.RustDeskPath, s.in.RustDesk())
	mux.Handle(wire.RedeemPath, s.host.Redeem())
	mux.Handle(wire.SignInPath, s.host.SignInStart())
	mux.Handle(wire.AccountPath, s.host.SignInWait())
	mux.Handle(wire.ModulePath, s.host.Module())
	mux.Handle(wire.LeavePath, s.host.Leave())
	mux.Handle(wire.OpenPath, s.host.Open())
	mux.Handle(wire.OpenedPath, s.host.Opened())
	s.http = &http.Server{Handler: mux, TLSConfig: s.host.TLS(), ReadHeaderTimeout: 10 * time.Second}
	s.http.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are meant to fail
	go func() { _ = s.http.ServeTLS(ingest.Listen(l), "", "") }()
	return s, nil
}

func (s *server) close() {
	_ = s.http.Close()
	_ = s.in.Close()
	_ = s.db.Close()
}

func startServer(t testing.TB, now func() time.Time) *server {
	t.Helper()
	s, err := listen(storetest.Dir(t), "127.0.0.1:0", now, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// serveChild is the server as a process of its own, to be killed.
func serveChild(dir, addr string) {
	s, err := listen(dir, addr, nil, 0)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("ready", s.addr)
	select {}
}

func startChild(t testing.TB, dir, addr string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AVAL_LINK_SERVER="+dir, "AVAL_LINK_ADDR="+addr)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var word, at string
	if _, err := fmt.Fscan(out, &word, &at); err != nil || word != "ready" {
		_ = cmd.Process.Kill()
		t.Fatalf("server process: %s %s, %v", word, at, err)
	}
	go func() { // whatever else it says must not block it
		var s string
		for {
			if _, err := fmt.Fscanln(out, &s); err != nil {
				return
			}
		}
	}()
	return cmd, at
}

// computer is an enrolled agent's end: its store, and what it was given.
type computer struct {
	t     testing.TB
	dir   string
	store *astore.Store
	enr   uplink.Enrolment
	tok   wire.TokenFile
	now   func() time.Time

	mu      sync.Mutex
	state   uplink.State
	options int
}

func token(t testing.TB, dir string) wire.TokenFile {
	t.Helper()
	db, err := store.OpenBeside(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	co, err := loadHome(t, db, company.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := co.CreateEnrolToken(t.Context(), company.NewEnrolToken{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func enrol(t testing.TB, dir string, now func() time.Time) *computer {
	t.Helper()
	home := t.TempDir()
	st, err := astore.Open(filepath.Join(home, "state"), astore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	c := &computer{t: t, dir: home, store: st, tok: token(t, dir), now: now}
	if c.enr, err = uplink.Enroll(t.Context(), c.tok.Server, c.tok.Pin, c.tok.Token, st.DeviceKey(), "test", ""); err != nil {
		t.Fatal(err)
	}
	return c
}

var ids atomic.Int64

// body is a valid grant for session.
func (c *computer) body(session string) record.Grant {
	now := time.Now().UTC()
	if c.now != nil {
		now = c.now().UTC()
	}
	return record.Grant{
		Head: record.Head{V: 1, ID: fmt.Sprintf("G%06d", ids.Add(1)), At: now, Company: c.enr.Company, Device: c.enr.Device, Session: session},
		Decided: record.Decided{Tool: "x11vnc", Supporter: "Ana", CompanyName: "Example Support", Direction: consent.Outgoing,
			Decision: consent.Decision{Verdict: consent.Allow, Basis: consent.BasisStandingSetting, Reason: consent.ReasonAllowedBySetting},
			Outcome:  consent.OutcomeAllowed, Provenance: consent.P2, PolicyOrigin: "none", PolicyVersion: 1, SessionStartedAt: now, AgentVersion: "test"},
		Basis: consent.BasisStandingSetting, Groups: []event.Group{event.Windows, event.Chat},
		NotBefore: now.Add(-time.Minute), Expires: now.Add(time.Hour), Engine: "rules", RetentionDays: 90,
	}
}

// grant makes a grant durable and opens its stream.
func (c *computer) grant(session string) (astore.Stream, record.Grant) {
	c.t.Helper()
	g := c.body(session)
	raw, err := record.Sign(c.store.DeviceKey(), record.TypeGrant, g)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.store.AppendRecord(astore.Entry{ID: g.ID, Type: record.TypeGrant, Company: g.Company, Session: session, At: g.At, Envelope: raw}); err != nil {
		c.t.Fatal(err)
	}
	st := astore.Stream{Company: g.Company, Session: session}
	if err := c.store.OpenStream(st, g.ID, raw); err != nil {
		c.t.Fatal(err)
	}
	return st, g
}

// record signs a record and makes it durable, to be delivered.
func (c *computer) record(h record.Head, typ record.Type, body any) []byte {
	c.t.Helper()
	raw, err := record.Sign(c.store.DeviceKey(), typ, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.store.AppendRecord(astore.Entry{ID: h.ID, Type: typ, Company: h.Company, Session: h.Session, At: h.At, Envelope: raw}); err != nil {
		c.t.Fatal(err)
	}
	return raw
}

func (c *computer) append(st astore.Stream, evs ...event.Event) {
	c.t.Helper()
	if _, err := c.store.Append(context.Background(), st, evs); err != nil {
		c.t.Fatal(err)
	}
}

// title is one window event whose title tells its place.
func (c *computer) title(session string, i int) event.Event {
	at := time.Now().UTC()
	if c.now != nil {
		at = c.now().UTC()
	}
	return event.Event{Session: session, Kind: event.WindowFocused, At: at, Fields: map[string]string{"title": fmt.Sprintf("window %06d", i)}}
}

func (c *computer) titles(session string, from, n int) (evs []event.Event) {
	for i := range n {
		evs = append(evs, c.title(session, from+i))
	}
	return evs
}

func (c *computer) ended(session string) event.Event {
	e := c.title(session, 0)
	e.Kind, e.Fields = event.SessionEnded, map[string]string{"reason": "ended"}
	return e
}

// config is for a link through addr; empty: to the server itself.
func (c *computer) config(addr string) uplink.Config {
	server := c.tok.Server
	if addr != "" {
		server = "https://" + addr
	}
	return uplink.Config{Server: server, Pin: c.tok.Pin, Company: c.enr.Company, Device: c.enr.Device, Build: "test",
		Key: c.store.DeviceKey(), Source: c.store, Now: c.now,
		OnState: func(s uplink.State) { c.mu.Lock(); c.state = s; c.mu.Unlock() },
		OnOptions: func(env []byte) {
			var o record.Options
			if _, err := record.OpenAs(env, record.OneKey(c.enr.ServerKey), record.TypePolicy, &o); err != nil || o.Device != c.enr.Device {
				c.t.Errorf("options: %v", err)
			}
			c.mu.Lock()
			c.options++
			c.mu.Unlock()
		},
		Backoff: uplink.Backoff{First: 5 * time.Millisecond, Max: 50 * time.Millisecond, Refused: time.Hour},
	}
}

// connect runs a link until the test ends or stop is called.
func (c *computer) connect(cfg uplink.Config) (l *uplink.Link, stop func()) {
	c.t.Helper()
	l = newLink(c.t, cfg)
	return l, run(c.t, l)
}

func newLink(t testing.TB, cfg uplink.Config) *uplink.Link {
	t.Helper()
	l, err := uplink.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func run(t testing.TB, l *uplink.Link) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func (c *computer) status() uplink.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *computer) info(st astore.Stream) astore.StreamInfo {
	c.t.Helper()
	list, err := c.store.Streams()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, i := range list {
		if i.Stream == st {
			return i
		}
	}
	c.t.Fatalf("no stream %v", st)
	return astore.StreamInfo{}
}

func (c *computer) acked(st astore.Stream) bool {
	i := c.info(st)
	return i.Acked == i.Last && i.Last > 0
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// stored reads a session's events from the summarizer's database.
func stored(t testing.TB, db *store.DB, k store.Key) (evs []store.StoredEvent) {
	t.Helper()
	if err := db.View(context.Background(), func(tx *store.Tx) (err error) { evs, err = tx.Events(k, 0, 0); return err }); err != nil {
		t.Fatal(err)
	}
	return evs
}

func streamOf(t testing.TB, db *store.DB, k store.Key) (s store.Stream, ok bool) {
	t.Helper()
	err := db.View(context.Background(), func(tx *store.Tx) (err error) { s, err = tx.Stream(k); return err })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return s, err == nil
}

func (c *computer) key(session string) store.Key {
	return store.Key{Company: c.enr.Company, Device: c.enr.Device, Session: session}
}

// once checks that exactly the titles 0..n-1 are stored, in order, from
// sequence 1 on; other kinds between them are left out.
func once(t testing.TB, evs []store.StoredEvent, n int) {
	t.Helper()
	i := 0
	for at, e := range evs {
		if e.Seq != uint64(at+1) {
			t.Fatalf("row %d has sequence %d", at, e.Seq)
		}
		if e.Kind != event.WindowFocused {
			continue
		}
		if want := fmt.Sprintf("window %06d", i); e.Fields["title"] != want {
			t.Fatalf("event %d is %q, want %q", e.Seq, e.Fields["title"], want)
		}
		i++
	}
	if i != n {
		t.Fatalf("%d events stored, want %d", i, n)
	}
}

// loadHome loads the first company as a command beside the server does.
func loadHome(t testing.TB, db *store.DB, o company.Options) (*company.Service, error) {
	h, err := company.Load(t.Context(), db, o)
	if err != nil {
		return nil, err
	}
	return h.Home(t.Context())
}
