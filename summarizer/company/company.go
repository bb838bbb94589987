// Package company keeps what makes a server a company's: its signing key, its
// certificate, the tokens that enrol devices, and the signed options that each
// device is given.
//
// The one rule that must not be broken: a token enrols one device, once, and is
// used up in the same transaction that creates the device; no secret is stored
// but as its hash, except in the file that is handed to the administrator.
package company

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"aval/summarizer/store"
	"aval/summarizer/summary/llm"
)

// Options of Open and Load.
type Options struct {
	// Name of the company at first start; empty: "My company".
	Name string
	// Lang of its summaries at first start, en or pt-BR; empty: en.
	Lang string
	// Server is the address under which agents reach this server,
	// https://host:port; empty: the one of the last start.
	Server string
	// Fallback is the address that counts where Server is empty; of several servers
	// on one database only for the first, at its first start.
	Fallback string
	// CertFile and KeyFile are a certificate of an authority and its key, in PEM;
	// both empty: the server makes its own.
	CertFile, KeyFile string
	// Model is the server's language model, checked; nil: it has none.
	Model *llm.Config
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
}

// site is what all companies of a server share: the store, the address, the
// certificate.
type site struct {
	db     *store.DB
	home   string // the oldest company's id
	server string
	model  *llm.Config // the server's; nil: none
	now    func() time.Time
	log    *slog.Logger
	public *public // nil: the self-made certificate is in service
	// authority: the server runs with a certificate of an authority.
	authority bool

	mu   sync.Mutex // guards cert
	cert *certificate

	issuersMu sync.Mutex // guards issuers
	issuers   map[string]issuer
}

// Service is one company of a server, as one actor deals with it.
type Service struct {
	*site
	id    string
	key   ed25519.PrivateKey
	actor Actor
}

// As is the same company as another actor deals with it: the audit names that
// one. What the actor may do, the caller has looked at.
func (s *Service) As(a Actor) *Service {
	c := *s
	c.actor = a
	return &c
}

// Actor is who deals with the company.
func (s *Service) Actor() Actor { return s.actor }

// Company returns the company as it is stored now.
func (s *Service) Company(ctx context.Context) (c store.Company, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { c, err = tx.Company(s.id); return err })
	return c, err
}

// ID is the company's id.
func (s *Service) ID() string { return s.id }

// Server is the address under which agents reach this server.
func (s *site) Server() string { return s.server }

// PublicKey verifies what the company signs.
func (s *Service) PublicKey() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

// signer signs for the company.
func (s *Service) signer() crypto.Signer { return s.key }

func (s *site) dir(name string) string { return filepath.Join(s.db.Dir(), name) }

func (s *site) keyFile(id string) string { return filepath.Join(s.dir("keys"), id+".pem") }

func checkServer(server string) error {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("server address %q is not https://host:port", server)
	}
	if p := u.Port(); p != "" {
		if _, err := net.LookupPort("tcp", p); err != nil {
			return fmt.Errorf("server address %q: port %s is none", server, p)
		}
	}
	return nil
}

// makeKey makes an Ed25519 key and keeps it in file, PKCS #8 in PEM, 0600.
func makeKey(file string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return key, writeFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// MakeReleaseKey makes a release key and keeps it in file, which must not exist.
func MakeReleaseKey(file string) (ed25519.PublicKey, error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make release key: %s exists already", file)
	}
	key, err := makeKey(file)
	if err != nil {
		return nil, fmt.Errorf("make release key: %w", err)
	}
	return key.Public().(ed25519.PublicKey), nil
}

// ReadReleaseKey reads a key that MakeReleaseKey made.
func ReadReleaseKey(file string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read release key: %w", err)
	}
	key, err := decodeKey(raw)
	if err != nil {
		return nil, fmt.Errorf("read release key %s: %w", file, err)
	}
	return key, nil
}

func readKey(file string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the company's signing key %s is missing: put it back from a backup; devices trust no other", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	key, err := decodeKey(raw)
	if err != nil {
		return nil, fmt.Errorf("the company's signing key %s is damaged (%w): put it back from a backup", file, err)
	}
	return key, nil
}

func decodeKey(raw []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is %T, not Ed25519", k)
	}
	return key, nil
}

// writeFile replaces file in one step, 0600 in a 0700 folder, durable on return.
func writeFile(file string, data []byte) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*") // made 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", file, err)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}
