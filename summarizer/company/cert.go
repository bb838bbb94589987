package company

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A self-made certificate lives a year and is renewed a month before its end,
// with the same key: agents pin the key.
const (
	certLife  = 365 * 24 * time.Hour
	certRenew = 30 * 24 * time.Hour
)

// certificate is the server's own certificate and its key.
type certificate struct {
	dir   string
	hosts []string
	key   *ecdsa.PrivateKey
	pin   string
	tls   *tls.Certificate
	leaf  *x509.Certificate
}

// loadCertificate reads key.pem and cert.pem in dir and makes what is missing,
// about to expire, or for another address.
func loadCertificate(dir, server string, now time.Time) (*certificate, error) {
	c := &certificate{dir: dir, hosts: certHosts(server)}
	keyFile := filepath.Join(dir, "key.pem")
	raw, err := os.ReadFile(keyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, fmt.Errorf("make certificate key: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(c.key)
		if err != nil {
			return nil, fmt.Errorf("encode certificate key: %w", err)
		}
		if err := writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("read certificate key: %w", err)
	default:
		var k any
		err := errors.New("no PEM block")
		if block, _ := pem.Decode(raw); block != nil {
			k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
		var ok bool
		if c.key, ok = k.(*ecdsa.PrivateKey); err != nil || !ok {
			return nil, fmt.Errorf("the certificate key %s is damaged: put it back from a backup; enrolled devices pin it", keyFile)
		}
	}
	spki, err := x509.MarshalPKIXPublicKey(c.key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode certificate key: %w", err)
	}
	sum := sha256.Sum256(spki)
	c.pin = "sha256:" + hex.EncodeToString(sum[:])
	if raw, err := os.ReadFile(filepath.Join(dir, "cert.pem")); err == nil {
		if block, _ := pem.Decode(raw); block != nil {
			c.use(block.Bytes)
		}
	}
	return c, c.renew(now)
}

// certHosts are the names that the certificate is for.
func certHosts(server string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(server); err == nil && u.Hostname() != "" && !slices.Contains(hosts, u.Hostname()) {
		hosts = append(hosts, u.Hostname())
	}
	return hosts
}

// use takes a certificate into service if it belongs to the key.
func (c *certificate) use(der []byte) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil || !c.key.PublicKey.Equal(leaf.PublicKey) {
		return
	}
	c.leaf, c.tls = leaf, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key, Leaf: leaf}
}

// good tells whether the certificate in service needs no renewal.
func (c *certificate) good(now time.Time) bool {
	if c.leaf == nil || now.Before(c.leaf.NotBefore) || now.After(c.leaf.NotAfter.Add(-certRenew)) {
		return false
	}
	for _, h := range c.hosts {
		if c.leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return true
}

func (c *certificate) renew(now time.Time) error {
	if c.good(now) {
		return nil
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Aval summarizer"},
		// A day back: the clocks of devices may be behind.
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range c.hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, c.key.Public(), c.key)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	if err := writeFile(filepath.Join(c.dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return err
	}
	c.use(der)
	return nil
}

// Pin is what enrolled agents compare: sha256:HEX over the certificate key's
// SubjectPublicKeyInfo. It stays when the certificate is renewed.
// Empty where the server has a certificate of an authority: agents then trust
// that, by the roots of their systems.
func (s *site) Pin() string {
	if s.authority {
		return ""
	}
	return s.cert.pin
}

// Trusts tells whether agents would trust what answers on a connection to the
// server's address: the pinned key, or a certificate that the system's roots vouch
// for.
func (s *site) Trusts(cs tls.ConnectionState) bool {
	if len(cs.PeerCertificates) == 0 {
		return false
	}
	leaf := cs.PeerCertificates[0]
	if !s.authority {
		sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		return "sha256:"+hex.EncodeToString(sum[:]) == s.cert.pin
	}
	u, err := url.Parse(s.server)
	if err != nil {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: u.Hostname(), Intermediates: between, CurrentTime: s.now()})
	return err == nil
}

// TLS is the server's configuration: TLS 1.3 only, with the authority's
// certificate where there is one, else the self-made one, which is renewed in time
// while the server runs.
func (s *site) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if s.public != nil {
				cert, err := s.public.get()
				if err != nil {
					s.log.Error("renew certificate", "err", err)
				}
				return cert, nil
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if err := s.cert.renew(s.now()); err != nil {
				s.log.Error("renew certificate", "err", err)
			}
			return s.cert.tls, nil
		},
	}
}
