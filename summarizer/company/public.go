package company

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// public is a certificate that an authority has signed, as files that somebody
// else renews. With one, agents need no pin.
type public struct {
	certFile, keyFile string

	mu       sync.Mutex // guards what follows
	cert     *tls.Certificate
	modified time.Time // of the newer file, when they were read
}

// loadPublic reads a certificate with its key, both PEM; no files: nil.
func loadPublic(certFile, keyFile string) (*public, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, errors.New("read certificate: it takes a certificate and its key")
	}
	p := &public{certFile: certFile, keyFile: keyFile}
	return p, p.read()
}

func (p *public) read() error {
	modified, err := p.newest()
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	if p.cert != nil && modified.Equal(p.modified) {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	p.cert, p.modified = &cert, modified
	return nil
}

func (p *public) newest() (at time.Time, err error) {
	for _, f := range []string{p.certFile, p.keyFile} {
		st, err := os.Stat(f)
		if err != nil {
			return at, err
		}
		if st.ModTime().After(at) {
			at = st.ModTime()
		}
	}
	return at, nil
}

// get returns the certificate as the files have it now; where they cannot be
// read, or do not fit each other while they are being renewed, the last good one.
func (p *public) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.read()
	return p.cert, err
}
