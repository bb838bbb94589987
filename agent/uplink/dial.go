package uplink

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// dialTimeout bounds name lookup, TCP, proxy and TLS together.
const dialTimeout = 20 * time.Second

// Errors of dialling, each a sentence for the person who looks at the status.
var (
	ErrUnreachable = errors.New("the summarizer cannot be reached")
	ErrCertificate = errors.New("the summarizer's certificate is not accepted")
	ErrProxy       = errors.New("the proxy did not open a connection to the summarizer")
)

// address is a checked server address.
type address struct {
	host string // for SNI and the certificate
	addr string // host:port
	pin  []byte // SHA-256 of the SPKI; nil: system roots
}

func parseServer(server, pin string) (address, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.User != nil || u.RawQuery != "" {
		return address{}, fmt.Errorf("read server address: %q is not https://host:port", server)
	}
	a := address{host: u.Hostname(), addr: net.JoinHostPort(u.Hostname(), "443")}
	if u.Port() != "" {
		a.addr = net.JoinHostPort(u.Hostname(), u.Port())
	}
	if pin == "" {
		return a, nil
	}
	digits, ok := strings.CutPrefix(pin, "sha256:")
	a.pin, err = hex.DecodeString(digits)
	if !ok || err != nil || len(a.pin) != sha256.Size {
		return address{}, fmt.Errorf("read pin: %q is not sha256: and 64 hex digits", pin)
	}
	return a, nil
}

// tlsConfig accepts TLS 1.3 alone. With a pin, the pinned key takes the place of
// the certificate authorities and of nothing else: name, dates and purpose are
// verified as always, by crypto/x509, with the pinned certificate as the root.
// InsecureSkipVerify is the documented way to do so (crypto/tls, example
// Config_verifyConnection); it switches off nothing that is not done here.
func (a address) tlsConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: a.host, NextProtos: []string{"http/1.1"}}
	if a.pin == nil {
		return c
	}
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return errors.New("the server sent no certificate")
		}
		leaf := cs.PeerCertificates[0]
		sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		if subtle.ConstantTimeCompare(sum[:], a.pin) != 1 {
			return errors.New("its key is not the one that was pinned at enrolment; either this is another server, or something in between opens the connection")
		}
		roots := x509.NewCertPool()
		roots.AddCert(leaf)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: a.host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		return err
	}
	return c
}

// dial opens a TLS connection, through a proxy with CONNECT where one is set.
func (a address) dial(ctx context.Context, proxy func(*http.Request) (*url.URL, error)) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var through *url.URL
	if proxy != nil {
		var err error
		through, err = proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: a.addr}})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProxy, err)
		}
	}
	var raw net.Conn
	var err error
	if through != nil {
		raw, err = a.connectThrough(ctx, through)
	} else {
		raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", a.addr)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnreachable, plain(err))
		}
	}
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, a.tlsConfig())
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, tlsError(err)
	}
	return c, nil
}

// connectThrough asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).
func (a address) connectThrough(ctx context.Context, proxy *url.URL) (net.Conn, error) {
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("%w: a proxy of kind %q is not supported, only http", ErrProxy, proxy.Scheme)
	}
	addr := proxy.Host
	if proxy.Port() == "" {
		addr = net.JoinHostPort(proxy.Hostname(), "80")
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxy, plain(err))
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: a.addr}, Host: a.addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	err = req.Write(raw)
	var resp *http.Response
	if err == nil {
		// The tunnel begins right after the answer's head; TLS is started by the
		// client, so nothing of it can have been read ahead.
		resp, err = http.ReadResponse(bufio.NewReaderSize(&oneByOne{raw}, 512), req)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrProxy, err)
	case resp.StatusCode == http.StatusProxyAuthRequired:
		err = fmt.Errorf("%w: it asks for a user name and password; put them into HTTPS_PROXY", ErrProxy)
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("%w: it answered %q", ErrProxy, resp.Status)
	case !stop():
		err = fmt.Errorf("%w: %w", ErrProxy, context.DeadlineExceeded)
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return raw, nil
}

// oneByOne keeps a buffered reader from taking more than it asked for.
type oneByOne struct{ c net.Conn }

func (o *oneByOne) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return o.c.Read(p)
}

// tlsError says what is wrong with the other side.
func tlsError(err error) error {
	var ne net.Error
	var unknown x509.UnknownAuthorityError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: no authority that this computer trusts has signed it; a server with its own certificate needs the pin of its token file", ErrCertificate)
	case errors.As(err, &notTLS):
		return fmt.Errorf("%w: it does not speak TLS at this address", ErrCertificate)
	case strings.Contains(err.Error(), "remote error: tls:"), strings.Contains(err.Error(), "protocol version"):
		// crypto/tls gives alerts of the other side no type of their own.
		return fmt.Errorf("%w: it does not agree to TLS 1.3 as this agent speaks it (%w)", ErrCertificate, plain(err))
	}
	if errors.As(err, &ne) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the connection broke while it was opened (%w)", ErrUnreachable, plain(err))
	}
	return fmt.Errorf("%w: %w", ErrCertificate, err)
}

// plain takes the addresses of this computer out of a network error.
func plain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}
