package link_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// bomb is a zstd frame that would grow to 64 MiB.
func bomb(t *testing.T) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(make([]byte, 64<<20), nil)
}

func pinOf(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestBadServers: before each of these the agent sends no byte of application
// data: no enrolment token, no hello, no event.
func TestBadServers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := startServer(t, nil)
	d := enrol(t, good.dir, nil)
	st, _ := d.grant("x/1")
	d.append(st, d.titles("x/1", 0, 10)...)

	byAuthority := func(change func(*x509.Certificate)) []byte { return makeCert(authority.cert, key.Public(), change) }
	selfMade := func(change func(*x509.Certificate)) []byte {
		c := &x509.Certificate{SerialNumber: authority.cert.SerialNumber, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		if change != nil {
			change(c)
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	future := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	}
	wrongHost := func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"example.com"} }
	client := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	wildcard := func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"*", "*.0.0.1", "127.0.0.*"} }
	onlyName := func(c *x509.Certificate) { c.IPAddresses, c.Subject.CommonName = nil, "127.0.0.1" }
	nul := func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"127.0.0.1\x00.example.com"} }

	for name, row := range map[string]struct {
		cert []byte
		pin  string // empty: system roots
		conf func(*tls.Config)
		bad  bool // false: the control; the server's application bytes are counted
	}{
		"control: authority":              {cert: byAuthority(nil)},
		"control: pin":                    {cert: selfMade(nil), pin: pinOf(key.Public())},
		"self-made without a pin":         {cert: selfMade(nil), bad: true},
		"expired":                         {cert: byAuthority(expired), bad: true},
		"not yet valid":                   {cert: byAuthority(future), bad: true},
		"wrong host":                      {cert: byAuthority(wrongHost), bad: true},
		"wrong usage":                     {cert: byAuthority(client), bad: true},
		"wildcards":                       {cert: byAuthority(wildcard), bad: true},
		"common name alone":               {cert: byAuthority(onlyName), bad: true},
		"nul in the name":                 {cert: byAuthority(nul), bad: true},
		"TLS 1.2":                         {cert: byAuthority(nil), conf: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, bad: true},
		"another protocol (ALPN)":         {cert: byAuthority(nil), conf: func(c *tls.Config) { c.NextProtos = []string{"imap"} }, bad: true},
		"another key than pinned":         {cert: byAuthority(nil), pin: pinOf(authority.key.Public()), bad: true},
		"pin of the authority":            {cert: byAuthority(nil), pin: pinOf(authority.cert.PublicKey), bad: true},
		"pinned, expired":                 {cert: selfMade(expired), pin: pinOf(key.Public()), bad: true},
		"pinned, wrong host":              {cert: selfMade(wrongHost), pin: pinOf(key.Public()), bad: true},
		"pinned, wrong usage":             {cert: selfMade(client), pin: pinOf(key.Public()), bad: true},
		"pinned, TLS 1.2":                 {cert: selfMade(nil), pin: pinOf(key.Public()), conf: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, bad: true},
		"pinned, but not first in chain":  {cert: byAuthority(nil), pin: pinOf(authority.key.Public()), bad: true},
		"pin of a certificate not a key":  {cert: selfMade(nil), pin: "sha256:" + hex.EncodeToString(sum(selfMade(nil))), bad: true},
		"asks for a renegotiated old TLS": {cert: byAuthority(nil), conf: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			conf := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{row.cert, authority.cert.Raw}, PrivateKey: key}}}
			if row.conf != nil {
				row.conf(conf)
			}
			l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
			if err != nil {
				t.Fatal(err)
			}
			var got atomic.Int64
			count := accept(t, l, func(c net.Conn) {
				b := make([]byte, 1)
				for {
					n, err := c.Read(b)
					got.Add(int64(n))
					if err != nil || n > 0 {
						return
					}
				}
			})
			cfg := d.config(l.Addr().String())
			cfg.Pin = row.pin
			_, stop := d.connect(cfg)
			until(t, "a try", func() bool { return count.Load() >= 2 })
			_, err = uplink.Enroll(t.Context(), cfg.Server, row.pin, "secret", d.store.DeviceKey(), "test", "")
			stop()
			if row.bad != (got.Load() == 0) {
				t.Errorf("%d bytes of application data", got.Load())
			}
			if row.bad && !errors.Is(err, uplink.ErrCertificate) {
				t.Errorf("enrolment: %v", err)
			}
			if row.bad {
				t.Log(err)
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		accept(t, l, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })
		_, err = uplink.Enroll(t.Context(), "https://"+l.Addr().String(), "", "secret", d.store.DeviceKey(), "test", "")
		if !errors.Is(err, uplink.ErrCertificate) {
			t.Errorf("%v", err)
		}
		if _, err := uplink.New(uplink.Config{Server: "http://" + l.Addr().String(), Company: "c", Device: "d", Key: d.store.DeviceKey(), Source: d.store}); err == nil {
			t.Error("an address without TLS was taken")
		}
	})
}

func sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// accept serves each connection of l with f and counts them.
func accept(t *testing.T, l net.Listener, f func(net.Conn)) *atomic.Int64 {
	var n atomic.Int64
	var work sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				f(c)
				n.Add(1)
			})
		}
	})
	return &n
}

// connectProxy is an HTTP proxy for CONNECT. open decides what the tunnel does.
func connectProxy(t *testing.T, tunnel func(in net.Conn, target string)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.Map
	t.Cleanup(func() { conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true }) })
	accept(t, l, func(c net.Conn) {
		conns.Store(c, nil)
		_ = c.SetDeadline(time.Time{})
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		if req.Header.Get("Proxy-Authorization") != "Basic YW5hOnNlY3JldA==" {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\nVia: 1.1 example\r\n\r\n")
		tunnel(c, req.Host)
	})
	return l.Addr().String()
}

func through(addr, user string) func(*http.Request) (*url.URL, error) {
	return func(*http.Request) (*url.URL, error) {
		u := &url.URL{Scheme: "http", Host: addr}
		if user != "" {
			u.User = url.UserPassword(user, "secret")
		}
		return u, nil
	}
}

func join(a, b net.Conn) {
	defer a.Close()
	defer b.Close()
	go func() { _, _ = io.Copy(a, b); _ = a.Close() }()
	_, _ = io.Copy(b, a)
}

func TestProxies(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	st, _ := d.grant("x/1")
	d.append(st, d.titles("x/1", 0, 10)...)

	t.Run("one that opens TLS", func(t *testing.T) {
		// Its authority is installed on the computer: TLS itself cannot tell.
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		cert := tls.Certificate{Certificate: [][]byte{makeCert(authority.cert, key.Public(), nil)}, PrivateKey: key}
		var opened bytes.Buffer
		var mu sync.Mutex
		addr := connectProxy(t, func(in net.Conn, target string) {
			out, err := tls.Dial("tcp", target, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				return
			}
			tap := tls.Server(in, &tls.Config{Certificates: []tls.Certificate{cert}})
			join(tapped{tap, &opened, &mu}, out)
		})
		cfg := d.config("")
		cfg.Pin, cfg.Proxy = "", through(addr, "ana")
		_, stop := d.connect(cfg)
		until(t, "refused", func() bool { return d.status().Link == uplink.Refused })
		stop()
		if e := d.status().Err; !strings.Contains(e, "opens the TLS connection") {
			t.Errorf("state: %s", e)
		}
		mu.Lock()
		defer mu.Unlock()
		if !bytes.Contains(opened.Bytes(), []byte(wire.AgentPath)) {
			t.Error("the tap saw nothing: it can prove nothing")
		}
		if bytes.Contains(opened.Bytes(), []byte("window 0")) {
			t.Error("the proxy saw an event")
		}
		holds(t, s, 0, 0)
	})
	t.Run("one that opens TLS, pinned", func(t *testing.T) {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		cert := tls.Certificate{Certificate: [][]byte{makeCert(authority.cert, key.Public(), nil)}, PrivateKey: key}
		addr := connectProxy(t, func(in net.Conn, _ string) {
			_, _ = io.Copy(io.Discard, tls.Server(in, &tls.Config{Certificates: []tls.Certificate{cert}}))
		})
		cfg := d.config("")
		cfg.Proxy = through(addr, "ana")
		_, stop := d.connect(cfg)
		until(t, "a complaint", func() bool { return strings.Contains(d.status().Err, "pinned") })
		stop()
	})
	t.Run("one that wants a password", func(t *testing.T) {
		addr := connectProxy(t, nil)
		cfg := d.config("")
		cfg.Proxy = through(addr, "")
		_, stop := d.connect(cfg)
		until(t, "a complaint", func() bool { return strings.Contains(d.status().Err, "user name and password") })
		stop()
	})
	t.Run("plain CONNECT", func(t *testing.T) {
		addr := connectProxy(t, func(in net.Conn, target string) {
			out, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			join(in, out)
		})
		cfg := d.config("")
		cfg.Proxy = through(addr, "ana")
		_, stop := d.connect(cfg)
		until(t, "delivery", func() bool { return d.acked(st) })
		stop()
		once(t, stored(t, s.db, d.key("x/1")), 10)
	})
}

// tapped notes what is read from a connection.
type tapped struct {
	net.Conn
	to *bytes.Buffer
	mu *sync.Mutex
}

func (c tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.to.Write(p[:n])
	c.mu.Unlock()
	return n, err
}

func TestEnrolErrors(t *testing.T) {
	var ck clock
	s := startServer(t, ck.now)
	d := enrol(t, s.dir, nil)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	fresh := token(t, s.dir)
	expired := token(t, s.dir)
	for name, row := range map[string]struct {
		server, pin, token string
		want               error
		says               string
	}{
		"unreachable": {"https://" + closed.Addr().String(), "", "t", uplink.ErrUnreachable, "cannot be reached"},
		"wrong pin":   {fresh.Server, "sha256:" + strings.Repeat("00", 32), fresh.Token, uplink.ErrCertificate, "pinned at enrolment"},
		"no pin":      {fresh.Server, "", fresh.Token, uplink.ErrCertificate, "pin of its token file"},
		"wrong token": {fresh.Server, fresh.Pin, "aval_enrol_wrong", uplink.ErrToken, "not known"},
		"bad address": {"ftp://x", "", "t", nil, "https://host:port"},
		"bad pin":     {fresh.Server, "md5:00", "t", nil, "64 hex digits"},
		"not Aval":    {fresh.Server + "/", fresh.Pin, "", uplink.ErrToken, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := uplink.Enroll(t.Context(), row.server, row.pin, row.token, d.store.DeviceKey(), "test", "")
			if err == nil || (row.want != nil && !errors.Is(err, row.want)) || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
	t.Run("used", func(t *testing.T) {
		// The same computer may ask again: it may have lost the answer.
		again, err := uplink.Enroll(t.Context(), d.tok.Server, d.tok.Pin, d.tok.Token, d.store.DeviceKey(), "test", "")
		if err != nil || again.Device != d.enr.Device {
			t.Errorf("%+v, %v", again, err)
		}
		other := enrol(t, s.dir, nil)
		_, err = uplink.Enroll(t.Context(), d.tok.Server, d.tok.Pin, d.tok.Token, other.store.DeviceKey(), "test", "")
		if !errors.Is(err, uplink.ErrToken) || !strings.Contains(err.Error(), "used already") {
			t.Errorf("%v", err)
		}
	})
	t.Run("expired", func(t *testing.T) {
		ck.add(24*time.Hour + time.Minute)
		_, err := uplink.Enroll(t.Context(), expired.Server, expired.Pin, expired.Token, d.store.DeviceKey(), "test", "")
		if !errors.Is(err, uplink.ErrToken) || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%v", err)
		}
	})
}

// 200 computers at once with 20 tokens: exactly 20 are enrolled. To see it fail,
// read the token in a transaction of its own before the one that uses it.
func TestTokensAreUsedOnce(t *testing.T) {
	s := startServer(t, nil)
	const tokens, each = 20, 10
	var list []wire.TokenFile
	for range tokens {
		f, _, err := s.co.CreateEnrolToken(t.Context(), company.NewEnrolToken{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	var enrolled, refused atomic.Int64
	var work sync.WaitGroup
	for i := range tokens * each {
		work.Go(func() {
			key := newKey()
			f := list[i%tokens]
			_, err := uplink.Enroll(context.Background(), f.Server, f.Pin, f.Token, key, "test", "")
			switch {
			case err == nil:
				enrolled.Add(1)
			case errors.Is(err, uplink.ErrToken) && strings.Contains(err.Error(), "used already"):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	work.Wait()
	var devices []store.Device
	if err := s.db.View(t.Context(), func(tx *store.Tx) (err error) { devices, err = tx.Devices(s.co.ID()); return err }); err != nil {
		t.Fatal(err)
	}
	if enrolled.Load() != tokens || refused.Load() != tokens*(each-1) || len(devices) != tokens {
		t.Errorf("%d enrolled, %d refused, %d devices", enrolled.Load(), refused.Load(), len(devices))
	}
}

// The certificate is renewed a month before its end, and the pin holds.
func TestCertificateRenewal(t *testing.T) {
	var ck clock
	s := startServer(t, ck.now)
	d := enrol(t, s.dir, nil)
	leaf := func() *x509.Certificate {
		c, err := s.co.TLS().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	before := leaf()
	ck.add(300 * 24 * time.Hour)
	if leaf().SerialNumber.Cmp(before.SerialNumber) != 0 {
		t.Error("renewed too early")
	}
	ck.add(40 * 24 * time.Hour)
	after := leaf()
	if after.SerialNumber.Cmp(before.SerialNumber) == 0 || !after.NotAfter.After(before.NotAfter) || pinOf(after.PublicKey) != d.tok.Pin {
		t.Errorf("not renewed with the same key: %s until %s", after.SerialNumber, after.NotAfter)
	}
	// And over a restart.
	db, err := store.OpenBeside(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	co, err := loadHome(t, db, company.Options{Now: ck.now})
	if err != nil || co.Pin() != d.tok.Pin || !co.PublicKey().Equal(d.enr.ServerKey) {
		t.Errorf("after a restart: %v", err)
	}
}
